/**
 * One xDS client for each place that resources come from, made when something first names it: a stream of
 * all types or of one, a polled server, a file. Equal sources share one.
 */
import { formatAddress } from "../../shared/common/address.ts";
import type { HostConfig } from "../../shared/config/cluster-config.ts";
import type {
  ApiConfigSource,
  ConfigSource,
  GrpcApiSource,
  GrpcService,
  RestApiSource,
} from "../config/config-source.ts";
import {
  aggregatedDiscovery,
  discoveryServiceOf,
  restPathOf,
} from "../proto/discovery-services.ts";
import { AdsMux } from "../xds/ads-mux.ts";
import { delta } from "../xds/delta-conversation.ts";
import type { GrpcTarget } from "../xds/endpoint-rotation.ts";
import { FileSource, filePathError } from "../xds/file-source.ts";
import { GrpcTransport } from "../xds/grpc-transport.ts";
import type { ResourceType } from "../xds/resource-batch.ts";
import { RestSource } from "../xds/rest-source.ts";
import { HttpPollTransport } from "../xds/rest-transport.ts";
import { sotw } from "../xds/sotw-conversation.ts";
import type { XdsClient } from "../xds/xds-client.ts";
import type { XdsStats } from "../xds/xds-stats.ts";
import type { XdsStatus } from "../xds/xds-status.ts";
import type { ControlPlaneParts } from "./control-plane-parts.ts";
import type { TlsClients } from "./tls-clients.ts";
import { createXdsStats } from "./xds-stat-sink.ts";

/** The present hosts of a cluster, asked before each attempt to connect. */
export type HostsOf = (cluster: string) => readonly HostConfig[];

/** What a subscription is counted under decides the prefix of its server's stats too (Envoy does so). */
const statPrefixes: ReadonlyMap<string, string> = new Map([
  ["LDS", "listener_manager.lds."],
  ["CDS", "cluster_manager.cds."],
  ["RTDS", "runtime."],
]);

/** A client for each place that resources come from; a text: why there is none. */
export interface ClientsOfSources {
  aggregated(source: GrpcApiSource): XdsClient | string;
  ofApi(source: ApiConfigSource, type: ResourceType<unknown>): XdsClient | string;
  ofFile(
    source: Extract<ConfigSource, { kind: "path" }>,
    type: ResourceType<unknown>,
  ): XdsClient | string;
}

export class XdsClients implements ClientsOfSources, Disposable {
  readonly #parts: ControlPlaneParts;
  readonly #hostsOf: HostsOf;
  readonly #tls: TlsClients;
  readonly #aggregatedStats: XdsStats;
  /** By what makes them equal: source, and type unless aggregated. */
  readonly #clients = new Map<string, XdsClient>();

  constructor(parts: ControlPlaneParts, hostsOf: HostsOf, tls: TlsClients) {
    this.#parts = parts;
    this.#hostsOf = hostsOf;
    this.#tls = tls;
    this.#aggregatedStats = createXdsStats(parts.slabs.store, parts.slabs.stats.slab);
  }

  /** The stream of all types to the servers of a source. */
  aggregated(source: GrpcApiSource, purpose = ""): XdsClient | string {
    const error = this.#clusterError(source);
    if (error !== undefined) return error;
    return this.#client(`${purpose}aggregated ${JSON.stringify(source)}`, () => {
      const service = aggregatedDiscovery();
      const isDelta = isDeltaApi(source);
      const transport = this.#transport(source, isDelta ? service.delta : service.stream);
      return this.#mux(source, transport, this.#aggregatedStats);
    });
  }

  /** What serves one type from an `api_config_source`, or why nothing does. */
  ofApi(source: ApiConfigSource, type: ResourceType<unknown>, purpose = ""): XdsClient | string {
    if (source.apiType === "aggregatedGrpc" || source.apiType === "aggregatedDeltaGrpc")
      return this.aggregated(source, purpose);
    const error = this.#clusterError(source);
    if (error !== undefined) return error;
    const key = `${purpose}${type.typeUrl} ${JSON.stringify(source)}`;
    if (source.apiType === "rest") return this.#client(key, () => this.#rest(source, type));
    const service = discoveryServiceOf(type.typeUrl);
    if (!service) return `${type.typeUrl} has no discovery service of its own, use ads`;
    const method = isDeltaApi(source) ? service.delta : service.stream;
    if (!method) return `${type.typeUrl} is served by delta alone, use DELTA_GRPC`;
    return this.#client(key, () =>
      this.#mux(source, this.#transport(source, method), this.#statsOf(type)),
    );
  }

  /** A file holds one type. */
  ofFile(
    { path, watchedDirectory }: Extract<ConfigSource, { kind: "path" }>,
    { typeUrl }: ResourceType<unknown>,
    purpose = "",
  ): XdsClient | string {
    const error = filePathError(path);
    if (error !== undefined) return error;
    const { decoders, clock, loggerOf } = this.#parts;
    return this.#client(
      `${purpose}${typeUrl} ${path}`,
      () =>
        new FileSource({
          path,
          watchedDirectory,
          clock,
          protos: decoders.protos,
          stats: this.#aggregatedStats,
          logger: loggerOf("config"),
        }),
    );
  }

  /** Clients that are shared with nobody who asks for another purpose; to be given back by `close`. */
  apart(purpose: string): ClientsOfSources {
    const key = `${purpose} `;
    return {
      aggregated: (source) => this.aggregated(source, key),
      ofApi: (source, type) => this.ofApi(source, type, key),
      ofFile: (source, type) => this.ofFile(source, type, key),
    };
  }

  close(client: XdsClient): void {
    for (const [key, each] of this.#clients) if (each === client) this.#clients.delete(key);
    client[Symbol.dispose]();
  }

  /** In the order in which they were first asked for. */
  status(): readonly XdsStatus[] {
    return [...this.#clients.values()].map((client) => client.status());
  }

  [Symbol.dispose](): void {
    for (const client of this.#clients.values()) client[Symbol.dispose]();
    this.#clients.clear();
  }

  #client(key: string, make: () => XdsClient): XdsClient {
    const client = this.#clients.get(key) ?? make();
    this.#clients.set(key, client);
    return client;
  }

  #mux(source: GrpcApiSource, transport: GrpcTransport, stats: XdsStats): XdsClient {
    const { bootstrap, clock, random, loggerOf } = this.#parts;
    return new AdsMux({
      transport,
      clock,
      random,
      stats,
      dialect: isDeltaApi(source) ? delta : sotw,
      backoff: source.backoff,
      rateLimit: source.rateLimit,
      connectTimeoutMs: this.#connectTimeoutMs(source),
      logger: loggerOf("config"),
      node: bootstrap.node.bytes,
      setNodeOnFirstMessageOnly: source.setNodeOnFirstMessageOnly,
    });
  }

  #transport({ services }: GrpcApiSource, method: GrpcTransport["method"]): GrpcTransport {
    return new GrpcTransport({
      method,
      targets: services.map((service) => targetOf(service, this.#hostsOf, this.#tls)),
    });
  }

  #rest(source: RestApiSource, type: ResourceType<unknown>): XdsClient {
    const { bootstrap, clock, random, loggerOf, decoders } = this.#parts;
    const { clusterName, requestTimeoutMs, refreshDelayMs } = source;
    return new RestSource({
      transport: new HttpPollTransport({
        clusterName,
        endpoints: () => this.#hostsOf(clusterName).map(({ address }) => address),
        path: restPathOf(type.typeUrl) ?? "",
        security: this.#tls.ofCluster(clusterName),
        clock,
        timeoutMs: requestTimeoutMs,
      }),
      refreshDelayMs,
      clock,
      random,
      protos: decoders.protos,
      stats: this.#statsOf(type),
      logger: loggerOf("config"),
      node: bootstrap.node.bytes,
    });
  }

  #statsOf({ shortName }: ResourceType<unknown>): XdsStats {
    const { store, stats } = this.#parts.slabs;
    const prefix = statPrefixes.get(shortName) ?? `${shortName.toLowerCase()}.`;
    return createXdsStats(store, stats.slab, `${prefix}control_plane.`);
  }

  #clusterError(source: ApiConfigSource): string | undefined {
    const { staticClusters } = this.#parts.bootstrap;
    return sourceClusters(source)
      .filter((name) => !staticClusters.some(({ config }) => config.name === name))
      .map((name) => `unknown cluster '${name}', it must be a static one`)[0];
  }

  /** The longest of its clusters, as each of them may be the one that is tried. */
  #connectTimeoutMs(source: GrpcApiSource): number {
    const names = sourceClusters(source);
    const timeouts = this.#parts.bootstrap.staticClusters
      .filter(({ config }) => names.includes(config.name))
      .map(({ config }) => config.connectTimeoutMs);
    return Math.max(0, ...timeouts);
  }
}

/** The clusters that a source goes through. */
export function sourceClusters(source: ApiConfigSource): readonly string[] {
  if (source.apiType === "rest") return [source.clusterName];
  return source.services.flatMap(({ target }) =>
    target.kind === "cluster" ? [target.clusterName] : [],
  );
}

export function isDeltaApi({ apiType }: GrpcApiSource): boolean {
  return apiType === "deltaGrpc" || apiType === "aggregatedDeltaGrpc";
}

/** What a URL may hold as a host; other names of clusters are no `:authority`, and the endpoint stands in. */
const authorityPattern = /^[\w.-]+(:\d+)?$/;

/** Where a service is: asked for its hosts before each attempt. */
export function targetOf(service: GrpcService, hostsOf: HostsOf, tls: TlsClients): GrpcTarget {
  const { target, authority, initialMetadata } = service;
  const security = () => tls.ofService(service);
  if (target.kind === "uri")
    return { name: target.uri, endpoints: () => [target.uri], initialMetadata, security };
  const { clusterName } = target;
  const host = authority === "" ? clusterName : authority;
  return {
    name: clusterName,
    endpoints: () => hostsOf(clusterName).map(grpcAddress),
    initialMetadata,
    security,
    ...(authorityPattern.test(host) ? { authority: host } : {}),
  };
}

function grpcAddress({ address }: HostConfig): string {
  return address.kind === "ip" ? formatAddress(address) : `unix:${address.path}`;
}
