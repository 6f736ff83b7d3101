/**
 * An accepted `net.Socket` that is looked at: what was received is kept here, and goes back into the stream before
 * somebody adopts it. What a newcomer would get wrong: Node reads on by itself, so reading stops as soon as more is here
 * than anybody has asked to see.
 */
import type net from "node:net";
import { type SocketAddress, unnamed } from "../common/address.ts";
import type { Arena } from "./arena.ts";
import { addressOf } from "./node-socket.ts";
import type { Descriptor, HeldSocket, HeldSocketHandler, PeekResult } from "./reactor.ts";
import { assertInWindows } from "./windows.ts";

export interface NodeHoldLoop {
  readonly arena: Arena;
  /** Runs a callback of Node's as a round; a throw closes the socket as a bug. */
  run(callback: () => void): void;
  /** It is held no more. */
  unhold(isOpen: boolean): Descriptor;
}

/** Nobody looks at less. */
const keptBytesMin = 64 * 1024;

export class NodeHeldSocket implements HeldSocket {
  readonly #raw: net.Socket;
  readonly #loop: NodeHoldLoop;
  readonly originalDestination = undefined;
  #kept: Buffer = Buffer.alloc(0);
  #limit = keptBytesMin;
  #hasEnded = false;
  #failure: string | undefined;
  #isHeld = true;
  #isWatched = false;
  readonly #onData: (chunk: Buffer) => void;
  readonly #onEnd: () => void;
  readonly #onError: (error: NodeJS.ErrnoException) => void;

  constructor(raw: net.Socket, handler: HeldSocketHandler, loop: NodeHoldLoop) {
    this.#raw = raw;
    this.#loop = loop;
    this.#onData = (chunk) => {
      this.#kept = this.#kept.length === 0 ? chunk : Buffer.concat([this.#kept, chunk]);
      if (this.#kept.length >= this.#limit) raw.pause();
      loop.run(() => handler.onArrival(false));
    };
    this.#onEnd = () => {
      this.#hasEnded = true;
      loop.run(() => handler.onArrival(true));
    };
    this.#onError = (error) => {
      this.#failure = error.code ?? "EIO";
      loop.run(() => handler.onArrival(true));
    };
    raw.on("error", this.#onError);
  }

  get localAddress(): SocketAddress {
    return addressOf(this.#raw.localAddress, this.#raw.localPort) ?? unnamed;
  }

  get remoteAddress(): SocketAddress {
    return addressOf(this.#raw.remoteAddress, this.#raw.remotePort) ?? unnamed;
  }

  peek(limit: number): PeekResult {
    const { bytes, readStart } = this.#loop.arena;
    assertInWindows(readStart, readStart + limit);
    this.#limit = Math.max(limit, this.#limit);
    this.#readOn();
    if (this.#failure === "ECONNRESET") return { kind: "ended" };
    if (this.#failure !== undefined) return { kind: "failed", error: this.#failure };
    const seen = this.#kept.subarray(0, limit);
    if (seen.length === 0 && this.#hasEnded) return { kind: "ended" };
    bytes.set(seen, readStart);
    return { kind: "bytes", count: seen.length };
  }

  watch(): void {
    this.#isWatched = true;
    this.#raw.on("data", this.#onData);
    this.#raw.on("end", this.#onEnd);
    this.#raw.resume();
  }

  take(count: number): void {
    this.#kept = this.#kept.subarray(count);
    this.#readOn();
  }

  release(): Descriptor {
    this.#leave();
    this.#raw.pause();
    if (this.#kept.length > 0) this.#raw.unshift(this.#kept);
    return this.#loop.unhold(true);
  }

  close(): void {
    if (!this.#isHeld) return;
    this.#leave();
    this.#loop.unhold(false);
    // It may still fail, and nobody listens any more.
    this.#raw.on("error", () => {});
    this.#raw.destroy();
  }

  /** Without a listener Node would throw away what comes. */
  #readOn(): void {
    if (this.#isWatched && this.#kept.length < this.#limit) this.#raw.resume();
  }

  #leave(): void {
    this.#isHeld = false;
    this.#raw.off("data", this.#onData);
    this.#raw.off("end", this.#onEnd);
    this.#raw.off("error", this.#onError);
  }
}
