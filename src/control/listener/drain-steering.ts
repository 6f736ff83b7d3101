/**
 * The desk of drains: reads each order, refuses what cannot be with its sentence, and hands the rest to whoever
 * does it. What comes in is a person's: every number and every name is checked here, before anything changes.
 */
import type { Clock } from "../../shared/common/clock.ts";
import { drainMsMax } from "../../shared/drain/drain.ts";
import type { RemainingConnection } from "../../shared/protocol/worker-event.ts";
import type { WorkerInquiry } from "../workers/worker-inquiry.ts";
import {
  type DrainDesk,
  type DrainError,
  type DrainExtension,
  type DrainRequest,
  type DrainResult,
  type DrainScope,
  type RemainingResult,
  remainingMax,
} from "./drain-desk.ts";
import {
  drainElsewhere,
  endedDrain,
  goneDrain,
  notCancellable,
  outOfRange,
  underWay,
  unknownDrain,
} from "./drain-errors.ts";
import { DrainRecord } from "./drain-record.ts";
import type { DrainRegistry } from "./drain-registry.ts";
import type { CancelledDrain, DrainRunner } from "./drain-runner.ts";
import type { DrainsView, RemainingConnectionView } from "./drain-view.ts";
import type { ListenerManager } from "./listener-manager.ts";
import type { ServerDrain } from "./server-drain.ts";

export interface DrainSteeringContext {
  readonly registry: DrainRegistry;
  readonly runner: DrainRunner;
  readonly inquiry: Pick<WorkerInquiry, "ask">;
  readonly server: Pick<ServerDrain, "drainListeners">;
  readonly listeners: Pick<ListenerManager, "drainConnections">;
  readonly clock: Clock;
}

type ServerScope = Extract<DrainScope, { kind: "server" }>;

export class DrainSteering implements DrainDesk {
  readonly #context: DrainSteeringContext;

  constructor(context: DrainSteeringContext) {
    this.#context = context;
  }

  list(): DrainsView {
    return this.#context.registry.view();
  }

  get(id: number): DrainResult {
    const found = this.#context.registry.find(id);
    if (found.kind === "elder") return { ok: true, drain: found.view };
    const record = this.#find(id);
    return record instanceof DrainRecord ? done(record) : refused(record);
  }

  async remaining(id: number, limit: number): Promise<RemainingResult> {
    const found = this.#context.registry.find(id);
    // Which connections they are its process alone could say.
    if (found.kind === "elder")
      return {
        ok: true,
        drain: { ...found.view, remaining: [], remaining_listed: 0, silent_workers: [] },
      };
    const record = this.#find(id);
    if (!(record instanceof DrainRecord)) return refused(record);
    if (!(Number.isInteger(limit) && limit >= 1 && limit <= remainingMax))
      return refused(outOfRange(`limit must be a whole number from 1 to ${remainingMax}`));
    const { answers, silent } = record.hasEnded
      ? { answers: [], silent: [] }
      : await this.#context.inquiry.ask((question) => ({
          kind: "listRemaining",
          drain: record.start.id,
          limit,
          question,
        }));
    const remaining = answers
      .flatMap(({ worker, answer }) =>
        answer.kind === "remaining" ? answer.connections.map((each) => viewOf(worker, each)) : [],
      )
      .sort((a, b) => b.age_ms - a.age_ms)
      .slice(0, limit);
    const drain = {
      ...record.view(),
      remaining,
      remaining_listed: remaining.length,
      silent_workers: silent,
    };
    return { ok: true, drain };
  }

  async start(request: DrainRequest): Promise<DrainResult> {
    const { scope, timeMs } = request;
    if (timeMs !== undefined && !(timeMs >= 0 && timeMs <= drainMsMax))
      return refused(outOfRange(`time must be from 0 to ${drainMsMax / 1_000} seconds`));
    if (scope.kind === "server") return this.#startOfServer(scope, request);
    const { listener, filterChain, percent } = scope;
    if (percent !== undefined && !(percent > 0 && percent <= 100))
      return refused(outOfRange("percent must be above 0 and at most 100"));
    const { strategy } = request;
    const order = { listener, filterChain, percent, timeMs, strategy };
    const record = this.#context.listeners.drainConnections(order);
    return record instanceof DrainRecord ? done(record) : refused(record);
  }

  async cancel(id: number): Promise<DrainResult> {
    const record = this.#findActive(id);
    if (!(record instanceof DrainRecord)) return refused(record);
    const reason = this.#context.runner.whyNotCancellable(record);
    if (reason !== undefined) return refused(notCancellable(id, reason));
    const cancelled = await this.#context.runner.cancel(record);
    return done(record, cancelNote(cancelled));
  }

  async extend(id: number, extension: DrainExtension): Promise<DrainResult> {
    const record = this.#findActive(id);
    if (!(record instanceof DrainRecord)) return refused(record);
    const { clock, runner } = this.#context;
    const nowMs = clock.now();
    const { deadlineMs } = record.start;
    const movedMs =
      "byMs" in extension
        ? Math.max(nowMs, deadlineMs) + extension.byMs
        : nowMs + extension.untilMs - clock.wallTime();
    if (!(movedMs > deadlineMs && movedMs > nowMs))
      return refused(outOfRange("an extension must move the deadline to a later time"));
    if (movedMs - nowMs > drainMsMax)
      return refused(
        outOfRange(`a deadline must be within ${drainMsMax / 1_000} seconds from now`),
      );
    if (!runner.moveDeadline(record, movedMs))
      return refused({ kind: "ended", text: `drain ${id} is ending already` });
    return done(record);
  }

  async end(id: number): Promise<DrainResult> {
    const record = this.#findActive(id);
    if (!(record instanceof DrainRecord)) return refused(record);
    await this.#context.runner.force(record, "order", 0);
    return done(record);
  }

  subscribe(onChange: () => void): Disposable {
    return this.#context.registry.subscribe(onChange);
  }

  get watchers(): number {
    return this.#context.registry.watchers;
  }

  async #startOfServer(scope: ServerScope, request: DrainRequest): Promise<DrainResult> {
    const { timeMs, strategy } = request;
    const { record, isNew } = await this.#context.server.drainListeners({
      graceful: scope.mode === "graceful",
      skipExit: scope.mode === "keepAccepting",
      inboundOnly: scope.inboundOnly,
      timeMs,
      strategy,
    });
    // To stop listeners of a server that drains already is an order of its own, and is carried out.
    if (!isNew && scope.mode !== "stop") return refused(underWay(record.start.id));
    return done(record);
  }

  #find(id: number): DrainRecord | DrainError {
    const found = this.#context.registry.find(id);
    if (found.kind === "kept") return found.record;
    if (found.kind === "elder") return drainElsewhere(found.view);
    return found.kind === "gone" ? goneDrain(id, found.endedAt) : unknownDrain(id);
  }

  #findActive(id: number): DrainRecord | DrainError {
    const record = this.#find(id);
    if (!(record instanceof DrainRecord)) return record;
    return record.hasEnded ? endedDrain(record.view()) : record;
  }
}

function done(record: DrainRecord, note?: string): DrainResult {
  return { ok: true, drain: record.view(), ...(note !== undefined && { note }) };
}

function refused(error: DrainError): { readonly ok: false; readonly error: DrainError } {
  return { ok: false, error };
}

/** What is told cannot be untold. */
function cancelNote({ told, silent }: CancelledDrain): string | undefined {
  const notes = [
    ...(told > 0 ? [toldNote(told)] : []),
    ...(silent.length > 0 ? [`worker ${silent.join(", ")} did not answer in time`] : []),
  ];
  return notes.length === 0 ? undefined : notes.join("; ");
}

function toldNote(told: number): string {
  return told === 1
    ? "1 connection was told already and closes after its next response"
    : `${told} connections were told already and close after their next response`;
}

function viewOf(worker: number, connection: RemainingConnection): RemainingConnectionView {
  const { id, peer, local, protocol, isTold, progress } = connection;
  return {
    id,
    worker,
    peer,
    local,
    age_ms: Math.round(connection.ageMs),
    protocol,
    told: isTold,
    streams: progress.streams,
    bytes_received: progress.bytesReceived,
    bytes_sent: progress.bytesSent,
    route: progress.route ?? null,
    cluster: progress.cluster ?? null,
  };
}
