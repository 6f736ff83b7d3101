/**
 * Writes frames into the output buffer of one connection, which goes out at the end of the round, or when it is
 * full. Knows nothing of streams and windows: who calls has asked them.
 */
import { arenaLayout } from "../../../shared/io/arena.ts";
import type { Reactor, Socket } from "../../../shared/io/reactor.ts";
import type { OutputOwner } from "../../../shared/io/output-buffers.ts";
import { flag, frameHeaderBytes, frameType, writeUint32 } from "./frames.ts";
import type { HeadLines, HpackEncoder, RequestLines } from "./hpack-encoder.ts";

const none = -1;
const pingBytes = 8;
const settingBytes = 6;
/** Frames of their own beside the lines of a head: at most 3 bytes a line, and CONTINUATIONs. */
const headSlackBytes = 16 * 1024;

export class FrameWriter implements OutputOwner {
  /** Frames written since the socket had nothing queued: what floods are measured by. */
  framesOut = 0;
  controlFramesOut = 0;
  readonly #reactor: Reactor;
  readonly #socket: Socket;
  readonly #bytes: Uint8Array;
  readonly #onSent: (bytes: number) => void;
  #start = none;
  #at = 0;

  constructor(reactor: Reactor, socket: Socket, onSent: (bytes: number) => void) {
    this.#reactor = reactor;
    this.#socket = socket;
    this.#bytes = reactor.arena.bytes;
    this.#onSent = onSent;
  }

  /** Largest head that can be written. */
  static readonly headBytesMax = arenaLayout.outputBytes - headSlackBytes;

  flushOutput(): void {
    const start = this.#start;
    if (start === none) return;
    const end = this.#at;
    this.#start = none;
    this.#reactor.outputs.give(this);
    if (end === start) return;
    this.#onSent(end - start);
    this.#socket.write(start, end);
    if (this.#socket.queuedBytes > 0) return;
    this.framesOut = 0;
    this.controlFramesOut = 0;
  }

  /** What is gathered goes nowhere any more. */
  discard(): void {
    if (this.#start === none) return;
    this.#start = none;
    this.#reactor.outputs.give(this);
  }

  /** `settings`: pairs of identifier and value. */
  settings(settings: readonly (readonly [id: number, value: number])[]): void {
    let at = this.#begin(settings.length * settingBytes, frameType.settings, 0, 0);
    for (const [id, value] of settings) {
      this.#bytes[at] = id >> 8;
      this.#bytes[at + 1] = id;
      writeUint32(this.#bytes, at + 2, value);
      at += settingBytes;
    }
    this.#at = at;
  }

  settingsAck(): void {
    this.controlFramesOut++;
    this.#at = this.#begin(0, frameType.settings, flag.ack, 0);
  }

  /** `number` tells our own pings from each other. */
  ping(number: number): void {
    const at = this.#begin(pingBytes, frameType.ping, 0, 0);
    writeUint32(this.#bytes, at, 0);
    writeUint32(this.#bytes, at + 4, number);
    this.#at = at + pingBytes;
  }

  /** Repeats the eight bytes at arena position `from`. */
  pingAck(from: number): void {
    this.controlFramesOut++;
    const at = this.#begin(pingBytes, frameType.ping, flag.ack, 0);
    this.#bytes.copyWithin(at, from, from + pingBytes);
    this.#at = at + pingBytes;
  }

  goaway(lastStreamId: number, code: number): void {
    const at = this.#begin(8, frameType.goaway, 0, 0);
    writeUint32(this.#bytes, at, lastStreamId);
    writeUint32(this.#bytes, at + 4, code);
    this.#at = at + 8;
  }

  rstStream(streamId: number, code: number): void {
    this.controlFramesOut++;
    this.#word(frameType.rstStream, streamId, code);
  }

  windowUpdate(streamId: number, increment: number): void {
    this.#word(frameType.windowUpdate, streamId, increment);
  }

  /** arena[start, end) as one frame; the caller keeps to the peer's sizes and windows. */
  data(streamId: number, start: number, end: number, isEnd: boolean): void {
    const length = end - start;
    const at = this.#begin(length, frameType.data, isEnd ? flag.endStream : 0, streamId);
    if (length > 0) this.#bytes.copyWithin(at, start, end);
    this.#at = at + length;
  }

  /** As `data`, of bytes that are not in the arena. */
  kept(streamId: number, part: Uint8Array, isEnd: boolean): void {
    const flags = isEnd ? flag.endStream : 0;
    const at = this.#begin(part.length, frameType.data, flags, streamId);
    this.#bytes.set(part, at);
    this.#at = at + part.length;
  }

  /** A frame of METADATA. */
  metadata(streamId: number, part: Uint8Array, isEnd: boolean): void {
    const flags = isEnd ? flag.endMetadata : 0;
    const at = this.#begin(part.length, frameType.metadata, flags, streamId);
    this.#bytes.set(part, at);
    this.#at = at + part.length;
  }

  /** A copy of arena[start, end), for what cannot go out now. */
  copyOf(start: number, end: number): Uint8Array {
    return this.#bytes.slice(start, end);
  }

  /** A head or trailers: HEADERS, and CONTINUATIONs where it is larger than a frame of the peer's. */
  head(stream: HeadOf, encoder: HpackEncoder, lines: HeadLines): void {
    this.#reserve(lines.end - lines.start + headSlackBytes);
    const blockAt = this.#at + frameHeaderBytes;
    this.#endHead(stream, encoder.encode(this.#bytes, lines, blockAt));
  }

  /** As `head`, of a request. */
  requestHead(stream: HeadOf, encoder: HpackEncoder, lines: RequestLines): void {
    this.#reserve(lines.end - lines.start + headSlackBytes);
    const blockAt = this.#at + frameHeaderBytes;
    this.#endHead(stream, encoder.encodeRequest(this.#bytes, lines, blockAt));
  }

  /** What stands before other frames on the wire, and is none. */
  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  #endHead(stream: HeadOf, end: number): void {
    const headerAt = this.#at;
    const blockAt = headerAt + frameHeaderBytes;
    const endFlag = stream.isEnd ? flag.endStream : 0;
    this.framesOut++;
    if (end - blockAt <= stream.frameBytesMax) {
      this.#header(headerAt, end - blockAt, frameType.headers, endFlag | flag.endHeaders);
      writeUint32(this.#bytes, headerAt + 5, stream.id);
      this.#at = end;
    } else this.#at = this.#split(headerAt, end, stream);
  }

  /** Moves the block apart for the headers of its CONTINUATIONs, from behind. */
  #split(headerAt: number, end: number, stream: HeadOf): number {
    const { frameBytesMax, id } = stream;
    const length = end - headerAt - frameHeaderBytes;
    const frames = Math.ceil(length / frameBytesMax);
    for (let i = frames - 1; i >= 0; i--) {
      const from = headerAt + frameHeaderBytes + i * frameBytesMax;
      const size = Math.min(frameBytesMax, length - i * frameBytesMax);
      const at = from + i * frameHeaderBytes;
      if (i > 0) this.#bytes.copyWithin(at, from, from + size);
      const type = i === 0 ? frameType.headers : frameType.continuation;
      const endStream = i === 0 && stream.isEnd ? flag.endStream : 0;
      const endHeaders = i === frames - 1 ? flag.endHeaders : 0;
      this.#header(at - frameHeaderBytes, size, type, endStream | endHeaders);
      writeUint32(this.#bytes, at - frameHeaderBytes + 5, id);
    }
    this.framesOut += frames - 1;
    return end + (frames - 1) * frameHeaderBytes;
  }

  #word(type: number, streamId: number, value: number): void {
    const at = this.#begin(4, type, 0, streamId);
    writeUint32(this.#bytes, at, value);
    this.#at = at + 4;
  }

  /** Writes a frame's header; returns where its payload goes. */
  #begin(length: number, type: number, flags: number, streamId: number): number {
    this.#reserve(length + frameHeaderBytes);
    const at = this.#at;
    this.#header(at, length, type, flags);
    writeUint32(this.#bytes, at + 5, streamId);
    this.framesOut++;
    return at + frameHeaderBytes;
  }

  #header(at: number, length: number, type: number, flags: number): void {
    const bytes = this.#bytes;
    bytes[at] = length >> 16;
    bytes[at + 1] = length >> 8;
    bytes[at + 2] = length;
    bytes[at + 3] = type;
    bytes[at + 4] = flags;
  }

  #reserve(length: number): void {
    if (this.#start !== none) {
      if (this.#at + length <= this.#start + arenaLayout.outputBytes) return;
      this.flushOutput();
    }
    this.#start = this.#reactor.outputs.take(this);
    this.#at = this.#start;
  }
}

/** Where a head goes. */
export interface HeadOf {
  readonly id: number;
  readonly isEnd: boolean;
  /** SETTINGS_MAX_FRAME_SIZE of the peer. */
  readonly frameBytesMax: number;
}
