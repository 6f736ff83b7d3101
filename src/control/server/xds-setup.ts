/**
 * Where resources come from: the aggregated stream, a server of one type, a polled one, a file. Managers get
 * sources to subscribe to and never learn which it was.
 */
import { type Observable, finalize, of } from "rxjs";
import { assert } from "../../shared/common/assert.ts";
import type { EndpointSource } from "../cluster/host-source.ts";
import type { ClusterFeed } from "../cluster/odcds-api.ts";
import { authoritySource } from "../config/authorities.ts";
import { collectionOfNode } from "../config/collections.ts";
import type { ConfigSource } from "../config/config-source.ts";
import type { DecodedRouteConfig } from "../config/decoded-route-config.ts";
import type { DecodedExtensionConfig } from "../config/extension-config.ts";
import type { DecodedSecret } from "../config/secret-config.ts";
import type { ExtensionSource } from "../listener/ecds-api.ts";
import { extensionStatPrefix } from "../listener/extension-stats.ts";
import { type RouteSource, unknownClusterOf } from "../listener/rds-api.ts";
import type { VirtualHostSource } from "../listener/vhds-api.ts";
import type { ScopeSource } from "../listener/scoped-rds-api.ts";
import type { ResourceState, ResourceType } from "../xds/resource-batch.ts";
import { readClusterFeed } from "../config/on-demand-clusters.ts";
import type { SecretSource } from "../secret/secret-manager.ts";
import type { SubscriptionOptions, XdsClient } from "../xds/xds-client.ts";
import type { RuntimeSource } from "../runtime/rtds-api.ts";
import type { XdsStatus } from "../xds/xds-status.ts";
import type { ControlPlaneParts } from "./control-plane-parts.ts";
import { CollectionClients } from "./collection-clients.ts";
import type { TlsClients } from "./tls-clients.ts";
import { type ClientsOfSources, type HostsOf, isDeltaApi, XdsClients } from "./xds-clients.ts";

/** What sources ask of the managers, which are there before the first stream is. */
interface KnownToManagers {
  /** Those present now. */
  readonly hosts: HostsOf;
  readonly tls: TlsClients;
  /** Active or warming. */
  readonly hasCluster: (cluster: string) => boolean;
  /** What is wrong with a secret or a filter's configuration that was pushed; empty: nothing. */
  readonly judgeSecret: (secret: DecodedSecret) => readonly string[];
  readonly judgeExtension: (config: DecodedExtensionConfig) => readonly string[];
  /** Of the name one came that could not be read. */
  readonly onUnreadExtension: (name: string) => void;
}

interface Judge<T> {
  /** What is wrong with a resource; empty: nothing. */
  readonly judge: (value: T) => readonly string[];
  /** One of the name could not be read. */
  readonly onUnread?: (name: string) => void;
}

export class XdsSources implements Disposable {
  readonly #parts: ControlPlaneParts;
  readonly #clients: XdsClients;
  readonly #known: KnownToManagers;
  readonly #scopeCollections: CollectionClients;
  /** By client, the types whose resources are judged before a push is answered. */
  readonly #checked = new Map<XdsClient, Set<ResourceType<unknown>>>();

  constructor(parts: ControlPlaneParts, known: KnownToManagers) {
    this.#parts = parts;
    this.#known = known;
    this.#clients = new XdsClients(parts, known.hosts, known.tls);
    this.#scopeCollections = new CollectionClients((client) => this.#clients.close(client));
  }

  status(): readonly XdsStatus[] {
    return this.#clients.status();
  }

  /** Who serves the type from this source, or why nobody does. */
  client(source: ConfigSource | undefined, type: ResourceType<unknown>): XdsClient | string {
    return this.#clientFrom(this.#clients, source, type);
  }

  #clientFrom(
    clients: ClientsOfSources,
    source: ConfigSource | undefined,
    type: ResourceType<unknown>,
  ): XdsClient | string {
    switch (source?.kind) {
      case "path":
        return clients.ofFile(source, type);
      case "api":
        return clients.ofApi(source.api, type);
      case "ads":
      case "self":
      case undefined: {
        const { ads } = this.#parts.bootstrap.dynamicResources;
        return ads ? clients.aggregated(ads) : "there is no ads_config";
      }
      default:
        return source satisfies never;
    }
  }

  /** As `client`, for one resource: an `xdstp` name may have a server of its own. */
  clientOf(
    name: string,
    source: ConfigSource | undefined,
    type: ResourceType<unknown>,
  ): XdsClient | string {
    const own = authoritySource(name, this.#parts.bootstrap.authorities);
    return own ? this.#clients.aggregated(own) : this.client(source, type);
  }

  /** `self` is the server that sent the resource which says so: `parent` says where that was. */
  #resolved(
    source: ConfigSource | undefined,
    parent: ConfigSource | undefined,
  ): ConfigSource | undefined {
    if (source?.kind !== "self" || parent?.kind !== "api") return source;
    return { ...parent, initialFetchTimeoutMs: source.initialFetchTimeoutMs };
  }

  readonly endpoints: EndpointSource = ({ serviceName, source, statPrefix }) => {
    const type = this.#parts.decoders.endpoints;
    const { cds } = this.#parts.bootstrap.dynamicResources;
    const client = this.clientOf(serviceName, this.#resolved(source, cds), type);
    return this.#awaited(client, type, serviceName, subscriptionOptions(source, statPrefix));
  };

  readonly demandedClusters: ClusterFeed = (feed, name) => {
    const type = this.#parts.decoders.clusters;
    const source = readClusterFeed(feed);
    const { lds, ads } = this.#parts.bootstrap.dynamicResources;
    const isAuthoritative = authoritySource(name, this.#parts.bootstrap.authorities) !== undefined;
    if (source === undefined && !isAuthoritative)
      return "the filter names none, and the cluster's name no authority";
    const resolved = this.#resolved(source, lds);
    if (!isAuthoritative && resolved?.kind !== "api" && ads && !isDeltaApi(ads))
      return "odcds: ADS must use DELTA_GRPC api_type when clusters are asked for on demand";
    const client = this.clientOf(name, resolved, type);
    if (typeof client === "string") return client;
    // Requests wait for it, and give it up when they have waited long enough.
    const options = { initialFetchTimeoutMs: 0, statPrefix: "cluster_manager.odcds." };
    return client.resource$(type, name, options);
  };

  readonly routes: RouteSource = ({ routeConfigName, source, statPrefix }) => {
    const type = this.#parts.decoders.routes;
    const { lds } = this.#parts.bootstrap.dynamicResources;
    const client = this.clientOf(routeConfigName, this.#resolved(source, lds), type);
    this.#check(client, type, {
      judge: (routes) => {
        const unknown = unknownClusterOf(routes, this.#known.hasCluster);
        const errors = unknown === undefined ? [] : [`route: unknown cluster '${unknown}'`];
        return [this.#vhdsError(routes) ?? [], errors].flat();
      },
    });
    return this.#awaited(client, type, routeConfigName, subscriptionOptions(source, statPrefix));
  };

  readonly secrets: SecretSource = ({ name, source }) => {
    const type = this.#parts.decoders.secrets;
    const { lds } = this.#parts.bootstrap.dynamicResources;
    const client = this.client(this.#resolved(source, lds), type);
    this.#check(client, type, { judge: this.#known.judgeSecret });
    return this.#awaited(client, type, name, subscriptionOptions(source));
  };

  readonly extensions: ExtensionSource = (subscription) => {
    const { name, source } = subscription;
    const type = this.#parts.decoders.extensions;
    const { lds } = this.#parts.bootstrap.dynamicResources;
    const client = this.client(this.#resolved(source, lds), type);
    const { judgeExtension: judge, onUnreadExtension: onUnread } = this.#known;
    this.#check(client, type, { judge, onUnread });
    const statPrefix = extensionStatPrefix(subscription);
    return this.#awaited(client, type, name, subscriptionOptions(source, statPrefix));
  };

  readonly virtualHosts: VirtualHostSource = (source, statPrefix) => {
    const type = this.#parts.decoders.virtualHosts;
    const client = this.client(source, type);
    if (typeof client === "string") return client;
    return {
      batches: client.changes$(type, subscriptionOptions(source, statPrefix)),
      whenAnswered: () => this.#parts.gate.whenAnswered(client, type),
      // Requests wait for it, and give it up when they have waited long enough.
      named: (name) => client.resource$(type, name, { initialFetchTimeoutMs: 0 }),
    };
  };

  readonly scopes: ScopeSource = (source, statPrefix) => {
    const type = this.#parts.decoders.scopes;
    const { lds } = this.#parts.bootstrap.dynamicResources;
    const resolved = this.#resolved(source, lds);
    const main = this.client(resolved, type);
    if (typeof main === "string") return main;
    const { nodeParams } = this.#parts.bootstrap.dynamicResources;
    const collection = collectionOfNode(source.collection, nodeParams);
    const held = this.#scopeCollections.acquire(main, collection, () => {
      const another = this.#clientFrom(this.#clients.apart(statPrefix), resolved, type);
      assert(typeof another !== "string", "the server has a client");
      return another;
    });
    const { client } = held;
    const options = { ...subscriptionOptions(source, statPrefix), collection };
    return {
      batches: client.changes$(type, options).pipe(finalize(() => held[Symbol.dispose]())),
      whenAnswered: () => this.#parts.gate.whenAnswered(client, type),
    };
  };

  readonly runtime: RuntimeSource = ({ resource, source }) => {
    const type = this.#parts.decoders.runtimes;
    const client = this.client(source, type);
    if (typeof client === "string") return client;
    return this.#awaited(client, type, resource, subscriptionOptions(source, "runtime."));
  };

  [Symbol.dispose](): void {
    this.#clients[Symbol.dispose]();
  }

  /** One that somebody warms on. Without a source it is warmed without, and the reason is shown. */
  #awaited<T>(
    client: XdsClient | string,
    type: ResourceType<T>,
    name: string,
    options: SubscriptionOptions,
  ): Observable<ResourceState<T>> {
    const states =
      typeof client === "string"
        ? of<ResourceState<T>>({ kind: "rejected", errors: [client] })
        : client.resource$(type, name, options);
    return this.#parts.gate.states(type, name, states);
  }

  /** What is refused here is seen by nobody, and joins the NACK: once for each client and type. */
  #check<T>(
    client: XdsClient | string,
    type: ResourceType<T>,
    { judge, onUnread }: Judge<T>,
  ): void {
    if (typeof client === "string") return;
    const types = this.#checked.get(client) ?? new Set();
    this.#checked.set(client, types);
    if (types.has(type)) return;
    types.add(type);
    client.changes$(type).subscribe((batch) => {
      for (const { name } of batch.rejected) onUnread?.(name);
      for (const { name, value } of batch.changed)
        for (const error of judge(value)) batch.refuse(name, error);
    });
  }

  /** In Envoy's words. */
  #vhdsError({ vhds }: DecodedRouteConfig): string | undefined {
    if (vhds?.kind !== "ads") return undefined;
    const { ads } = this.#parts.bootstrap.dynamicResources;
    if (!ads) return "vhds: ADS config source specified but no ADS configured in bootstrap.";
    return isDeltaApi(ads)
      ? undefined
      : "vhds: ADS must use DELTA_GRPC api_type when used as VHDS config source.";
  }
}

function subscriptionOptions(
  source: ConfigSource | undefined,
  statPrefix?: string,
): SubscriptionOptions {
  return {
    ...(statPrefix === undefined ? {} : { statPrefix }),
    ...(source ? { initialFetchTimeoutMs: source.initialFetchTimeoutMs } : {}),
  };
}
