/**
 * Where resources come from: the aggregated stream of the bootstrap's ADS cluster, or files. Managers get
 * sources to subscribe to and never learn which it was.
 */
import { of } from "rxjs";
import { formatAddress } from "../../shared/common/address.ts";
import type { HostConfig, LoadAssignment } from "../../shared/config/cluster-config.ts";
import type { EndpointSource } from "../cluster/host-source.ts";
import type { ConfigSource } from "../config/config-source.ts";
import type { DecodedRouteConfig } from "../config/decoded-route-config.ts";
import type { RouteSource } from "../listener/rds-api.ts";
import { aggregatedDiscovery } from "../proto/discovery-services.ts";
import { AdsMux } from "../xds/ads-mux.ts";
import { FileSource, filePathError } from "../xds/file-source.ts";
import { GrpcTransport } from "../xds/grpc-transport.ts";
import type { ResourceState, ResourceType } from "../xds/resource-batch.ts";
import type { XdsClient } from "../xds/xds-client.ts";
import type { XdsStats } from "../xds/xds-stats.ts";
import type { ControlPlaneParts } from "./control-plane.ts";
import { createXdsStats } from "./xds-stat-sink.ts";

type HostsOf = (cluster: string) => readonly HostConfig[];

export class XdsSources implements Disposable {
  readonly #parts: ControlPlaneParts;
  readonly #stats: XdsStats;
  readonly #ads: XdsClient | undefined;
  /** By type and path: a file holds one type. */
  readonly #files = new Map<string, FileSource>();

  /** `hostsOf`: the present hosts of a cluster, asked before each attempt to connect. */
  constructor(parts: ControlPlaneParts, hostsOf: HostsOf) {
    this.#parts = parts;
    this.#stats = createXdsStats(parts.slabs.store, parts.slabs.stats.slab);
    this.#ads = openAds(parts, this.#stats, hostsOf);
  }

  /** Who serves the type from this source, or why nobody does. */
  client(source: ConfigSource | undefined, type: ResourceType<unknown>): XdsClient | string {
    switch (source?.kind) {
      case "path":
        return this.#file(source, type);
      case "api":
        return "api_config_source is not built, use ads or path_config_source";
      case "ads":
      // The server that sent the resource, and there is one.
      case "self":
      case undefined:
        return this.#ads ?? "there is no ads_config";
      default:
        return source satisfies never;
    }
  }

  readonly endpoints: EndpointSource = ({ serviceName, source, statPrefix }) => {
    const type = this.#parts.decoders.endpoints;
    const client = this.client(source, type);
    return typeof client === "string"
      ? of<ResourceState<LoadAssignment>>(noSource(client))
      : client.resource$(type, serviceName, subscriptionOptions(source, statPrefix));
  };

  readonly routes: RouteSource = ({ routeConfigName, source, statPrefix }) => {
    const type = this.#parts.decoders.routes;
    const client = this.client(source, type);
    return typeof client === "string"
      ? of<ResourceState<DecodedRouteConfig>>(noSource(client))
      : client.resource$(type, routeConfigName, subscriptionOptions(source, statPrefix));
  };

  [Symbol.dispose](): void {
    this.#ads?.[Symbol.dispose]();
    for (const file of this.#files.values()) file[Symbol.dispose]();
  }

  #file(
    { path, watchedDirectory }: Extract<ConfigSource, { kind: "path" }>,
    { typeUrl }: ResourceType<unknown>,
  ): FileSource | string {
    const key = `${typeUrl} ${path}`;
    const known = this.#files.get(key);
    if (known) return known;
    const error = filePathError(path);
    if (error !== undefined) return error;
    const { decoders, clock, loggerOf } = this.#parts;
    const file = new FileSource({
      path,
      watchedDirectory,
      clock,
      protos: decoders.protos,
      stats: this.#stats,
      logger: loggerOf("config"),
    });
    this.#files.set(key, file);
    return file;
  }
}

function openAds(
  parts: ControlPlaneParts,
  stats: XdsStats,
  hostsOf: HostsOf,
): XdsClient | undefined {
  const { bootstrap, clock, random, loggerOf } = parts;
  const { ads } = bootstrap.dynamicResources;
  if (!ads) return undefined;
  const { clusterName } = ads.service;
  return new AdsMux({
    transport: new GrpcTransport({
      method: aggregatedDiscovery().stream,
      clusterName,
      endpoints: () => hostsOf(clusterName).map(grpcTarget),
    }),
    clock,
    random,
    stats,
    logger: loggerOf("config"),
    node: bootstrap.node.bytes,
    setNodeOnFirstMessageOnly: ads.setNodeOnFirstMessageOnly,
  });
}

function subscriptionOptions(source: ConfigSource | undefined, statPrefix: string) {
  return source
    ? { statPrefix, initialFetchTimeoutMs: source.initialFetchTimeoutMs }
    : { statPrefix };
}

/** The owner warms without it, and the reason is shown. */
function noSource(reason: string): ResourceState<never> {
  return { kind: "rejected", errors: [reason] };
}

function grpcTarget({ address }: HostConfig): string {
  return address.kind === "ip" ? formatAddress(address) : `unix:${address.path}`;
}
