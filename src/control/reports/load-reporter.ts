/**
 * Tells a server, as often as it asks to be told, what load the clusters carry (Envoy: `LoadStatsReporter`; the
 * service: `envoy.service.load_stats.v3.LoadReportingService`).
 *
 * What one would get wrong: Envoy's stats are named from the server's side. `requests` counts what the server asked,
 * `responses` what was sent to it.
 */
import type { Clock } from "../../shared/common/clock.ts";
import type { Logger } from "../../shared/common/log.ts";
import type { MainStats } from "../../shared/stats/stat-allocator.ts";
import { defineStats } from "../../shared/stats/stat-group.ts";
import type { ClusterLoad } from "../cluster/cluster-view.ts";
import type { AdsStreamHandlers } from "../xds/ads-stream.ts";
import { messageBytes } from "./field-writer.ts";
import { type LoadRequest, readLoadRequest, writeLoadStats } from "./load-messages.ts";
import {
  type ClusterReport,
  type LoadCounters,
  type LoadMark,
  markLoad,
  reportLoad,
} from "./load-report.ts";
import type { ReportStream } from "./report-stream.ts";

/** `load_reporter.` */
const reporterStats = defineStats({ counters: ["requests", "responses", "errors", "retries"] });

/** A server that asks for more gets this: each report looks at every host. */
const intervalMsMin = 100;

/** Docs: "Well Known Client Features". */
const sendAllClusters = "envoy.lrs.supports_send_all_clusters";
/** Of `core.v3.Node`. */
const clientFeaturesField = 10;

export interface LoadReporterParts {
  readonly clock: Clock;
  readonly stats: MainStats;
  readonly log: Logger;
  /** A serialised `core.v3.Node`. */
  readonly node: Uint8Array;
  readonly counters: LoadCounters;
  /** The active clusters. */
  readonly clusters: () => readonly ClusterLoad[];
  readonly open: (handlers: AdsStreamHandlers) => ReportStream;
}

type State =
  /** No connection. */
  | { readonly kind: "away" }
  /** Connected; the server has not asked for anything on any stream. */
  | { readonly kind: "asked" }
  | { readonly kind: "reporting"; readonly timer: Disposable }
  /** A report is due, and the stream takes no more for now. */
  | { readonly kind: "blocked" };

export class LoadReporter implements Disposable {
  readonly #parts: LoadReporterParts;
  readonly #stream: ReportStream;
  readonly #node: Uint8Array;
  readonly #block: number;
  #state: State = { kind: "away" };
  /** The last one, which holds on streams to come too. */
  #request: LoadRequest | undefined;
  /** Of the clusters that are reported on: the look at the end of the last report. */
  #marks: ReadonlyMap<string, LoadMark> = new Map();
  #hasOpened = false;

  constructor(parts: LoadReporterParts) {
    this.#parts = parts;
    this.#node = withClientFeature(parts.node);
    this.#block = parts.stats.allocator.allocate(reporterStats, "load_reporter.");
    this.#stream = parts.open({
      opened: () => this.#onOpened(),
      connected: () => this.#onConnected(),
      received: (message) => this.#onReceived(message),
      writable: () => {
        if (this.#state.kind === "blocked") this.#report();
      },
      failed: (reason) => this.#onFailed(reason),
    });
  }

  start(): void {
    this.#stream.start();
  }

  [Symbol.dispose](): void {
    this.#become({ kind: "away" });
    this.#stream[Symbol.dispose]();
    this.#parts.stats.allocator.release(this.#block);
  }

  #onOpened(): void {
    if (this.#hasOpened) this.#count("retries");
    this.#hasOpened = true;
  }

  /** Before anything was asked there is nothing to tell but who we are. */
  #onConnected(): void {
    if (this.#request) return this.#report();
    this.#become({ kind: "asked" });
    this.#send([]);
  }

  #onReceived(message: Uint8Array): Promise<void> {
    const request = readLoadRequest(message);
    if (request.ok) {
      this.#count("requests");
      this.#request = request.value;
      this.#startPeriod(request.value);
    } else this.#stream.abandon(`a response that cannot be read: ${request.error}`);
    return Promise.resolve();
  }

  #onFailed(reason: string): void {
    this.#become({ kind: "away" });
    this.#count("errors");
    this.#parts.log.warning(`load reports: the stream closed: ${reason}`);
  }

  #report(): void {
    if (!this.#request) return;
    if (!this.#stream.canSend) return this.#become({ kind: "blocked" });
    const { clock, clusters, counters } = this.#parts;
    const { byEndpoint } = this.#request;
    const marks = new Map<string, LoadMark>();
    const reports: ClusterReport[] = [];
    for (const cluster of clusters()) {
      const { name } = cluster.config;
      const from = this.#marks.get(name);
      if (!from) continue;
      const to = markLoad(cluster, counters, clock.now());
      reports.push(reportLoad(cluster, from, to, byEndpoint));
      marks.set(name, to);
    }
    this.#marks = marks;
    this.#send(reports);
    this.#startPeriod(this.#request);
  }

  /** Clusters that were reported on go on where they are; what new ones did before is not told. */
  #startPeriod({ clusters: wanted, intervalMs }: LoadRequest): void {
    const { clock, clusters, counters } = this.#parts;
    const names = wanted === "all" ? undefined : new Set(wanted);
    const marks = new Map<string, LoadMark>();
    for (const cluster of clusters()) {
      const { name } = cluster.config;
      if (names?.has(name) === false) continue;
      marks.set(name, this.#marks.get(name) ?? markLoad(cluster, counters, clock.now()));
    }
    this.#marks = marks;
    const delayMs = Math.max(intervalMsMin, intervalMs);
    this.#become({ kind: "reporting", timer: clock.startTimer(delayMs, () => this.#report()) });
  }

  #send(reports: readonly ClusterReport[]): void {
    this.#stream.send(writeLoadStats(this.#node, reports));
    this.#count("responses");
  }

  #become(state: State): void {
    if (this.#state.kind === "reporting") this.#state.timer[Symbol.dispose]();
    this.#state = state;
  }

  #count(name: Parameters<typeof reporterStats.offset>[0]): void {
    this.#parts.stats.slab.add(this.#block, reporterStats.offset(name));
  }
}

/** Two messages one behind the other are the two merged: a feature more. */
function withClientFeature(node: Uint8Array): Uint8Array {
  const feature = messageBytes((writer) =>
    writer.writeString(clientFeaturesField, sendAllClusters),
  );
  return Buffer.concat([node, feature]);
}
