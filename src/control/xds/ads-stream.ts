/**
 * Keeps one ADS stream open: opens it, and after it ended opens it again with jittered exponential
 * back-off. It knows nothing of what is said on it.
 *
 * ```
 * idle ──start──▶ connecting ──connected──▶ open
 *                   ▲   │ended               │ended
 *                   │   ▼                    │
 *                 backingOff ◀───────────────┘          closed: from anywhere, for good
 * ```
 */
import { assert } from "../../shared/common/assert.ts";
import { Backoff, type BackoffOptions } from "../../shared/common/backoff.ts";
import type { Clock } from "../../shared/common/clock.ts";
import type { Random } from "../../shared/common/random.ts";
import type { AdsCall, AdsTransport } from "./ads-transport.ts";
import type { StreamStatus } from "./xds-status.ts";

type AdsStreamState =
  /** Nobody has asked for anything. */
  | { readonly kind: "idle" }
  /** A call was made; what is sent waits for the connection. */
  | { readonly kind: "connecting"; readonly call: AdsCall; readonly reason: string }
  | { readonly kind: "open"; readonly call: AdsCall; readonly sinceMs: number }
  | {
      readonly kind: "backingOff";
      readonly retryAtMs: number;
      readonly reason: string;
      readonly timer: Disposable;
    }
  | { readonly kind: "closed" };

export interface AdsStreamHandlers {
  /** A fresh stream: everything has to be asked for again. */
  opened(): void;
  connected(): void;
  received(message: Uint8Array): Promise<void>;
  writable(): void;
  /** The stream is gone; another attempt follows by itself. */
  failed(reason: string, retryInMs: number): void;
}

export interface AdsStreamOptions {
  readonly transport: AdsTransport;
  readonly clock: Clock;
  readonly random: Random;
  readonly backoff?: BackoffOptions | undefined;
  /** A connection that does not come about within so many milliseconds is given up; 0: never. Default 0. */
  readonly connectTimeoutMs?: number;
}

/** Envoy: `RetryInitialDelayMs`, `RetryMaxDelayMs`. */
export const defaultBackoff: BackoffOptions = { baseMs: 500, maxMs: 30_000 };

export class AdsStream implements Disposable {
  readonly #transport: AdsTransport;
  readonly #clock: Clock;
  readonly #backoff: Backoff;
  readonly #backoffMaxMs: number;
  readonly #handlers: AdsStreamHandlers;
  readonly #connectTimeoutMs: number;
  /** Runs while connecting: an address that swallows packets must not stop the others from being tried. */
  #connectTimer: Disposable | undefined;
  #state: AdsStreamState = { kind: "idle" };

  constructor(options: AdsStreamOptions, handlers: AdsStreamHandlers) {
    this.#transport = options.transport;
    this.#clock = options.clock;
    const backoff = options.backoff ?? defaultBackoff;
    this.#backoff = new Backoff(backoff, options.random);
    this.#backoffMaxMs = backoff.maxMs;
    this.#handlers = handlers;
    this.#connectTimeoutMs = options.connectTimeoutMs ?? 0;
  }

  /** Opens the stream if it never was; later calls do nothing. */
  start(): void {
    if (this.#state.kind === "idle") this.#open();
  }

  /** False while there is no stream, or while it does not take more. */
  get canSend(): boolean {
    return this.#call()?.canSend ?? false;
  }

  send(message: Uint8Array): void {
    const call = this.#call();
    assert(call, "sent on an ADS stream that is not there");
    call.send(message);
  }

  /** Gives up a stream on which something senseless came, and retries like after any failure. */
  abandon(reason: string): void {
    this.#call()?.cancel();
    this.#fail(reason);
  }

  status(): StreamStatus {
    const state = this.#state;
    if (state.kind === "connecting") return { kind: "connecting", reason: state.reason };
    if (state.kind !== "backingOff") return { kind: state.kind };
    const retryInMs = Math.max(0, state.retryAtMs - this.#clock.now());
    return { kind: "backingOff", retryInMs, reason: state.reason };
  }

  [Symbol.dispose](): void {
    this.#call()?.cancel();
    this.#connectTimer?.[Symbol.dispose]();
    if (this.#state.kind === "backingOff") this.#state.timer[Symbol.dispose]();
    this.#state = { kind: "closed" };
  }

  #call(): AdsCall | undefined {
    const state = this.#state;
    return state.kind === "connecting" || state.kind === "open" ? state.call : undefined;
  }

  #openForMs(): number {
    return this.#state.kind === "open" ? this.#clock.now() - this.#state.sinceMs : 0;
  }

  #open(): void {
    const reason = this.#state.kind === "backingOff" ? this.#state.reason : "";
    const call = this.#transport.open({
      connected: () => {
        if (this.#call() !== call) return;
        this.#connectTimer?.[Symbol.dispose]();
        this.#state = { kind: "open", call, sinceMs: this.#clock.now() };
        this.#handlers.connected();
      },
      received: async (message) => {
        if (this.#call() !== call) return;
        // Only an answer proves that the server serves: a connection alone may be a proxy's.
        this.#backoff.reset();
        await this.#handlers.received(message);
      },
      writable: () => {
        if (this.#call() === call) this.#handlers.writable();
      },
      ended: (reason) => {
        if (this.#call() === call) this.#fail(reason);
      },
    });
    this.#state = { kind: "connecting", call, reason };
    if (this.#connectTimeoutMs > 0)
      this.#connectTimer = this.#clock.startTimer(this.#connectTimeoutMs, () =>
        this.abandon(`14, not connected within ${this.#connectTimeoutMs} ms`),
      );
    this.#handlers.opened();
  }

  #fail(reason: string): void {
    if (this.#call() === undefined) return;
    // Where the server has nothing to answer, a stream that lasted is the proof.
    if (this.#openForMs() >= this.#backoffMaxMs) this.#backoff.reset();
    this.#connectTimer?.[Symbol.dispose]();
    const delayMs = this.#backoff.nextMs();
    const timer = this.#clock.startTimer(delayMs, () => this.#open());
    this.#state = { kind: "backingOff", retryAtMs: this.#clock.now() + delayMs, reason, timer };
    this.#handlers.failed(reason, delayMs);
  }
}
