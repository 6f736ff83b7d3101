/** What a connection to a host counts: of the cluster, of the host, and what its end was. */
import type { CloseReason } from "../../../shared/io/reactor.ts";
import type { UpstreamEnvironment } from "../../network/upstream-transport.ts";
import type { UpstreamHost } from "../../upstream/cluster-table.ts";
import { clusterStat, hostStat, statusCodeOffset } from "../stat-offsets.ts";
import type { ResetReason } from "./reset-reason.ts";

/** What Envoy's pool counts of a request that ended before its time; others are counted where they arise. */
const resetStats: Readonly<Partial<Record<ResetReason, number>>> = {
  connectionTermination: clusterStat.rqPendingFailureEject,
  remoteReset: clusterStat.rqRxReset,
  protocolError: clusterStat.rqTxReset,
};

export class ConnectionCounts {
  readonly #host: UpstreamHost;
  readonly #environment: UpstreamEnvironment;
  readonly #startMs: number;

  constructor(host: UpstreamHost, environment: UpstreamEnvironment, startMs: number) {
    this.#host = host;
    this.#environment = environment;
    this.#startMs = startMs;
  }

  opened(): void {
    this.count(clusterStat.cxTotal);
    this.came();
  }

  /** From another process, which has counted that it was opened. A host's counts are each process's own. */
  came(): void {
    this.countHost(hostStat.cxTotal);
    this.#host.cluster.activity.connectionOpened();
  }

  connected(): void {
    const { reactor, slab } = this.#environment;
    slab.record(this.#host.cluster.stats, clusterStat.cxConnectMs, reactor.nowMs - this.#startMs);
  }

  closed(reason: CloseReason, isByUs: boolean): void {
    const { reactor, slab } = this.#environment;
    const isRemote = reason === "remote" || reason === "reset" || !isByUs;
    this.left();
    this.count(clusterStat.cxDestroy);
    this.count(isRemote ? clusterStat.cxDestroyRemote : clusterStat.cxDestroyLocal);
    slab.record(this.#host.cluster.stats, clusterStat.cxLengthMs, reactor.nowMs - this.#startMs);
  }

  /** For another process, which will count how it ends. */
  left(): void {
    this.#host.cluster.activity.connectionClosed();
    this.countHost(hostStat.cxEnded);
  }

  /** The connection ended with requests on it. */
  destroyedWithRequest(isByUs: boolean): void {
    this.count(clusterStat.cxDestroyActiveRq);
    this.count(isByUs ? clusterStat.cxDestroyLocalActiveRq : clusterStat.cxDestroyRemoteActiveRq);
  }

  requestBegan(): void {
    this.count(clusterStat.rqTotal);
    this.requestCame();
  }

  /** As `came`. */
  requestCame(): void {
    this.#host.activeRequests++;
    this.#host.cluster.activity.requestStarted();
    this.countHost(hostStat.rqTotal);
  }

  requestEnded(): void {
    this.#host.activeRequests--;
    this.#host.cluster.activity.requestEnded();
    this.countHost(hostStat.rqEnded);
  }

  requestReset(reason: ResetReason): void {
    const offset = resetStats[reason];
    if (offset !== undefined) this.count(offset);
  }

  /** An interim response: it counts as one, though another follows. */
  interim(status: number): void {
    this.count(clusterStat.rq1xx);
    const offset = statusCodeOffset[status] ?? -1;
    if (offset >= 0) this.count(offset);
  }

  count(offset: number): void {
    this.#environment.slab.add(this.#host.cluster.stats, offset);
  }

  add(offset: number, amount: number): void {
    this.#environment.slab.add(this.#host.cluster.stats, offset, amount);
  }

  countHost(offset: number): void {
    this.#environment.slab.add(this.#host.stats, offset);
  }

  /** `cluster.<name>.http1.` */
  countHttp1(offset: number): void {
    this.#environment.slab.add(this.#host.cluster.http1, offset);
  }

  /** `cluster.<name>.http2.` */
  countHttp2(offset: number): void {
    this.#environment.slab.add(this.#host.cluster.http2, offset);
  }

  addHttp2(offset: number, amount: number): void {
    this.#environment.slab.add(this.#host.cluster.http2, offset, amount);
  }
}
