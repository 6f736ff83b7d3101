/**
 * A connection that tells what it speaks (codec_type AUTO): by ALPN (RFC 7301), or where the handshake named no protocol
 * by its first bytes, for HTTP/2 begins with a preface that no HTTP/1 request can be (RFC 9113 §3.3, prior
 * knowledge). `Upgrade: h2c` asks in vain: RFC 9113 dropped it.
 *
 * What a newcomer would get wrong: until the first byte it is an HTTP/1 connection, with that one's timeouts. And it
 * stays in between for the connection's life, so it keeps nothing of what it was before: idle connections are many.
 */
import type { DrainStart } from "../../shared/drain/drain.ts";
import type { CloseReason } from "../../shared/io/reactor.ts";
import type { MovedConnection } from "../../shared/protocol/moved-connection.ts";
import type { StreamProgress } from "../../shared/protocol/worker-event.ts";
import type { NetworkFilter } from "../network/network-filter.ts";
import type { Arena } from "../../shared/io/arena.ts";
import { PartialHead } from "./http1/partial-head.ts";
import { clientPreface } from "./http2/frames.ts";

/** What it may become. */
export interface SniffedCodecs {
  readonly http1: NetworkFilter & { leave(): void };
  createHttp2(): NetworkFilter;
  /** What the handshake came to; empty: nothing. */
  alpnProtocol(): string;
}

/** As long as the protocol is not known. */
interface Unknown {
  readonly codecs: SniffedCodecs;
  readonly partial: PartialHead;
  drain: DrainStart | undefined;
}

export class CodecSniffer implements NetworkFilter {
  readonly #arena: Arena;
  #codec: NetworkFilter;
  #unknown: Unknown | undefined;

  constructor(arena: Arena, codecs: SniffedCodecs) {
    this.#arena = arena;
    this.#codec = codecs.http1;
    this.#unknown = { codecs, partial: new PartialHead(), drain: undefined };
  }

  get protocol(): NetworkFilter["protocol"] {
    return this.#codec.protocol;
  }

  get isIdle(): boolean {
    return this.#codec.isIdle;
  }

  moveAway(give: (moved: MovedConnection) => void): void {
    if (this.#unknown?.partial.isEmpty !== false) this.#codec.moveAway?.(give);
  }

  onNewConnection(): void {
    this.#codec.onNewConnection();
  }

  /** What has had a request is known to speak HTTP/1. */
  onMovedHere(moved: MovedConnection): boolean {
    if (moved.kind !== "idle" || moved.requests > 0) this.#become("http1");
    return this.#codec.onMovedHere?.(moved) ?? false;
  }

  /** What ALPN has named is what is spoken, whatever comes. */
  onSecured(): void {
    const protocol = this.#unknown?.codecs.alpnProtocol();
    if (protocol === "h2") this.#become("http2");
    else if (protocol !== "") this.#become("http1");
    this.#codec.onSecured?.();
  }

  onData(from: number, end: number): void {
    const unknown = this.#unknown;
    if (unknown === undefined) {
      this.#codec.onData(from, end);
      return;
    }
    const { partial } = unknown;
    const start = partial.prepend(this.#arena, from);
    const matched = matchedBytes(this.#arena.bytes, start, end);
    if (matched === end - start && matched < clientPreface.length) {
      partial.keep(this.#arena.bytes, start, end);
      return;
    }
    this.#become(matched === clientPreface.length ? "http2" : "http1");
    this.#codec.onData(start, end);
  }

  onEnd(): void {
    this.#codec.onEnd();
  }

  onAboveHighWatermark(): void {
    this.#codec.onAboveHighWatermark();
  }

  onBelowLowWatermark(): void {
    this.#codec.onBelowLowWatermark();
  }

  onSpliced(bytesRead: number, bytesWritten: number): void {
    this.#codec.onSpliced(bytesRead, bytesWritten);
  }

  onDrain(drain: DrainStart): void {
    if (this.#unknown !== undefined) this.#unknown.drain = drain;
    this.#codec.onDrain(drain);
  }

  onDrainDeadlineMoved(drain: DrainStart): void {
    this.#codec.onDrainDeadlineMoved?.(drain);
  }

  endsInOrder(): boolean {
    return this.#codec.endsInOrder?.() ?? false;
  }

  progress(): StreamProgress | undefined {
    return this.#codec.progress?.();
  }

  onClosed(reason: CloseReason, detail: string): void {
    this.#unknown = undefined;
    this.#codec.onClosed(reason, detail);
  }

  #become(protocol: "http1" | "http2"): void {
    const unknown = this.#unknown;
    this.#unknown = undefined;
    if (protocol === "http1" || unknown === undefined) return;
    const { codecs, drain } = unknown;
    codecs.http1.leave();
    this.#codec = codecs.createHttp2();
    this.#codec.onNewConnection();
    if (drain !== undefined) this.#codec.onDrain(drain);
  }
}

/** How many bytes of [start, end) are the preface's. */
function matchedBytes(bytes: Uint8Array, start: number, end: number): number {
  const most = Math.min(end - start, clientPreface.length);
  let i = 0;
  while (i < most && bytes[start + i] === clientPreface[i]) i++;
  return i;
}
