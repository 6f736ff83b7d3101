/** When a request has been quiet, or has lasted, for too long. One a request object. */
import { instantAfter, never } from "../deadline-timer.ts";
import type { LiveConfig } from "../live-config.ts";
import type { OutgoingRequest } from "./outgoing-request.ts";
import type { RequestInfo } from "./request-info.ts";
import type { ResponseSink } from "./response-sink.ts";
import { noUpgrade } from "./upgrade.ts";
import { httpStat } from "../stat-offsets.ts";

/** As in `local-replies.ts`. */
export type Overdue = "streamIdle" | "maxDuration" | "requestTimeout";
export const overdueStats: Readonly<Record<Overdue, number>> = {
  streamIdle: httpStat.rqIdleTimeout,
  maxDuration: httpStat.rqMaxDuration,
  requestTimeout: httpStat.rqTimeout,
};

export class RequestTimes {
  lastActivityMs = 0;
  readonly #info: RequestInfo;
  readonly #outgoing: OutgoingRequest;

  constructor(info: RequestInfo, outgoing: OutgoingRequest) {
    this.#info = info;
    this.#outgoing = outgoing;
  }

  nextMs(live: LiveConfig, sink: ResponseSink): number {
    const overdueMs = Math.min(this.#idleAtMs(live), this.#endsAtMs(live));
    const webSocketMs = this.#outgoing.webSocket?.dueMs ?? never;
    return Math.min(overdueMs, this.#requestDueMs(live, sink), webSocketMs);
  }

  overdue(nowMs: number, live: LiveConfig, sink: ResponseSink): Overdue | undefined {
    if (nowMs >= this.#idleAtMs(live)) return "streamIdle";
    if (nowMs >= this.#endsAtMs(live)) return "maxDuration";
    return nowMs >= this.#requestDueMs(live, sink) ? "requestTimeout" : undefined;
  }

  #endsAtMs({ config }: LiveConfig): number {
    const { startMs } = this.#info;
    const { durationMs } = this.#outgoing.limits;
    if (durationMs === undefined) return instantAfter(startMs, config.maxStreamDurationMs);
    return durationMs === "none" ? never : startMs + durationMs;
  }

  #idleAtMs({ config }: LiveConfig): number {
    const limitMs = this.#outgoing.idleTimeoutMs ?? config.streamIdleTimeoutMs;
    return instantAfter(this.lastActivityMs, limitMs);
  }

  #requestDueMs({ config }: LiveConfig, { isRequestComplete }: ResponseSink): number {
    if (isRequestComplete || this.#outgoing.upgradeType !== noUpgrade) return never;
    return instantAfter(this.#info.startMs, config.requestTimeoutMs);
  }
}
