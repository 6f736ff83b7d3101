/** What an exchange is counted as, by its cluster and by the hosts that it tries. One an exchange. */
import { recordHistogram } from "../../../shared/stats/stat-group.ts";
import type { StatSlab } from "../../../shared/stats/slab.ts";
import type { UpstreamCluster, UpstreamHost } from "../../upstream/cluster-table.ts";
import { clusterStat, hostStat, statusClass, statusCodeOffset } from "../stat-offsets.ts";

export class ExchangeCounts {
  readonly #slab: StatSlab;
  /** Of its cluster; 0, where nothing is read, before the first. */
  #block = 0;

  constructor(slab: StatSlab) {
    this.#slab = slab;
  }

  begin({ stats }: UpstreamCluster): void {
    this.#block = stats;
  }

  add(offset: number): void {
    this.#slab.add(this.#block, offset);
  }

  /** As Envoy counts a host: each try's outcome, by the status that came or by its failure. */
  addHost(host: UpstreamHost | undefined, offset: number): void {
    if (host !== undefined) this.#slab.add(host.stats, offset);
  }

  timedOut(host: UpstreamHost | undefined, isResponding: boolean): void {
    this.addHost(host, hostStat.rqTimeout);
    if (!isResponding) this.addHost(host, hostStat.rqError);
  }

  /** The status of an answer, a host's or ours. */
  answered(status: number): void {
    const { values } = this.#slab;
    (values[this.#block + clusterStat.rqCompleted] as number)++;
    (values[this.#block + clusterStat.rq1xx + statusClass(status)] as number)++;
    const codeOffset = statusCodeOffset[status] ?? -1;
    if (codeOffset >= 0) (values[this.#block + codeOffset] as number)++;
  }

  lasted(timeMs: number): void {
    recordHistogram(this.#slab.values, this.#block + clusterStat.rqTime, timeMs);
  }
}
