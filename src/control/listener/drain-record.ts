/**
 * One drain as main sees it: what it is of, and the connections that workers report. A worker that has not
 * reported yet may hold connections, so an empty sum means nothing until all have.
 */
import {
  type DrainCounts,
  type DrainDirection,
  type DrainPolicy,
  type DrainStart,
  type DrainedProtocol,
  drainedProtocols,
  noDrainCounts,
} from "../../shared/drain/drain.ts";
import type {
  DrainConnectionsView,
  DrainEndedBy,
  DrainPolicyView,
  DrainView,
} from "./drain-view.ts";

export interface DrainSubject {
  /** Undefined: the whole server. */
  readonly listener:
    | { readonly name: string; readonly generation: number; readonly version: string }
    | undefined;
  /** Names of the filter chains that drain; undefined: all. */
  readonly filterChains: readonly string[] | undefined;
  /** Of their connections, above 0 and at most 100; undefined: all. */
  readonly percent?: number | undefined;
  readonly updateClass: "filter-chains" | "full" | undefined;
  readonly changed: readonly string[];
}

export type DrainOutcome = "complete" | "forced" | "expired" | "cancelled";

/**
 * `cut`: the workers have confirmed that no connection is left; `kept`: what remains lives on; `cancelled`: so
 * it does, and is in no drain any more.
 */
export type DrainEnd = "cut" | "kept" | "cancelled";

type ProtocolCounts = Readonly<Partial<Record<DrainedProtocol, DrainCounts>>>;

/** What a record is made of. */
export interface DrainBeginning {
  readonly start: DrainStart;
  readonly subject: DrainSubject;
  readonly policy: DrainPolicy;
  readonly direction: DrainDirection;
  /** Milliseconds since 1970 of `start.startMs`. */
  readonly startWallMs: number;
  readonly workers: number;
}

export class DrainRecord {
  readonly subject: DrainSubject;
  readonly #beginning: DrainBeginning;
  readonly #byWorker: (ProtocolCounts | undefined)[];
  #start: DrainStart;
  #end:
    | { readonly outcome: DrainOutcome; readonly by: DrainEndedBy; readonly wallMs: number }
    | undefined;

  constructor(beginning: DrainBeginning) {
    this.#beginning = beginning;
    this.#start = beginning.start;
    this.subject = beginning.subject;
    this.#byWorker = Array.from({ length: beginning.workers });
  }

  /** With the deadline as it is now. */
  get start(): DrainStart {
    return this.#start;
  }

  get hasEnded(): boolean {
    return this.#end !== undefined;
  }

  moveDeadline(deadlineMs: number): void {
    this.#start = { ...this.#start, deadlineMs };
  }

  /** The worker's share as of now; each report replaces the one before. */
  report(worker: number, counts: ProtocolCounts): void {
    if (worker < this.#byWorker.length) this.#byWorker[worker] = counts;
  }

  /** The worker is gone, and its connections with it. */
  lose(worker: number): void {
    if (worker < this.#byWorker.length) this.#cut(worker, this.#byWorker[worker]);
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

  /** Closes the record. `cut`: whatever the last reports still called remaining was cut. */
  end(how: DrainEnd, by: DrainEndedBy, wallMs: number): DrainOutcome {
    if (how === "cut") this.#byWorker.forEach((counts, worker) => this.#cut(worker, counts));
    const outcome = how === "cancelled" ? how : outcomeOf(this.counts());
    this.#end = { outcome, by, wallMs };
    return outcome;
  }

  view(): DrainView {
    const { subject } = this;
    const start = this.#start;
    const { startWallMs, policy, direction } = this.#beginning;
    return {
      id: start.id,
      process_generation: null,
      cause: start.cause,
      listener: subject.listener?.name ?? null,
      generation: subject.listener?.generation ?? null,
      version: subject.listener?.version ?? null,
      filter_chains: subject.filterChains ?? null,
      percent: subject.percent ?? null,
      direction: direction === "all" ? "all" : "inbound_only",
      state: this.#end?.outcome ?? "draining",
      started_at: rfc3339(startWallMs),
      deadline: rfc3339(startWallMs + start.deadlineMs - start.startMs),
      ended_at: this.#end ? rfc3339(this.#end.wallMs) : null,
      ended_by: this.#end?.by ?? null,
      strategy: start.strategy,
      policy: policyView(policy),
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

function outcomeOf({ forced, remaining }: DrainCounts): DrainOutcome {
  if (remaining > 0) return "expired";
  return forced > 0 ? "forced" : "complete";
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

function policyView(policy: DrainPolicy): DrainPolicyView {
  return {
    time: durationText(policy.timeMs),
    strategy: policy.strategy,
    idle: policy.idle,
    streams: policy.streams,
    tcp: policy.tcp,
    websocket: policy.webSocket,
    idle_grace: durationText(policy.idleGraceMs),
    max_generations: policy.maxGenerations,
  };
}

/** protobuf's JSON mapping of a Duration. */
function durationText(ms: number): string {
  return ms % 1_000 === 0 ? `${ms / 1_000}s` : `${(ms / 1_000).toFixed(3)}s`;
}

export function rfc3339(wallMs: number): string {
  return new Date(wallMs).toISOString();
}
