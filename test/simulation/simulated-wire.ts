import assert from "node:assert/strict";
import type {
  AdsCall,
  AdsCallHandlers,
  AdsTransport,
} from "../../src/control/xds/ads-transport.ts";
import type { Clock } from "../../src/shared/common/clock.ts";

/** The server's end of one stream. */
export interface FarEnd {
  /** Bytes of the client have come. */
  arrived(message: Uint8Array): void;
  /** The client reads a message, and until `settled` no other. */
  delivered(message: Uint8Array): void;
  settled(message: Uint8Array): void;
  /** The client has said something, which arrives later. */
  said(message: Uint8Array): void;
  closed(): void;
}

export interface WireOptions {
  readonly clock: Clock;
  readonly delayMs: () => number;
  /** A connection that will not come about. */
  readonly refuses: () => boolean;
  readonly accept: (stream: SimulatedStream) => FarEnd;
}

/** A network in memory: in order each way, late by chance, and with the flow control of a stream. */
export class SimulatedWire implements AdsTransport {
  readonly server = "model";
  readonly #options: WireOptions;
  /** The present stream, if there is one. */
  current: SimulatedStream | undefined;

  constructor(options: WireOptions) {
    this.#options = options;
  }

  open(handlers: AdsCallHandlers): AdsCall {
    assert(!this.current || this.current.isOver, "a second stream beside the first");
    this.current = new SimulatedStream(this.#options, handlers);
    return this.current;
  }

  [Symbol.dispose](): void {}
}

export class SimulatedStream implements AdsCall {
  readonly #options: WireOptions;
  readonly #handlers: AdsCallHandlers;
  readonly #far: FarEnd;
  /** Sent by the server, not read by the client yet. */
  readonly #waiting: Uint8Array[] = [];
  #isReading = false;
  #inboundDueMs = 0;
  #outboundDueMs = 0;
  canSend = true;
  isOver = false;

  constructor(options: WireOptions, handlers: AdsCallHandlers) {
    this.#options = options;
    this.#handlers = handlers;
    this.#far = options.accept(this);
    const isRefused = options.refuses();
    this.#later(options.delayMs(), () => {
      if (isRefused) this.break("14, refused");
      else handlers.connected();
    });
  }

  send(message: Uint8Array): void {
    assert(!this.isOver, "sent on a stream that is over");
    assert(this.canSend, "sent without being asked to");
    this.#far.said(message);
    const now = this.#options.clock.now();
    this.#outboundDueMs = Math.max(now, this.#outboundDueMs) + this.#options.delayMs();
    this.#later(this.#outboundDueMs - now, () => this.#far.arrived(message));
  }

  cancel(): void {
    this.isOver = true;
    this.#far.closed();
  }

  /** The server's side: a message on its way to the client. */
  respond(message: Uint8Array): void {
    const now = this.#options.clock.now();
    this.#inboundDueMs = Math.max(now, this.#inboundDueMs) + this.#options.delayMs();
    this.#later(this.#inboundDueMs - now, () => {
      this.#waiting.push(message);
      void this.#read();
    });
  }

  break(reason: string): void {
    if (this.isOver) return;
    this.isOver = true;
    this.#far.closed();
    this.#handlers.ended(reason);
  }

  /** The peer takes nothing for a while. */
  clog(forMs: number): void {
    if (!this.canSend) return;
    this.canSend = false;
    this.#later(forMs, () => {
      this.canSend = true;
      this.#handlers.writable();
    });
  }

  get isIdle(): boolean {
    return this.#waiting.length === 0 && !this.#isReading;
  }

  async #read(): Promise<void> {
    if (this.#isReading) return;
    this.#isReading = true;
    for (let next = this.#waiting.shift(); next && !this.isOver; next = this.#waiting.shift()) {
      this.#far.delivered(next);
      await this.#handlers.received(next);
      this.#far.settled(next);
    }
    this.#isReading = false;
  }

  #later(delayMs: number, act: () => void): void {
    this.#options.clock.startTimer(delayMs, () => {
      if (!this.isOver) act();
    });
  }
}
