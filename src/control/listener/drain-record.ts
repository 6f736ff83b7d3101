/**
 * One drain as main sees it: what it is of, and the connections that workers report. A worker that has not
 * reported yet may hold connections, so an empty sum means nothing until all have.
 */
import {
  type DrainCounts,
  type DrainStart,
  type DrainedProtocol,
  drainedProtocols,
  noDrainCounts,
} from "../../shared/drain/drain.ts";
import type { DrainConnectionsView, DrainView } from "./drain-view.ts";

export interface DrainSubject {
  /** Undefined: the whole server. */
  readonly listener:
    | { readonly name: string; readonly generation: number; readonly version: string }
    | undefined;
  /** Names of the filter chains that drain; undefined: all. */
  readonly filterChains: readonly string[] | undefined;
  readonly updateClass: "filter-chains" | "full" | undefined;
  readonly changed: readonly string[];
}

export type DrainOutcome = "complete" | "forced" | "expired";

type ProtocolCounts = Readonly<Partial<Record<DrainedProtocol, DrainCounts>>>;

export class DrainRecord {
  readonly start: DrainStart;
  readonly subject: DrainSubject;
  readonly #startWallMs: number;
  readonly #byWorker: (ProtocolCounts | undefined)[];
  #end: { readonly outcome: DrainOutcome; readonly wallMs: number } | undefined;

  constructor(start: DrainStart, subject: DrainSubject, startWallMs: number, workers: number) {
    this.start = start;
    this.subject = subject;
    this.#startWallMs = startWallMs;
    this.#byWorker = Array.from({ length: workers });
  }

  get hasEnded(): boolean {
    return this.#end !== undefined;
  }

  /** The worker's share as of now; each report replaces the one before. */
  report(worker: number, counts: ProtocolCounts): void {
    if (worker < this.#byWorker.length) this.#byWorker[worker] = counts;
  }

  /** Every worker has reported and none holds a connection. */
  get isEmpty(): boolean {
    return this.#byWorker.every((counts) => counts !== undefined) && this.counts().remaining === 0;
  }

  /** Summed over workers, of one protocol or of all. */
  counts(protocol?: DrainedProtocol): DrainCounts {
    const protocols = protocol ? [protocol] : drainedProtocols;
    return this.#byWorker
      .flatMap((counts) => protocols.map((each) => counts?.[each] ?? noDrainCounts))
      .reduce(sum, noDrainCounts);
  }

  /**
   * Closes the record. `cut`: the workers have confirmed that no connection is left, so whatever the last
   * reports still called remaining was cut.
   */
  end(how: "cut" | "kept", wallMs: number): DrainOutcome {
    if (how === "cut") this.#byWorker.forEach((counts, worker) => this.#cut(worker, counts));
    const { forced, remaining } = this.counts();
    const outcome = remaining > 0 ? "expired" : forced > 0 ? "forced" : "complete";
    this.#end = { outcome, wallMs };
    return outcome;
  }

  view(): DrainView {
    const { start, subject } = this;
    const durationMs = start.deadlineMs - start.startMs;
    return {
      id: start.id,
      cause: start.cause,
      listener: subject.listener?.name ?? null,
      generation: subject.listener?.generation ?? null,
      version: subject.listener?.version ?? null,
      filter_chains: subject.filterChains ?? null,
      state: this.#end?.outcome ?? "draining",
      started_at: rfc3339(this.#startWallMs),
      deadline: rfc3339(this.#startWallMs + durationMs),
      ended_at: this.#end ? rfc3339(this.#end.wallMs) : null,
      strategy: start.strategy,
      update_class: subject.updateClass ?? null,
      changed: subject.changed,
      connections: connectionsView(this.counts()),
      by_protocol: Object.fromEntries(
        drainedProtocols
          .map((protocol) => [protocol, this.counts(protocol)] as const)
          .filter(([, counts]) => counts.atStart > 0)
          .map(([protocol, counts]) => [protocol, connectionsView(counts)]),
      ),
    };
  }

  #cut(worker: number, counts: ProtocolCounts | undefined): void {
    const cut = Object.entries(counts ?? {}).map(([protocol, each]) => [
      protocol,
      { ...each, forced: each.forced + each.remaining, remaining: 0 },
    ]);
    this.#byWorker[worker] = Object.fromEntries(cut) as ProtocolCounts;
  }
}

function sum(a: DrainCounts, b: DrainCounts): DrainCounts {
  return {
    atStart: a.atStart + b.atStart,
    notified: a.notified + b.notified,
    finished: a.finished + b.finished,
    closedByPeer: a.closedByPeer + b.closedByPeer,
    forced: a.forced + b.forced,
    remaining: a.remaining + b.remaining,
  };
}

function connectionsView(counts: DrainCounts): DrainConnectionsView {
  return {
    at_start: counts.atStart,
    notified: counts.notified,
    finished: counts.finished,
    closed_by_peer: counts.closedByPeer,
    forced: counts.forced,
    remaining: counts.remaining,
  };
}

function rfc3339(wallMs: number): string {
  return new Date(wallMs).toISOString();
}
