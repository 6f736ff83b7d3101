/**
 * All that main says to a worker. Plain, structured-clonable values; a worker handles them in order.
 * A command with a `reply` number is answered by `{ kind: "done", reply }` once it is carried out.
 */
import type { SocketAddress } from "../common/address.ts";
import type { DrainId, ListenerTag } from "../common/brand.ts";
import type { ClusterConfig, HostConfig } from "../config/cluster-config.ts";
import type { PlainHttpFilterConfig } from "../config/http-config.ts";
import type { ListenerConfig, PlainNetworkFilterConfig } from "../config/listener-config.ts";
import type { RouteConfig, VirtualHostChange } from "../config/route-config.ts";
import type { RuntimeValues } from "../config/runtime-values.ts";
import type { RouteScope } from "../config/scoped-routes.ts";
import type { ServerTlsConfig, ClientTlsConfig } from "../config/tls-config.ts";
import type { DrainStart } from "../drain/drain.ts";
import type { ServerDrainScope } from "../drain/server-drain-scope.ts";
import type { ListenSocketRef } from "../io/reactor.ts";
import type { StatBlock } from "../stats/stat-group.ts";
import type { MovedConnection } from "./moved-connection.ts";
import type { OnDemandWant, WantOutcome } from "./on-demand.ts";

/** Matches a command with its `done`; 0 asks for none. */
export type ReplyId = number;

export type WorkerCommand =
  | AddListener
  | UpdateFilterChains
  | ListenerConfigReply
  | StopListener
  | ReopenListener
  | StartDrain
  | DrainConnections
  /** For all its connections. `tellsNow`: whoever was not told is; otherwise when each is told stays as it was. */
  | {
      readonly kind: "moveDrainDeadline";
      readonly drain: DrainId;
      readonly deadlineMs: number;
      readonly tellsNow: boolean;
    }
  /** Cuts what remains in it, whatever its policy leaves to finish. */
  | { readonly kind: "endDrain"; readonly drain: DrainId; readonly reply: ReplyId }
  /** Answered by `drainCancelled`, behind the last report of its counts; 0 asks for no answer. */
  | { readonly kind: "cancelDrain"; readonly drain: DrainId; readonly question: number }
  /** Answered by `remaining`: at most `limit` connections, oldest first. */
  | {
      readonly kind: "listRemaining";
      readonly drain: DrainId;
      readonly limit: number;
      readonly question: number;
    }
  /** Answered by `connectionCounts`: of the filter chains of the listener. */
  | { readonly kind: "countConnections"; readonly tag: ListenerTag; readonly question: number }
  | RemoveListener
  | SetCluster
  | SetHosts
  | { readonly kind: "removeCluster"; readonly name: string; readonly reply: ReplyId }
  | SetGrpcStats
  | { readonly kind: "setRoutes"; readonly config: RouteConfig }
  | { readonly kind: "removeRoutes"; readonly name: string }
  /**
   * By ECDS; requests and connections that begin from now on have it. Removed: the fallback. Done when nothing is
   * served any more by the one before it.
   */
  | {
      readonly kind: "setFilterConfig";
      readonly id: string;
      readonly filter: DiscoveredFilter;
      readonly reply: ReplyId;
    }
  | { readonly kind: "removeFilterConfig"; readonly id: string; readonly reply: ReplyId }
  /** A generic secret that a filter's configuration names by its id; requests see it from now on. */
  | { readonly kind: "setSecret"; readonly id: string; readonly text: string }
  | { readonly kind: "removeSecret"; readonly id: string }
  | SetTls
  | { readonly kind: "removeTls"; readonly side: TlsSide; readonly id: string }
  | SetVirtualHosts
  | SetScopes
  | { readonly kind: "removeScopes"; readonly name: string }
  /** Whoever waits for it looks again: all that there is to it was sent before. */
  | { readonly kind: "answered"; readonly want: OnDemandWant; readonly outcome: WantOutcome }
  /** All of them: a key that is missing has no value any more. */
  | { readonly kind: "setRuntime"; readonly values: RuntimeValues }
  /** `/healthcheck/fail` and `/ok`: connections of listeners with DrainType default answer `connection: close`. */
  | { readonly kind: "setHealthCheckFailed"; readonly failed: boolean }
  | StartServerDrain
  /** SIGUSR1 and `/reopen_logs`: access logs go on in the files that have the names now. */
  | { readonly kind: "reopenLogs" }
  /** Closes every connection and ends the thread; answered by `exited`. */
  | { readonly kind: "shutdown" }
  /** Watchdog. */
  | { readonly kind: "ping"; readonly reply: ReplyId }
  /** False: who connects waits in the accept queues, but at listeners that bypass the overload manager. */
  | { readonly kind: "setAccepting"; readonly isAccepting: boolean }
  /** Of all listeners, while the next generation of the process serves. Done when nobody is on the way to another worker. */
  | { readonly kind: "pauseAccepting"; readonly isPaused: boolean; readonly reply: ReplyId }
  | { readonly kind: "shrinkHeap" }
  /** Answered by `connectionsGiven`, some at a time and as each can leave: it is not the worker's any more then. */
  | { readonly kind: "giveConnections"; readonly tag: ListenerTag }
  /** As if the listener had accepted them, whatever the limits. */
  | {
      readonly kind: "adoptConnections";
      readonly tag: ListenerTag;
      readonly connections: readonly MovedConnection[];
      /** Undefined: they come from another process. Otherwise they are back, and counted there (`connectionsGiven`). */
      readonly countedAt: number | undefined;
      /** The other process does not take them: they are not given again. */
      readonly stays: boolean;
      readonly reply: ReplyId;
    }
  /** Another worker is gone: nothing is handed to it any more, and nothing of it is waited for. */
  | { readonly kind: "workerLost"; readonly worker: number };

/**
 * By stat prefix, mostly one. Pairs: objects with a key of their own each would have a shape of their own
 * each, and ten thousand shapes are dear to clone and to keep.
 */
export type BlocksByPrefix = readonly (readonly [statPrefix: string, block: StatBlock])[];

/** 0, the sink, for a prefix that is not there. */
export function blockOf(blocks: BlocksByPrefix, statPrefix: string): StatBlock {
  return blocks.find(([prefix]) => prefix === statPrefix)?.[1] ?? 0;
}

/** `tlsStats` and `tlsFactoryStats`. */
export interface TlsBlocks {
  readonly connection: StatBlock;
  readonly factory: StatBlock;
}

export const noTlsBlocks: TlsBlocks = { connection: 0, factory: 0 };

export type DiscoveredFilter =
  | { readonly category: "http"; readonly config: PlainHttpFilterConfig }
  | DiscoveredNetworkFilter;

export interface DiscoveredNetworkFilter {
  readonly category: "network";
  readonly config: PlainNetworkFilterConfig;
  /** The listeners that use it did not know what it would count. */
  readonly slots: FilterSlots;
}

/** What network filters count, whatever the listener. */
export interface FilterSlots {
  /** `http.<stat_prefix>.` and `tcp.<stat_prefix>.`. */
  readonly http: BlocksByPrefix;
  readonly tcp: BlocksByPrefix;
  /** `http1.` and `http2.`: one each for all listeners. */
  readonly http1: StatBlock;
  readonly http2: StatBlock;
  /** `http.<stat_prefix>.credential_injector.`, where a filter chain may hold one. */
  readonly credentialInjector: BlocksByPrefix;
  /** `tcp.<stat_prefix>.on_demand_cluster_*`, of TCP proxies that may wait for their cluster. */
  readonly tcpOnDemand: BlocksByPrefix;
}

/** Shared counters of a token bucket: one number of 64 bits. */
export const tokenBucketSlots = 2;

/** Slots and limits that main allocated for the listener, known before the worker starts to count. */
export interface ListenerSlots extends FilterSlots {
  /** Of listener filters: by the whole prefix of their stats. */
  readonly listenerFilters: BlocksByPrefix;
  readonly listener: StatBlock;
  /** `listener.<address>.worker_N.`, one a worker. */
  readonly worker: StatBlock;
  readonly listenerHttp: BlocksByPrefix;
  /** `listener.<address>.`, and `server_ssl_socket_factory.` below it; 0 where no filter chain speaks TLS. */
  readonly tls: TlsBlocks;
  /** Index into the shared limits of the listener's connection count. */
  readonly connectionCount: number;
  /** Even: of the first counter of its token buckets, `tokenBucketSlots` each, in the order of its filters. */
  readonly tokenBuckets: number;
  /** The listener's name, under which runtime may limit its connections; a lazy one has no configuration to ask. */
  readonly name: string;
  /** `ignore_global_conn_limit`: its connections count towards the limit of the process and are not bound by it. */
  readonly ignoresGlobalLimit: boolean;
  /** `bypass_overload_manager`. */
  readonly bypassesOverload: boolean;
}

export interface AddListener {
  readonly kind: "addListener";
  readonly tag: ListenerTag;
  /** Undefined beyond the lazy threshold: the worker asks at the first connection. */
  readonly config: ListenerConfig | undefined;
  readonly sockets: readonly ListenSocketRef[];
  /** `bind_to_port: false`: where it would be bound. Connections to there are handed to it by other listeners. */
  readonly unboundAddresses: readonly SocketAddress[];
  readonly slots: ListenerSlots;
  readonly reply: ReplyId;
}

/** In-place update: same tag, same sockets; connections of unchanged chains stay on them. */
export interface UpdateFilterChains {
  readonly kind: "updateFilterChains";
  readonly tag: ListenerTag;
  readonly config: ListenerConfig | undefined;
  readonly slots: ListenerSlots;
  readonly reply: ReplyId;
}

/** Answers the event `listenerConfigWanted`. */
export interface ListenerConfigReply {
  readonly kind: "listenerConfig";
  readonly tag: ListenerTag;
  readonly config: ListenerConfig;
}

/**
 * Stops accepting. `emptyQueue`: accept until EAGAIN first and serve those, so that no connection in
 * the accept queue is reset; main asks exactly one worker for it, after the others have answered.
 */
export interface StopListener {
  readonly kind: "stopListener";
  readonly tag: ListenerTag;
  readonly emptyQueue: boolean;
  /**
   * Handles of its sockets that main has disowned and nobody else holds: closed in the same breath as
   * their queue is emptied, because a close from another thread comes late enough to reset connections.
   */
  readonly closing?: readonly number[];
  readonly reply: ReplyId;
}

/** One that was stopped accepts again, on other sockets. */
export interface ReopenListener {
  readonly kind: "reopenListener";
  readonly tag: ListenerTag;
  readonly sockets: readonly ListenSocketRef[];
  readonly reply: ReplyId;
}

/** Drains the connections of a listener, or of some of its filter chains only. */
export interface StartDrain {
  readonly kind: "startDrain";
  readonly tag: ListenerTag;
  /** Ids of chains; undefined: the whole listener. */
  readonly filterChains: readonly string[] | undefined;
  readonly drain: DrainStart;
}

/** A server-wide drain: of the listeners that it concerns, and of those that come while it lasts. */
export interface StartServerDrain {
  readonly kind: "startServerDrain";
  readonly drain: DrainStart;
  readonly scope: ServerDrainScope;
}

/** Drains a share of the connections that a listener has now; it goes on accepting, and who comes is not in it. */
export interface DrainConnections {
  readonly kind: "drainConnections";
  readonly tag: ListenerTag;
  /** Ids of chains; undefined: whatever the chain. */
  readonly filterChains: readonly string[] | undefined;
  /** Above 0, at most 1. */
  readonly share: number;
  readonly drain: DrainStart;
}

/** Cuts what is left and forgets the listener. */
export interface RemoveListener {
  readonly kind: "removeListener";
  readonly tag: ListenerTag;
  readonly reply: ReplyId;
}

/** Adds or replaces; a replaced cluster's connections are drained, its hosts come with it. */
export interface SetCluster {
  readonly kind: "setCluster";
  readonly config: ClusterConfig;
  readonly hosts: readonly HostConfig[];
  /** Where each host is counted (`hostStats`), in the order of the hosts. */
  readonly hostBlocks: readonly StatBlock[];
  readonly stats: StatBlock;
  /** `clusterMembershipStats`: main's, but of hosts that workers make themselves. */
  readonly membership: StatBlock;
  readonly tls: TlsBlocks;
  /** `cluster.<name>.http1.`, and the same of `http2.`; 0 where it speaks the other one alone. */
  readonly http1: StatBlock;
  readonly http2: StatBlock;
  /** First of the cluster's shared counters, in the order of `clusterLimitOffsets`. */
  readonly limits: number;
}

export interface SetHosts {
  readonly kind: "setHosts";
  readonly cluster: string;
  readonly hosts: readonly HostConfig[];
  readonly hostBlocks: readonly StatBlock[];
}

/** Answers the event `grpcStatsWanted`. */
export interface SetGrpcStats {
  readonly kind: "setGrpcStats";
  readonly cluster: string;
  readonly prefix: string;
  /** `grpcCallStats`. */
  readonly block: StatBlock;
}

/**
 * Before the first listener or cluster that names the id, and again at every rotation. A handshake that begins after the
 * reply is served by it; connections that are there stay as they are.
 */
export interface SetTls {
  readonly kind: "setTls";
  readonly context: TlsContextConfig;
  readonly reply: ReplyId;
}

/** Ids of the two sides are apart. */
export type TlsContextConfig =
  | { readonly side: "server"; readonly id: string; readonly config: ServerTlsConfig }
  | { readonly side: "client"; readonly id: string; readonly config: ClientTlsConfig };

export type TlsSide = TlsContextConfig["side"];

/** By VHDS: of a route configuration that discovers them, and is there. */
export interface SetVirtualHosts extends VirtualHostChange {
  readonly kind: "setVirtualHosts";
  readonly routes: string;
}

/** Scopes of one set that changed, all at once: no request sees a key that moves to another scope missing. */
export interface SetScopes {
  readonly kind: "setScopes";
  readonly name: string;
  readonly changed: readonly RouteScope[];
  /** Names; they go first. */
  readonly removed: readonly string[];
}

/** Shared counters of a cluster, Int32, exact over all workers; `high` follows `default`. */
export const clusterLimitOffsets = { connections: 0, pending: 1, requests: 2, retries: 3 } as const;
export const clusterLimitSlots = 8;
