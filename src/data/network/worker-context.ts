/** What every filter of a worker shares. One per thread, made by `connection-handler/worker-thread.ts`. */
import type { LoggerOf } from "../../shared/common/log.ts";
import type { Random } from "../../shared/common/random.ts";
import type { Clock } from "../../shared/common/clock.ts";
import type { HttpFilterModules } from "../../shared/http-filter/load-filters.ts";
import type { PlainHttpFilterConfig } from "../../shared/config/http-config.ts";
import type { RouteScope } from "../../shared/config/scoped-routes.ts";
import type { DiscoveredNetworkFilter } from "../../shared/protocol/worker-command.ts";
import type { OnDemandWant, WantOutcome } from "../../shared/protocol/on-demand.ts";
import type { RouteConfig, VirtualHostChange } from "../../shared/config/route-config.ts";
import type { Reactor } from "../../shared/io/reactor.ts";
import type { WorkerInit } from "../../shared/protocol/worker-init.ts";
import type { StatSlab } from "../../shared/stats/slab.ts";
import type { ClusterTable } from "../upstream/cluster-table.ts";
import type { Runtime } from "../upstream/worker-runtime.ts";
import type { CreateAccessLogger } from "./access-logger.ts";
import type { TlsContexts } from "./tls-contexts.ts";

export interface WorkerContext {
  readonly init: WorkerInit;
  readonly reactor: Reactor;
  readonly slab: StatSlab;
  /** The shared limits, for Atomics. */
  readonly limits: Int32Array;
  readonly clock: Clock;
  readonly random: Random;
  readonly runtime: Runtime;
  readonly loggerOf: LoggerOf;
  readonly clusters: ClusterTable;
  /** Route configurations by name, and who wants to know when one changes. */
  readonly routes: NamedValues<RouteConfig, VirtualHostChange>;
  /** Scopes of SRDS by the name of their set. */
  readonly scopes: ScopeTable;
  /** Requests that wait for what main is asked for. */
  readonly onDemand: OnDemandWaits;
  /** Configurations of HTTP filters that came by ECDS, by their ids. */
  readonly filterConfigs: NamedValues<PlainHttpFilterConfig>;
  /** Of files that `--http-filter` names. */
  readonly httpFilters: HttpFilterModules;
  readonly tls: TlsContexts;
  /** The same of network filters. Who is served by a version keeps main from letting go of what it needs. */
  readonly networkFilters: NamedValues<FilterVersion>;
  /** Generic secrets by their ids. */
  readonly secrets: NamedValues<string>;
  readonly createAccessLogger: CreateAccessLogger;
}

/** A network filter's configuration as it came once: connections stay with theirs to their end. */
export interface FilterVersion {
  readonly filter: DiscoveredNetworkFilter;
  /** Somebody is served by it, until the lease is disposed. */
  use(): Disposable;
}

/** What main tells of by name. */
export interface NamedValues<T, Change = never> {
  get(name: string): T | undefined;
  /** Calls at every change of `name`; undefined when it is removed. `change`: it is all that differs. */
  watch(name: string, onChange: (value: T | undefined, change?: Change) => void): Disposable;
}

export interface ScopeTable {
  /** The scope that has the key now. */
  find(set: string, key: string): RouteScope | undefined;
}

/** Who is told when main has answered a want. */
export interface OnDemandWaiter {
  onAnswered(outcome: WantOutcome): void;
}

export interface OnDemandWaits {
  /** False, and counted: as many as may wait do so already. One waiter waits for one thing at a time. */
  wait(want: OnDemandWant, waiter: OnDemandWaiter): boolean;
  /** It does not wait any more. */
  forget(want: OnDemandWant, waiter: OnDemandWaiter): void;
}
