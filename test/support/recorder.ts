/** A socket handler that writes down what happens and lets a test await it; `on…` hooks add behaviour. */
import type { CloseReason, Reactor, SocketHandler } from "../../src/shared/io/reactor.ts";

export type SocketEvent =
  | "connected"
  | "end"
  | "above"
  | "below"
  | `closed ${CloseReason}`
  | `closed ${CloseReason} ${string}`;

export class Recorder implements SocketHandler {
  readonly events: SocketEvent[] = [];
  /** Everything received, copied. */
  readonly chunks: Buffer[] = [];
  receivedBytes = 0;
  splicedIn = 0;
  splicedOut = 0;
  readonly #reactor: Reactor;
  readonly #waiting = new Set<() => void>();
  readonly #hooks: Partial<SocketHandler>;
  #keepsChunks = true;

  constructor(reactor: Reactor, hooks: Partial<SocketHandler> = {}) {
    this.#reactor = reactor;
    this.#hooks = hooks;
  }

  /** For big transfers: only counts. */
  countOnly(): this {
    this.#keepsChunks = false;
    return this;
  }

  get text(): string {
    return Buffer.concat(this.chunks).toString("latin1");
  }

  get isClosed(): boolean {
    return this.events.some((event) => event.startsWith("closed"));
  }

  /** Resolves once `condition` holds, which is looked at after each event. */
  until(condition: (recorder: this) => boolean): Promise<void> {
    return new Promise((resolve) => {
      const check = (): void => {
        if (!condition(this)) return;
        this.#waiting.delete(check);
        resolve();
      };
      this.#waiting.add(check);
      check();
    });
  }

  closed(): Promise<void> {
    return this.until((recorder) => recorder.isClosed);
  }

  onConnected(): void {
    this.#record("connected");
    this.#hooks.onConnected?.();
  }

  onData(start: number, end: number): void {
    this.receivedBytes += end - start;
    if (this.#keepsChunks) {
      this.chunks.push(Buffer.from(this.#reactor.arena.bytes.subarray(start, end)));
    }
    this.#hooks.onData?.(start, end);
    this.#wake();
  }

  onEnd(): void {
    this.#record("end");
    this.#hooks.onEnd?.();
  }

  onAboveHighWatermark(): void {
    this.#record("above");
    this.#hooks.onAboveHighWatermark?.();
  }

  onBelowLowWatermark(): void {
    this.#record("below");
    this.#hooks.onBelowLowWatermark?.();
  }

  onSpliced(bytesRead: number, bytesWritten: number): void {
    this.splicedIn += bytesRead;
    this.splicedOut += bytesWritten;
    this.#hooks.onSpliced?.(bytesRead, bytesWritten);
    this.#wake();
  }

  onClosed(reason: CloseReason, detail: string): void {
    this.#record(detail === "" ? `closed ${reason}` : `closed ${reason} ${detail}`);
    this.#hooks.onClosed?.(reason, detail);
  }

  #record(event: SocketEvent): void {
    this.events.push(event);
    this.#wake();
  }

  #wake(): void {
    for (const check of this.#waiting) check();
  }
}

/** Copies `bytes` into the scratch window; the range to write. */
export function inScratch(reactor: Reactor, bytes: string | Uint8Array): [number, number] {
  const { arena } = reactor;
  const source = typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes;
  arena.bytes.set(source, arena.scratchStart);
  return [arena.scratchStart, arena.scratchStart + source.length];
}
