/**
 * The stream of one access log to its server (Envoy: `GrpcAccessLogger`): what cannot be sent waits, up to a bound,
 * and beyond it is dropped. A server that is away holds up nothing but its own log.
 *
 * What was handed to a connection that then breaks is lost, as with Envoy: the service acknowledges nothing.
 */
import type { AccessLogBatch, AccessLogEntry } from "../../shared/protocol/access-log-entry.ts";
import type { AdsStreamHandlers } from "../xds/ads-stream.ts";
import type { LogIdentity } from "./access-log-messages.ts";
import type { ReportStream } from "./report-stream.ts";

/** Most bytes that wait for one log's server. A batch above it is taken when nothing else waits. */
export const waitingBytesMax = 1024 * 1024;

export interface AccessLogStreamParts {
  readonly identity: LogIdentity;
  readonly open: (handlers: AdsStreamHandlers) => ReportStream;
  readonly write: (
    entries: readonly AccessLogEntry[],
    identity: LogIdentity | undefined,
  ) => Uint8Array;
  readonly onSent: (entries: number) => void;
  /** They will not be sent: nothing more comes of this stream. */
  readonly onLost: (entries: number) => void;
  /** Once an outage. */
  readonly onFailed: (reason: string) => void;
}

type State =
  /** No connection: nothing is sent. */
  | "away"
  /** Connected, and the first message, which says who we are, is still to be sent. */
  | "fresh"
  | "introduced";

export class AccessLogStream implements Disposable {
  readonly #parts: AccessLogStreamParts;
  readonly #stream: ReportStream;
  #state: State = "away";
  #waiting: AccessLogBatch[] = [];
  #waitingBytes = 0;
  #hasFailed = false;

  constructor(parts: AccessLogStreamParts) {
    this.#parts = parts;
    this.#stream = parts.open({
      opened: () => {},
      connected: () => this.#onConnected(),
      // There is nothing to be said to us.
      received: () => Promise.resolve(),
      writable: () => this.#send(),
      failed: (reason) => this.#onFailed(reason),
    });
  }

  /** False: there is no room for it. */
  add(batch: AccessLogBatch): boolean {
    if (this.#waitingBytes > 0 && this.#waitingBytes + batch.bytes > waitingBytesMax) return false;
    this.#waiting.push(batch);
    this.#waitingBytes += batch.bytes;
    this.#stream.start();
    this.#send();
    return true;
  }

  [Symbol.dispose](): void {
    this.#stream[Symbol.dispose]();
    for (const { entries } of this.#waiting.splice(0)) this.#parts.onLost(entries.length);
    this.#waitingBytes = 0;
  }

  #onConnected(): void {
    this.#state = "fresh";
    this.#hasFailed = false;
    this.#send();
  }

  #onFailed(reason: string): void {
    this.#state = "away";
    if (!this.#hasFailed) this.#parts.onFailed(reason);
    this.#hasFailed = true;
  }

  #send(): void {
    while (this.#state !== "away" && this.#stream.canSend) {
      const batch = this.#waiting.shift();
      if (!batch) return;
      this.#waitingBytes -= batch.bytes;
      const identity = this.#state === "fresh" ? this.#parts.identity : undefined;
      this.#state = "introduced";
      this.#stream.send(this.#parts.write(batch.entries, identity));
      this.#parts.onSent(batch.entries.length);
    }
  }
}
