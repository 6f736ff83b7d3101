/**
 * One HTTP/2 connection of a client (RFC 9113): reads its frames, makes requests of its streams, and tells it to go.
 * What streams send is in `stream-output.ts`, the rules of single frames in `frame-rules.ts`.
 *
 * What a newcomer would get wrong: within a read, bytes before the present frame are nobody's any more, so a body is
 * sent on from where it lies, with whatever has to stand before it written over the frames that are done.
 */
import type { DrainStart } from "../../../shared/drain/drain.ts";
import type { CloseReason } from "../../../shared/io/reactor.ts";
import type { StreamProgress } from "../../../shared/protocol/worker-event.ts";
import type { DownstreamConnection } from "../../network/downstream-connection.ts";
import type { NetworkFilter } from "../../network/network-filter.ts";
import type { ActiveRequestPool } from "../request/active-request-pool.ts";
import type { HttpContext } from "../http-context.ts";
import { PartialHead } from "../http1/partial-head.ts";
import { http2Stat, httpStat } from "../stat-offsets.ts";
import { ConnectionEnd } from "./connection-end.ts";
import { FloodGuard, type Flood } from "./flood-guard.ts";
import { ReceiveWindow } from "./flow-window.ts";
import { frameProblem } from "./frame-rules.ts";
import {
  clientPreface,
  defaultWindow,
  errorCode,
  flag,
  FrameHeader,
  frameHeaderBytes,
  frameSizeMin,
  frameType,
  readUint31,
  readUint32,
  setting,
  windowMax,
} from "./frames.ts";
import { headBytesOf } from "../head-limits.ts";
import { HeaderBlock } from "./header-block.ts";
import { ServerRequests } from "./server-requests.ts";
import type { ServerStream } from "./server-stream.ts";
import { StreamOutput } from "./stream-output.ts";

const frame = new FrameHeader();
/** Of a padded frame, its data; of HEADERS, the fragment. */
const payload = { start: 0, end: 0 };
/** What HEADERS say, their block and what lies behind it; filled anew for each. */
const head = { id: 0, isEnd: false, isSelfDependent: false };
const block: { bytes: Uint8Array; start: number; end: number } = {
  bytes: new Uint8Array(0),
  start: 0,
  end: 0,
};
const rest = { at: 0, end: 0 };

export class Http2ServerConnection implements NetworkFilter {
  readonly protocol = "http2";
  readonly #context: HttpContext;
  readonly #partial = new PartialHead();
  readonly #window: ReceiveWindow;
  readonly #floods: FloodGuard;
  readonly #block: HeaderBlock;
  readonly #output: StreamOutput<ServerStream>;
  readonly #requests: ServerRequests;
  readonly #end: ConnectionEnd;
  #hasPreface = false;
  #hasSettings = false;

  constructor(context: HttpContext, requests: ActiveRequestPool, connection: DownstreamConnection) {
    const { http2 } = context.config;
    this.#context = context;
    this.#window = new ReceiveWindow(Math.max(http2.connectionWindowBytes, defaultWindow));
    this.#floods = new FloodGuard(http2);
    this.#output = new StreamOutput({
      reactor: context.reactor,
      socket: connection.socket,
      options: http2,
      floods: this.#floods,
      onSent: (bytes) => context.add(httpStat.cxTxBytes, bytes),
    });
    this.#requests = new ServerRequests(context, requests, connection, {
      output: this.#output,
      floods: this.#floods,
      release: (bytes) => this.#release(bytes),
      fail: (code, details) => this.#fail(code, details),
      onFlood: (flood) => this.#onFlood(flood),
      onStreamEnd: () => this.#end.onStreamEnd(),
      decidesToClose: () => this.#end.decidesToClose(),
      atLatest: (dueMs) => this.#end.atLatest(dueMs),
      boundFrames: () => this.#boundFrames(),
    });
    this.#block = new HeaderBlock(headBytesOf(context.config.maxRequestHeadersKb));
    this.#end = new ConnectionEnd(context, connection, {
      output: this.#output,
      block: this.#block,
      requests: this.#requests,
    });
  }

  get isIdle(): boolean {
    return this.#requests.count === 0;
  }

  /** `onNewConnection` of the connection is over: this is the codec that its first bytes asked for. */
  onNewConnection(): void {
    const { http2 } = this.#context.config;
    this.#end.onNewConnection();
    const { writer } = this.#output;
    writer.settings([
      [setting.headerTableSize, http2.hpackTableBytes],
      [setting.enableConnectProtocol, http2.allowsConnect ? 1 : 0],
      [setting.maxConcurrentStreams, http2.maxConcurrentStreams],
      [setting.initialWindowSize, http2.streamWindowBytes],
      ...http2.customSettings,
    ]);
    const more = http2.connectionWindowBytes - defaultWindow;
    if (more > 0) writer.windowUpdate(0, more);
  }

  onData(from: number, end: number): void {
    this.#context.add(httpStat.cxRxBytes, end - from);
    if (this.#end.isClosing) return;
    this.#end.onHeard();
    const { arena } = this.#context.reactor;
    let at = this.#partial.prepend(arena, from);
    if (!this.#hasPreface) {
      at = this.#readPreface(at, end);
      if (at < 0) return;
    }
    while (end - at >= frameHeaderBytes) {
      frame.read(arena.bytes, at);
      if (frame.length > frameSizeMin) return this.#fail(errorCode.frameSizeError, "frame_size");
      const next = at + frameHeaderBytes + frame.length;
      if (next > end) break;
      at = this.#onFrame(at + frameHeaderBytes, next, end);
      if (this.#end.isClosing) return;
    }
    if (at < end) this.#partial.keep(arena.bytes, at, end);
  }

  onEnd(): void {
    this.#end.onEndByPeer(this.#requests.count > 0);
    this.#requests.abandonAll();
    this.#output.writer.flushOutput();
    this.#end.closeNow("flush");
  }

  onAboveHighWatermark(): void {
    this.#output.isFull = true;
    this.#requests.setResponseReading(false);
  }

  onBelowLowWatermark(): void {
    this.#output.isFull = false;
    this.#requests.setResponseReading(true);
  }

  onSpliced(): void {
    // HTTP bytes pass through us.
  }

  onDrain(drain: DrainStart): void {
    this.#end.onDrain(drain);
  }

  endsInOrder(): boolean {
    return this.#end.hasSaidAll;
  }

  progress(): StreamProgress | undefined {
    return this.#requests.progress();
  }

  onClosed(reason: CloseReason): void {
    this.#output.writer.discard();
    const hadRequests = this.#requests.count > 0;
    this.#requests.abandonAll();
    this.#partial.clear();
    this.#end.onClosed(reason, hadRequests);
  }

  #readPreface(at: number, end: number): number {
    const { bytes } = this.#context.reactor.arena;
    const length = Math.min(end - at, clientPreface.length);
    for (let i = 0; i < length; i++) {
      if (bytes[at + i] === clientPreface[i]) continue;
      this.#fail(errorCode.protocolError, "bad_preface");
      return -1;
    }
    if (length < clientPreface.length) {
      this.#partial.keep(bytes, at, end);
      return -1;
    }
    this.#hasPreface = true;
    return at + length;
  }

  /** The frame's payload is bytes[start, end), and the read goes on to `readEnd`; returns where the next one begins. */
  #onFrame(start: number, end: number, readEnd: number): number {
    const { bytes } = this.#context.reactor.arena;
    const { type } = frame;
    const isContinued = this.#block.isOpen;
    if (isContinued !== (type === frameType.continuation)) {
      this.#fail(errorCode.protocolError, "continuation");
      return end;
    }
    if (!this.#hasSettings && (type !== frameType.settings || frame.has(flag.ack))) {
      this.#fail(errorCode.protocolError, "settings_first");
      return end;
    }
    this.#hasSettings = true;
    const problem = frameProblem(frame);
    if (problem !== errorCode.noError) {
      this.#fail(problem, "bad_frame");
      return end;
    }
    payload.start = start;
    payload.end = end;
    switch (type) {
      case frameType.data:
        this.#onData();
        break;
      case frameType.headers:
        return this.#onHeaders(readEnd);
      case frameType.continuation:
        return this.#onContinuation(readEnd);
      case frameType.windowUpdate:
        this.#onWindowUpdate(readUint31(bytes, start));
        break;
      case frameType.metadata:
        this.#onMetadata(start, end);
        break;
      default:
        this.#onControl(start, end);
    }
    return end;
  }

  #onControl(start: number, end: number): void {
    const { writer } = this.#output;
    switch (frame.type) {
      case frameType.settings:
        if (!frame.has(flag.ack)) this.#onSettings(start, end);
        break;
      case frameType.ping:
        if (!frame.has(flag.ack)) writer.pingAck(start);
        else this.#end.onPingAck(readUint32(this.#context.reactor.arena.bytes, start + 4));
        break;
      case frameType.rstStream:
        this.#requests.onReset(frame.streamId);
        break;
      case frameType.priority:
        this.#onFlood(this.#floods.onPriority());
        if (this.#dependsOnItself(start))
          this.#requests.resetId(frame.streamId, errorCode.protocolError);
        break;
      default:
      // GOAWAY: the client opens no more streams of its own accord. What is not known is ignored (§5.5).
    }
    this.#boundFrames();
  }

  #boundFrames(): void {
    this.#output.boundFrames((stat) => this.#end.onFlooded(stat));
  }

  #onMetadata(start: number, end: number): void {
    if (!this.#context.config.http2.allowsMetadata) return;
    const part = this.#context.reactor.arena.bytes.subarray(start, end);
    this.#requests.onMetadata(frame.streamId, part, frame.flags === flag.endMetadata);
  }

  #onData(): void {
    const length = payload.end - payload.start;
    const ends = frame.has(flag.endStream);
    if (!this.#window.receive(length)) return this.#fail(errorCode.flowControlError, "window");
    if (!this.#unpad()) return this.#fail(errorCode.protocolError, "padding");
    if (this.#onFlood(this.#floods.onPayload(length, ends))) return;
    this.#requests.onData(frame.streamId, payload, { flowBytes: length, isEnd: ends });
  }

  #onHeaders(readEnd: number): number {
    const end = payload.end;
    if (!this.#unpad()) return this.#failed(errorCode.protocolError, "padding", end);
    const isSelfDependent = frame.has(flag.priority) && this.#dependsOnItself(payload.start);
    if (frame.has(flag.priority)) payload.start += 5;
    if (payload.start > payload.end) return this.#failed(errorCode.frameSizeError, "priority", end);
    const ends = frame.has(flag.endStream);
    if (this.#onFlood(this.#floods.onPayload(payload.end - payload.start, ends))) return end;
    const { bytes } = this.#context.reactor.arena;
    head.id = frame.streamId;
    head.isEnd = ends;
    head.isSelfDependent = isSelfDependent;
    if (!frame.has(flag.endHeaders)) {
      this.#block.open(
        { ...head },
        bytes.slice(payload.start, payload.end),
        this.#context.reactor.nowMs,
      );
      this.#end.onHeadBegun();
      return end;
    }
    block.bytes = bytes;
    block.start = payload.start;
    block.end = payload.end;
    rest.at = end;
    rest.end = readEnd;
    return this.#takeBodyFrame(end, this.#requests.onHeaders(head, block, rest));
  }

  #onContinuation(readEnd: number): number {
    const { end } = payload;
    const { bytes } = this.#context.reactor.arena;
    if (this.#block.id !== frame.streamId) {
      return this.#failed(errorCode.protocolError, "continuation", end);
    }
    if (this.#onFlood(this.#floods.onPayload(end - payload.start, frame.has(flag.endHeaders))))
      return end;
    if (!this.#block.add(bytes.slice(payload.start, end))) {
      this.#context.countHttp2(http2Stat.headerOverflow);
      return this.#failed(errorCode.enhanceYourCalm, "header_block_too_large", end);
    }
    if (!frame.has(flag.endHeaders)) return end;
    const { head: opened, bytes: whole } = this.#block.close();
    const next = this.#requests.onHeaders(
      opened,
      { bytes: whole, start: 0, end: whole.length },
      { at: end, end: readEnd },
    );
    return this.#takeBodyFrame(end, next);
  }

  /** The DATA frame behind a head went with it: what it takes of the window is counted here. */
  #takeBodyFrame(end: number, next: number): number {
    if (next === end) return end;
    const length = next - end - frameHeaderBytes;
    if (!this.#window.receive(length)) this.#fail(errorCode.flowControlError, "window");
    else this.#onFlood(this.#floods.onPayload(length, true));
    return next;
  }

  #onSettings(start: number, end: number): void {
    const { bytes } = this.#context.reactor.arena;
    for (let at = start; at < end; at += 6) {
      const id = ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
      const code = this.#output.onSetting(id, readUint32(bytes, at + 2), this.#requests.streams);
      if (code !== errorCode.noError) return this.#fail(code, "settings");
    }
    this.#output.writer.settingsAck();
    this.#requests.pump();
  }

  #onWindowUpdate(increment: number): void {
    const { streamId } = frame;
    if (this.#onFlood(this.#floods.onWindowUpdate())) return;
    if (streamId !== 0) {
      this.#requests.onWindowUpdate(streamId, increment);
      return;
    }
    if (increment === 0) return this.#fail(errorCode.protocolError, "window_update");
    this.#output.sendWindow += increment;
    if (this.#output.sendWindow > windowMax)
      return this.#fail(errorCode.flowControlError, "window");
    this.#requests.pump();
  }

  /** Takes the padding off; false: there is more of it than payload (§6.1). */
  #unpad(): boolean {
    if (!frame.has(flag.padded)) return true;
    if (payload.start === payload.end) return false;
    payload.end -= this.#context.reactor.arena.bytes[payload.start++] as number;
    return payload.end >= payload.start;
  }

  #dependsOnItself(at: number): boolean {
    return readUint31(this.#context.reactor.arena.bytes, at) === frame.streamId;
  }

  #release(bytes: number): void {
    const increment = this.#window.release(bytes);
    if (increment > 0) this.#output.writer.windowUpdate(0, increment);
  }

  #onFlood(flood: Flood | undefined): boolean {
    if (flood === undefined) return false;
    this.#end.onFlood(flood);
    return true;
  }

  #failed(code: number, details: string, end: number): number {
    this.#fail(code, details);
    return end;
  }

  #fail(code: number, details: string): void {
    this.#end.fail(code, details);
  }
}
