/**
 * What is open to one cluster from this worker. Several owners open connections to a cluster (pools, TCP
 * proxies), so none of their sizes is the gauge: this is the one place that holds the sum and sets it.
 */
import type { StatSlab } from "../../shared/stats/slab.ts";
import { clusterStats } from "../../shared/stats/stat-names.ts";
import type { StatBlock } from "../../shared/stats/stat-group.ts";

const connectionsGauge = clusterStats.offset("upstream_cx_active");
const requestsGauge = clusterStats.offset("upstream_rq_active");
const pendingGauge = clusterStats.offset("upstream_rq_pending_active");

export class ClusterActivity {
  readonly #slab: StatSlab;
  readonly #block: StatBlock;
  #connections = 0;
  #requests = 0;
  #pending = 0;

  constructor(slab: StatSlab, block: StatBlock) {
    this.#slab = slab;
    this.#block = block;
  }

  /** Requests and TCP connections under way. */
  get requests(): number {
    return this.#requests;
  }

  /** Those that have no connection yet. */
  get pending(): number {
    return this.#pending;
  }

  connectionOpened(): void {
    this.#slab.set(this.#block, connectionsGauge, ++this.#connections);
  }

  connectionClosed(): void {
    this.#slab.set(this.#block, connectionsGauge, --this.#connections);
  }

  requestStarted(): void {
    this.#slab.set(this.#block, requestsGauge, ++this.#requests);
  }

  requestEnded(): void {
    this.#slab.set(this.#block, requestsGauge, --this.#requests);
  }

  pendingStarted(): void {
    this.#slab.set(this.#block, pendingGauge, ++this.#pending);
  }

  pendingEnded(): void {
    this.#slab.set(this.#block, pendingGauge, --this.#pending);
  }
}
