/**
 * What the connections of one HTTP connection manager share on one worker: the live configuration of the moment, the
 * scratch writer and the counts. One per filter chain and worker.
 */
import type { HttpConnectionManagerConfig } from "../../shared/config/http-config.ts";
import type { Reactor } from "../../shared/io/reactor.ts";
import { neverOverloaded, type Overload, OverloadState } from "../../shared/protocol/overload.ts";
import { blockOf, type ListenerSlots } from "../../shared/protocol/worker-command.ts";
import { recordHistogram, type StatBlock } from "../../shared/stats/stat-group.ts";
import { loadShedStats, sluiceWorkerStats } from "../../shared/stats/stat-names.ts";
import type { WorkerContext } from "../network/worker-context.ts";
import type { ComposerContext } from "./composer/composer-context.ts";
import { DateHeader } from "./composer/date-header.ts";
import { RemoteLinesTable } from "./headers/forwarding-fields.ts";
import { HeaderCapture } from "./headers/header-capture.ts";
import { HeadWriter } from "./http1/head-writer.ts";
import { LiveConfig } from "./live-config.ts";
import type { RequestInfo } from "./request/request-info.ts";
import { RequestIds } from "./request/request-id.ts";
import { RequestComposer } from "./composer/request-composer.ts";
import { RequestView } from "./request/request-view.ts";
import { ResponseComposer } from "./composer/response-composer.ts";
import type { RouteTable } from "./router/route-table.ts";
import { httpStat, listenerHttpStat, statusClass } from "./stat-offsets.ts";
import type { UpstreamEnvironment } from "../network/upstream-transport.ts";
import { CopyBlocks } from "./upstream/request-copy.ts";

const filterFailures = sluiceWorkerStats.offset("http_filter_failures");
const shedLoad = loadShedStats.offset("shed_load_count");

export class HttpContext implements ComposerContext, Disposable {
  readonly worker: WorkerContext;
  readonly reactor: Reactor;
  /** Its clients speak TLS. */
  readonly isTls: boolean;
  readonly writer: HeadWriter;
  readonly dates: DateHeader;
  readonly requestIds: RequestIds;
  readonly copyBlocks = new CopyBlocks();
  readonly upstream: UpstreamEnvironment;
  /** The head that was parsed last. */
  readonly view: RequestView;
  readonly requestComposer: RequestComposer;
  readonly responseComposer: ResponseComposer;
  readonly remoteLines = new RemoteLinesTable();
  readonly requestCapture = new HeaderCapture();
  readonly responseCapture = new HeaderCapture();
  readonly trailerCapture = new HeaderCapture();
  readonly #overload: Overload;
  readonly #values: Float64Array;
  readonly #http: StatBlock;
  readonly #listenerHttp: StatBlock;
  readonly #http1: StatBlock;
  readonly #http2: StatBlock;
  #live: LiveConfig;
  #filterFailures = 0;

  constructor(
    config: HttpConnectionManagerConfig,
    worker: WorkerContext,
    slots: ListenerSlots,
    isTls: boolean,
  ) {
    this.worker = worker;
    this.isTls = isTls;
    this.reactor = worker.reactor;
    this.upstream = worker;
    this.writer = new HeadWriter(worker.reactor.arena);
    this.view = new RequestView(worker.reactor.arena.buffer, this);
    this.requestComposer = new RequestComposer(this);
    this.responseComposer = new ResponseComposer(this);
    this.dates = new DateHeader(worker.clock);
    this.requestIds = new RequestIds(worker.random);
    this.#overload = slots.bypassesOverload
      ? neverOverloaded
      : new OverloadState(worker.limits, worker.random);
    this.#values = worker.slab.values;
    // Slot 0 of a slab is a sink: a block that main did not allocate counts into nothing.
    this.#http = blockOf(slots.http, config.statPrefix);
    this.#listenerHttp = blockOf(slots.listenerHttp, config.statPrefix);
    this.#http1 = slots.http1;
    this.#http2 = slots.http2;
    this.#live = this.#makeReady(config, slots);
  }

  /** What requests that begin now have. */
  get live(): LiveConfig {
    return this.#live;
  }

  /** Of it, what holds for connections is the same in every version. */
  get config(): HttpConnectionManagerConfig {
    return this.#live.config;
  }

  /** The same manager, but for what each request reads anew: the next ones have it. */
  adopt(config: HttpConnectionManagerConfig, slots: ListenerSlots): void {
    const before = this.#live;
    this.#live = this.#makeReady(config, slots);
    before.retire();
  }

  /** For the head that was parsed last, at this moment; undefined: there is none, and the answer is 404. */
  routeTable(): RouteTable | undefined {
    return this.#live.routeTable(this.view);
  }

  /** The `on_demand` filter is there: requests may wait, chunked ones too, which are no upgrades. */
  get mayWait(): boolean {
    return this.#live.filters.current.onDemand !== undefined;
  }

  /** The overload manager wants this request refused; counted. */
  shedsRequest(): boolean {
    const isShedPoint = this.#overload.isOn("decodeHeaders");
    if (!isShedPoint && !this.#overload.isOn("stopAcceptingRequests")) return false;
    if (isShedPoint) this.worker.slab.add(this.worker.init.slots.overload.headers, shedLoad);
    this.count(httpStat.rqOverloadClose);
    return true;
  }

  /** It wants this connection to end with its next response. */
  endsKeepAlive(): boolean {
    return this.#overload.isOn("disableHttpKeepalive");
  }

  /** A filter of a user's has thrown: counted, and told ever more rarely, for it may be each request. */
  onFilterFailed(filter: string, error: unknown): void {
    this.worker.slab.add(this.worker.init.slots.sluice, filterFailures);
    const times = ++this.#filterFailures;
    if ((times & (times - 1)) !== 0) return;
    const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
    const often = times === 1 ? "" : ` (${times} failures of filters so far)`;
    this.worker.loggerOf("filter").warning(`HTTP filter ${filter} has failed${often}: ${reason}`);
  }

  count(offset: number): void {
    (this.#values[this.#http + offset] as number)++;
  }

  /** Also moves a gauge: several managers share one block, so nobody's size is the gauge. */
  add(offset: number, amount: number): void {
    (this.#values[this.#http + offset] as number) += amount;
  }

  /** Of the codec, whatever the manager. */
  countHttp1(offset: number): void {
    (this.#values[this.#http1 + offset] as number)++;
  }

  countHttp2(offset: number): void {
    (this.#values[this.#http2 + offset] as number)++;
  }

  addHttp2(offset: number, amount: number): void {
    (this.#values[this.#http2 + offset] as number) += amount;
  }

  record(offset: number, value: number): void {
    recordHistogram(this.#values, this.#http + offset, value);
  }

  /** A request that ends amid its answer. Envoy counts resets of either side where it hears of them, ours among them. */
  countReset(): void {
    this.count(httpStat.rqRxReset);
    this.count(httpStat.rqTxReset);
  }

  /** A request that was answered before it was whole: nobody will read the rest, as above. */
  countEarlyEnd(): void {
    this.count(httpStat.rqResponseBeforeComplete);
    this.count(httpStat.rqRxReset);
  }

  /** A response went out, whole or at least begun. */
  countResponse({ responseCode, startMs, endMs }: RequestInfo): void {
    const offset = statusClass(responseCode);
    this.record(httpStat.rqTime, endMs - startMs);
    (this.#values[this.#http + httpStat.rqCompleted] as number)++;
    (this.#values[this.#http + httpStat.rq1xx + offset] as number)++;
    (this.#values[this.#listenerHttp + listenerHttpStat.rqCompleted] as number)++;
    (this.#values[this.#listenerHttp + listenerHttpStat.rq1xx + offset] as number)++;
  }

  [Symbol.dispose](): void {
    this.#live.retire();
  }

  #makeReady(config: HttpConnectionManagerConfig, slots: ListenerSlots): LiveConfig {
    const { worker, requestCapture, responseCapture, trailerCapture } = this;
    const captures = { requestCapture, responseCapture, trailerCapture };
    return new LiveConfig(config, { worker, slots, ...captures });
  }
}
