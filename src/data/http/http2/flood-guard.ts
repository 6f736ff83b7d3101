/**
 * Counts what a client may send too much of, with Envoy's limits (docs: `Http2ProtocolOptions`, and for resets the
 * runtime keys `overload.premature_reset_*`). Pure: it tells, the connection acts.
 */
import type { Http2Options } from "../../../shared/config/http-config.ts";

export type Flood = "emptyFrames" | "priorityFrames" | "windowUpdates" | "prematureResets";

/** Envoy's `overload.premature_reset_total_stream_count` and `…_min_stream_lifetime_seconds`. */
const streamsBeforeJudgement = 500;
const shortLifeMs = 1_000;

export class FloodGuard {
  readonly #options: Http2Options;
  #emptyInARow = 0;
  #priorities = 0;
  #windowUpdates = 0;
  #dataFramesOut = 0;
  #opened = 0;
  #closed = 0;
  #prematureResets = 0;

  constructor(options: Http2Options) {
    this.#options = options;
  }

  streamOpened(): void {
    this.#opened++;
  }

  dataFrameSent(): void {
    this.#dataFramesOut++;
  }

  /** A HEADERS, CONTINUATION or DATA frame: one without payload that ends nothing does nothing. */
  onPayload(length: number, endsStream: boolean): Flood | undefined {
    if (length > 0 || endsStream) {
      this.#emptyInARow = 0;
      return undefined;
    }
    const isFlood = ++this.#emptyInARow > this.#options.maxConsecutiveEmptyFrames;
    return isFlood ? "emptyFrames" : undefined;
  }

  onPriority(): Flood | undefined {
    const most = this.#options.maxPriorityFramesPerStream * (1 + this.#opened);
    return ++this.#priorities > most ? "priorityFrames" : undefined;
  }

  onWindowUpdate(): Flood | undefined {
    const perData = this.#options.maxWindowUpdatesPerDataFrame * this.#dataFramesOut;
    return ++this.#windowUpdates > 5 + 2 * (this.#opened + perData) ? "windowUpdates" : undefined;
  }

  /** A stream ended; `isReset`: by the client, after `ageMs`. */
  onStreamEnd(isReset: boolean, ageMs: number): Flood | undefined {
    this.#closed++;
    if (isReset && ageMs < shortLifeMs) this.#prematureResets++;
    const judged = Math.max(this.#closed, streamsBeforeJudgement);
    return this.#prematureResets * 2 >= judged ? "prematureResets" : undefined;
  }
}
