/**
 * A socket of the `node` reactor: `net.Socket` behind the same contract, by copying. It differs from
 * the epoll one where Node gives no way: a reset is not noticed while reading is off, and bytes that
 * arrived before a failed write are lost.
 */
import type net from "node:net";
import { assert } from "../common/assert.ts";
import { type SocketAddress, unnamed } from "../common/address.ts";
import { unmappedIp } from "../common/ip-address.ts";
import { arenaLayout, type Arena } from "./arena.ts";
import type { CloseReason, Socket, SocketHandler, TlsStart } from "./reactor.ts";
import { secure } from "./tls/node-tls.ts";
import type { TlsFailure, TlsSession } from "./tls/tls.ts";
import { assertInWindows } from "./windows.ts";

export interface NodeSocketLoop {
  readonly arena: Arena;
  /** Runs a callback of Node's as a round; a throw closes `owner` as a bug. */
  run(owner: NodeSocket, callback: () => void): void;
  /** False when `count` more bytes of queued output would exceed the cap of the reactor. */
  mayQueue(count: number): boolean;
  /** The socket's queue has now that many bytes more, or fewer. */
  queueChanged(byBytes: number): void;
  ended(socket: NodeSocket): void;
  bug(error: unknown): void;
}

/** Bytes that one direction of a relay may queue before its source is no longer read. */
const relayQueueBytes = 256 * 1024;

export class NodeSocket implements Socket {
  readonly handler: SocketHandler;
  /** The TLS socket above it, once there is one. */
  #raw: net.Socket;
  readonly #loop: NodeSocketLoop;
  readonly #bufferLimitBytes: number;
  #localAddress: SocketAddress | undefined;
  #remoteAddress: SocketAddress | undefined;

  #state: "connecting" | "handshaking" | "open" | "flushing" | "closed" = "open";
  #isReading = true;
  #isReadEnded = false;
  #isWriteEnded = false;
  #isAboveWatermark = false;
  #accountedBytes = 0;
  /** Received, not delivered: reading was turned off in between. */
  #rest: Buffer | null = null;
  #relayPeer: NodeSocket | null = null;
  #error: NodeJS.ErrnoException | undefined;
  #closedBy: CloseReason | undefined;
  #isSecured = false;
  tlsSession: TlsSession | undefined;
  tlsFailure: TlsFailure | undefined;
  readonly #onWritten = (): void => this.#loop.run(this, () => this.#afterWrite());

  constructor(
    loop: NodeSocketLoop,
    raw: net.Socket,
    handler: SocketHandler,
    options: { readonly bufferLimitBytes: number; readonly dialled: SocketAddress | undefined },
  ) {
    this.#loop = loop;
    this.#raw = raw;
    this.handler = handler;
    this.#bufferLimitBytes = options.bufferLimitBytes;
    this.#remoteAddress = options.dialled;
    if (options.dialled !== undefined) this.#state = "connecting";
    raw.on("connect", () => loop.run(this, () => this.#onConnect()));
    this.#follow(raw);
    if (this.#state === "open") raw.resume();
  }

  #follow(raw: net.Socket): void {
    const loop = this.#loop;
    raw.on("data", (chunk) => loop.run(this, () => this.#onChunk(chunk)));
    raw.on("end", () => loop.run(this, () => this.#onFin()));
    raw.on("error", (error) => (this.#error = error));
    raw.on("close", () => loop.run(this, () => this.#onClose()));
  }

  get queuedBytes(): number {
    return this.#state === "closed" ? 0 : this.#raw.writableLength;
  }

  get isOpen(): boolean {
    const state = this.#state;
    return state === "open" || state === "connecting" || state === "handshaking";
  }

  /** Kept after the first look, as a closed socket has no name any more. */
  get localAddress(): SocketAddress {
    this.#localAddress ??= addressOf(this.#raw.localAddress, this.#raw.localPort);
    return this.#localAddress ?? unnamed;
  }

  /** Where it was accepted, if the system does not tell. */
  knowLocalAddress(address: SocketAddress): void {
    this.#localAddress = address;
  }

  get remoteAddress(): SocketAddress {
    this.#remoteAddress ??= addressOf(this.#raw.remoteAddress, this.#raw.remotePort);
    return this.#remoteAddress ?? unnamed;
  }

  write(start: number, end: number): void {
    assertInWindows(start, end);
    if (start === end || this.#isWriteEnded || !this.isOpen) return;
    this.#send(Buffer.from(this.#loop.arena.bytes.subarray(start, end)));
    const limit = this.#bufferLimitBytes;
    if (limit === 0 || this.queuedBytes <= limit || this.#isAboveWatermark) return;
    this.#isAboveWatermark = true;
    this.#guard(() => this.handler.onAboveHighWatermark());
  }

  startTls(start: TlsStart): void {
    if (!this.isOpen || this.#isSecured) return;
    this.#isSecured = true;
    // At once, also before it is connected: what is written from now on must not go out as it is.
    const carrier = this.#raw;
    if (this.#state === "open") this.#state = "handshaking";
    for (const event of ["data", "end", "error", "close"]) carrier.removeAllListeners(event);
    // What was looked at before is still in it: flowing without a listener it would be thrown away.
    carrier.pause();
    this.#raw = secure(carrier, start, this, (outcome) =>
      this.#loop.run(this, () => this.#onSecured(outcome)),
    );
    // What becomes of the one below shows on the one above.
    carrier.on("error", (error) => (this.#error ??= error));
    this.#follow(this.#raw);
    this.#raw.resume();
  }

  #onSecured(outcome: TlsSession | TlsFailure): void {
    if (this.#state !== "handshaking") return;
    if ("reason" in outcome) {
      this.tlsFailure = outcome;
      this.#closedBy = "tlsFailed";
      this.#destroy(false);
      return;
    }
    this.tlsSession = outcome;
    this.#state = "open";
    if (!this.#isReading) this.#raw.pause();
    this.handler.onConnected();
  }

  setReading(on: boolean): void {
    if (this.#isReading === on) return;
    this.#isReading = on;
    if (!this.isOpen || this.#relayPeer !== null) return;
    if (on) this.#raw.resume();
    else this.#raw.pause();
    // Delivered in a callback of its own, never inside this call.
    if (on && this.#rest !== null)
      setImmediate(() => this.#loop.run(this, () => this.#deliverRest()));
  }

  shutdownWrite(): void {
    if (this.#isWriteEnded || !this.isOpen) return;
    this.#isWriteEnded = true;
    this.#raw.end();
  }

  close(how: "flush" | "now" | "reset"): void {
    if (this.#state === "closed") return;
    this.#closedBy ??= "local";
    this.#isReading = false;
    if (how === "flush" && this.queuedBytes > 0 && this.#state !== "connecting") {
      this.#state = "flushing";
      this.#raw.pause();
      this.#raw.destroySoon();
      return;
    }
    this.#destroy(how === "reset");
  }

  /** There are no descriptors here. */
  detach(): undefined {
    return undefined;
  }

  detachWith(): undefined {
    return undefined;
  }

  leaveRelay(): void {}

  hasUnreadBytes(): boolean {
    return this.#state !== "closed" && (this.#rest !== null || this.#raw.readableLength > 0);
  }

  pipeTo(peer: Socket): void {
    assert(peer instanceof NodeSocket, "the peer is of another reactor");
    this.#startRelay(peer);
    peer.#startRelay(this);
  }

  /** Its handler threw. */
  closeForBug(): void {
    if (this.#state === "closed") return;
    this.#closedBy = "bug";
    this.#destroy(true);
  }

  #onConnect(): void {
    if (this.#state !== "connecting") return;
    if (this.#isSecured) {
      this.#state = "handshaking";
      return;
    }
    this.#state = "open";
    if (!this.#isReading) this.#raw.pause();
    this.handler.onConnected();
  }

  #onChunk(chunk: Buffer): void {
    if (!this.isOpen) return;
    if (this.#relayPeer !== null) this.#relayChunk(this.#relayPeer, chunk);
    else this.#deliver(chunk);
  }

  /** In pieces of the read window, until the handler wants no more. */
  #deliver(chunk: Buffer): void {
    const { bytes, readStart } = this.#loop.arena;
    let offset = 0;
    while (offset < chunk.length && this.#isReading && this.isOpen && this.#relayPeer === null) {
      const piece = chunk.subarray(offset, offset + arenaLayout.readBytes);
      bytes.set(piece, readStart);
      offset += piece.length;
      this.handler.onData(readStart, readStart + piece.length);
    }
    const rest = chunk.subarray(offset);
    if (rest.length === 0 || !this.isOpen) return;
    if (this.#relayPeer !== null) this.#relayChunk(this.#relayPeer, rest);
    else this.#rest = this.#rest === null ? rest : Buffer.concat([this.#rest, rest]);
  }

  #deliverRest(): void {
    const rest = this.#rest;
    if (rest === null || !this.isOpen || !this.#isReading) return;
    this.#rest = null;
    this.#onChunk(rest);
    if (this.#rest === null && this.#isReadEnded) this.#callEnd();
  }

  #onFin(): void {
    this.#isReadEnded = true;
    if (this.#rest === null) this.#callEnd();
  }

  #callEnd(): void {
    if (!this.isOpen) return;
    if (this.#relayPeer !== null) this.#relayPeer.shutdownWrite();
    else this.handler.onEnd();
  }

  #send(bytes: Buffer): void {
    if (!this.#loop.mayQueue(bytes.length)) {
      this.#closedBy = "reset";
      this.#error = Object.assign(new Error("queue full"), { code: "ENOMEM" });
      this.#destroy(true);
      return;
    }
    this.#raw.write(bytes, this.#onWritten);
    this.#account();
  }

  #account(): void {
    const bytes = this.queuedBytes;
    if (bytes === this.#accountedBytes) return;
    this.#loop.queueChanged(bytes - this.#accountedBytes);
    this.#accountedBytes = bytes;
  }

  #afterWrite(): void {
    this.#account();
    if (!this.isOpen) return;
    if (this.#relayPeer !== null) {
      if (this.queuedBytes <= relayQueueBytes / 2) this.#relayPeer.#raw.resume();
      return;
    }
    const limit = this.#bufferLimitBytes;
    const isBelow = limit === 0 ? this.queuedBytes === 0 : this.queuedBytes <= limit / 2;
    if (!isBelow || (limit !== 0 && !this.#isAboveWatermark)) return;
    this.#isAboveWatermark = false;
    this.handler.onBelowLowWatermark();
  }

  #startRelay(peer: NodeSocket): void {
    this.#relayPeer = peer;
    if (!this.isOpen) return;
    const rest = this.#rest;
    this.#rest = null;
    if (rest !== null) this.#relayChunk(peer, rest);
    if (this.#isReadEnded) peer.shutdownWrite();
    this.#raw.resume();
  }

  #relayChunk(peer: NodeSocket, chunk: Buffer): void {
    if (!peer.isOpen) return;
    peer.#send(chunk);
    if (peer.queuedBytes > relayQueueBytes) this.#raw.pause();
    this.#guard(() => this.handler.onSpliced(chunk.length, 0));
    peer.#guard(() => peer.handler.onSpliced(0, chunk.length));
  }

  /** For callbacks made inside another socket's: each pays for its own. */
  #guard(callback: () => void): void {
    if (this.#state === "closed") return;
    try {
      callback();
    } catch (error) {
      this.#loop.bug(error);
      this.closeForBug();
    }
  }

  #destroy(withReset: boolean): void {
    const { writableEnded, writableFinished, remoteFamily } = this.#raw;
    const isConnected = this.#state !== "connecting" && remoteFamily !== undefined;
    // libuv refuses a reset while its FIN is under way, and Node then never says that the socket closed.
    const isFinUnderWay = writableEnded && !writableFinished;
    this.#endState();
    // Node's TLS cannot reset, and must not lose the socket below it: the peer sees an end.
    if (withReset && isConnected && !isFinUnderWay && !this.#isSecured) this.#raw.resetAndDestroy();
    else this.#raw.destroy();
  }

  #onClose(): void {
    const wasConnecting = this.#state === "connecting";
    const wasHandshaking = this.#state === "handshaking";
    this.#endState();
    this.#loop.ended(this);
    if (this.#relayPeer?.isOpen) this.#relayPeer.#raw.pause();
    this.handler.onClosed(
      this.#closedBy ?? this.#reason(wasConnecting, wasHandshaking),
      this.#error?.code ?? "",
    );
  }

  #reason(wasConnecting: boolean, wasHandshaking: boolean): CloseReason {
    if (wasConnecting) return "connectFailed";
    if (wasHandshaking || this.#error?.code?.startsWith("ERR_SSL") === true) {
      const { code = "closed" } = this.#error ?? {};
      this.tlsFailure ??= {
        kind: code.startsWith("ERR_SSL") ? "protocol" : "closed",
        reason: this.#error?.message ?? code,
      };
      return "tlsFailed";
    }
    if (this.#error === undefined) return "remote";
    return this.#error.code === "ETIMEDOUT" ? "timeout" : "reset";
  }

  #endState(): void {
    this.#state = "closed";
    this.#rest = null;
    this.#account();
  }
}

/** Undefined: it has none (any more). */
export function addressOf(
  ip: string | undefined,
  port: number | undefined,
): SocketAddress | undefined {
  return ip === undefined || port === undefined
    ? undefined
    : { kind: "ip", ip: unmappedIp(ip), port };
}
