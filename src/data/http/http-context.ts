/**
 * What the connections of one HTTP connection manager share on one worker: its configuration made ready,
 * the route table of the moment, the scratch writer and the counts. One per filter chain and worker.
 */
import type { HttpConnectionManagerConfig } from "../../shared/config/http-config.ts";
import type { RouteConfig } from "../../shared/config/route-config.ts";
import type { Reactor } from "../../shared/io/reactor.ts";
import type { OnDemandWant } from "../../shared/protocol/on-demand.ts";
import { blockOf, type ListenerSlots } from "../../shared/protocol/worker-command.ts";
import { recordHistogram, type StatBlock } from "../../shared/stats/stat-group.ts";
import type { AccessLogger } from "../network/access-logger.ts";
import type { WorkerContext } from "../network/worker-context.ts";
import { DateHeader } from "./date-header.ts";
import { HttpFilterChain } from "./filters/filter-chain.ts";
import { RemoteLinesTable } from "./headers/forwarding-fields.ts";
import { HeaderCapture } from "./headers/header-capture.ts";
import { latin1 } from "./http1/ascii.ts";
import { HeadWriter } from "./http1/head-writer.ts";
import { requestHeadersLogged, responseHeadersLogged } from "./access-log/headers-used.ts";
import { RequestIds } from "./request-id.ts";
import { ActiveRequestPool } from "./active-request-pool.ts";
import { RequestComposer } from "./request-composer.ts";
import { RequestView } from "./request-view.ts";
import { ResponseComposer } from "./response-composer.ts";
import type { CompiledRoute } from "./router/compiled-route.ts";
import { RouteTable } from "./router/route-table.ts";
import { ScopedRouteTables } from "./scoped-route-tables.ts";
import { httpStat, listenerHttpStat, statusClass } from "./stat-offsets.ts";
import type { UpstreamEnvironment } from "./upstream/http1-pool.ts";
import { CopyBlocks } from "./upstream/request-copy.ts";

/** Longer ones are not asked for: a header may name them, and main keeps what was asked for. */
const clusterNameMax = 1_024;

export class HttpContext implements Disposable {
  readonly worker: WorkerContext;
  readonly reactor: Reactor;
  readonly config: HttpConnectionManagerConfig;
  readonly writer: HeadWriter;
  readonly dates: DateHeader;
  readonly requestIds: RequestIds;
  readonly copyBlocks = new CopyBlocks();
  readonly upstream: UpstreamEnvironment;
  /** The head that was parsed last. */
  readonly view: RequestView;
  readonly requestComposer: RequestComposer;
  readonly responseComposer: ResponseComposer;
  readonly requests: ActiveRequestPool;
  readonly remoteLines = new RemoteLinesTable();
  readonly requestCapture = new HeaderCapture();
  readonly responseCapture = new HeaderCapture();
  readonly filters: HttpFilterChain;
  /** `server: …` and `via: …` lines; empty where there is none. */
  readonly serverLine: Uint8Array;
  readonly viaLine: Uint8Array;
  /** Undefined: no `access_log`, so nothing is captured for one. */
  readonly accessLogger: (AccessLogger & Disposable) | undefined;
  readonly #values: Float64Array;
  readonly #http: StatBlock;
  readonly #listenerHttp: StatBlock;
  readonly #routesWatch: Disposable | undefined;
  /** Undefined: routes have no scopes, and `#table` is all there is. */
  #scoped: ScopedRouteTables | undefined;
  #table: RouteTable | undefined;

  constructor(config: HttpConnectionManagerConfig, worker: WorkerContext, slots: ListenerSlots) {
    this.config = config;
    this.worker = worker;
    this.reactor = worker.reactor;
    this.upstream = { reactor: worker.reactor, slab: worker.slab };
    this.writer = new HeadWriter(worker.reactor.arena);
    this.view = new RequestView(worker.reactor.arena.buffer, config);
    this.requestComposer = new RequestComposer(this);
    this.responseComposer = new ResponseComposer(this);
    this.requests = new ActiveRequestPool(this);
    this.dates = new DateHeader(worker.clock);
    this.requestIds = new RequestIds(worker.random);
    this.#values = worker.slab.values;
    // Slot 0 of a slab is a sink: a block that main did not allocate counts into nothing.
    this.#http = blockOf(slots.http, config.statPrefix);
    this.#listenerHttp = blockOf(slots.listenerHttp, config.statPrefix);
    this.filters = new HttpFilterChain(config.filters, {
      worker,
      slots,
      statPrefix: config.statPrefix,
      onHeadersUsed: (names) => this.requestCapture.want(names),
    });
    this.serverLine = latin1(`server: ${config.serverName}\r\n`);
    this.viaLine = latin1(config.via === "" ? "" : `via: ${config.via}\r\n`);
    if (config.accessLog.length > 0) {
      this.accessLogger = worker.createAccessLogger(config.accessLog, "downstreamEnd");
      this.requestCapture.want(requestHeadersLogged(config.accessLog));
      this.responseCapture.want(responseHeadersLogged(config.accessLog));
    }
    this.#routesWatch = this.#followRoutes();
  }

  /** For the head that was parsed last, at this moment; undefined: there is none, and the answer is 404. */
  routeTable(): RouteTable | undefined {
    return this.#scoped === undefined ? this.#table : this.#scoped.tableOf(this.view);
  }

  /** Tables are compiled as requests come, and with them the headers that are to be kept. */
  get isScoped(): boolean {
    return this.#scoped !== undefined;
  }

  /** No route was found: what the request could wait for, where it may wait. */
  missingRoute(): OnDemandWant | undefined {
    if (!this.mayWait) return undefined;
    return this.#scoped?.wantOf(this.view) ?? this.routeTable()?.wantOf(this.view);
  }

  /** The `on_demand` filter is there: requests may wait. */
  get mayWait(): boolean {
    return this.filters.current.onDemand !== undefined;
  }

  /** The route's cluster is not here: what the request could wait for, where it may wait. */
  missingCluster(route: CompiledRoute, cluster: string): OnDemandWant | undefined {
    const { onDemand } = this.filters.current;
    if (onDemand === undefined || cluster === "" || cluster.length > clusterNameMax)
      return undefined;
    const clusters = route.onDemandClusters(onDemand);
    return clusters && { kind: "cluster", ...clusters, cluster };
  }

  get isEnvoyHeadersSuppressed(): boolean {
    return this.filters.current.suppressesEnvoyHeaders;
  }

  count(offset: number): void {
    (this.#values[this.#http + offset] as number)++;
  }

  /** Also moves a gauge: several managers share one block, so nobody's size is the gauge. */
  add(offset: number, amount: number): void {
    (this.#values[this.#http + offset] as number) += amount;
  }

  record(offset: number, value: number): void {
    recordHistogram(this.#values, this.#http + offset, value);
  }

  /** A response went out, whole or at least begun. */
  countResponse(status: number): void {
    const offset = statusClass(status);
    (this.#values[this.#http + httpStat.rqCompleted] as number)++;
    (this.#values[this.#http + httpStat.rq1xx + offset] as number)++;
    (this.#values[this.#listenerHttp + listenerHttpStat.rqCompleted] as number)++;
    (this.#values[this.#listenerHttp + listenerHttpStat.rq1xx + offset] as number)++;
  }

  [Symbol.dispose](): void {
    this.#routesWatch?.[Symbol.dispose]();
    this.filters[Symbol.dispose]();
    this.#scoped?.[Symbol.dispose]();
    this.accessLogger?.[Symbol.dispose]();
  }

  #followRoutes(): Disposable | undefined {
    const { routes } = this.config;
    if (routes.kind === "scoped") {
      const keepHeaders = (names: readonly string[]): void => this.requestCapture.want(names);
      this.#scoped = new ScopedRouteTables(routes.config, this.worker, keepHeaders);
      return undefined;
    }
    if (routes.kind === "inline") {
      this.#setRoutes(routes.config);
      return undefined;
    }
    this.#setRoutes(this.worker.routes.get(routes.name));
    return this.worker.routes.watch(routes.name, (config, change) => {
      if (change && this.#table) this.requestCapture.want(this.#table.update(change));
      else this.#setRoutes(config);
    });
  }

  #setRoutes(config: RouteConfig | undefined): void {
    this.#table = config && new RouteTable(config, this.worker);
    if (this.#table !== undefined) this.requestCapture.want(this.#table.requestHeadersUsed);
  }
}
