/**
 * One stream of a client's connection: a request on its way in, its response on its way out (RFC 9113 §5.1). What
 * is not there any more (no entry in the connection's map) is idle or closed.
 */
import type { Metadata } from "../../../shared/http-filter/http-filter.ts";
import type { ActiveRequest } from "../request/active-request.ts";
import type { ResponseSink } from "../request/response-sink.ts";
import type { BodyPart } from "../upstream/upstream-request.ts";
import { ReceiveWindow } from "./flow-window.ts";
import type { MetadataDecoder } from "./metadata-decoder.ts";
import { SendQueue } from "./send-queue.ts";

/** What a stream asks of its connection. */
export interface StreamOwner {
  readonly isOutputFull: boolean;
  /** Of SETTINGS. */
  readonly streamWindowBytes: number;
  readonly peerWindowBytes: number;
  sendHead(stream: ServerStream, body: BodyPart): void;
  sendBody(stream: ServerStream, part: BodyPart): void;
  sendTrailers(stream: ServerStream, start: number, end: number): void;
  sendMetadata(stream: ServerStream, metadata: Metadata): void;
  decidesToClose(): void;
  onResponseEnd(stream: ServerStream): void;
  onResponseBroken(stream: ServerStream): void;
  onWaitEnd(stream: ServerStream): void;
  /** The request takes bytes again: what was held back is given back to the client. */
  release(stream: ServerStream, bytes: number): void;
  onReadingChanged(on: boolean): void;
  atLatest(dueMs: number): void;
}

export interface HeldRequest {
  /** As HTTP/1 text. */
  readonly head: string;
  readonly body: SendQueue;
  readonly metadata: Metadata[];
}

export class ServerStream implements ResponseSink {
  readonly isHttp2 = true;
  readonly id: number;
  readonly startMs: number;
  isRequestComplete = false;
  /** Undefined once it is over. */
  request: ActiveRequest | undefined;
  /** Of the body, by its content-length; -1: not known. */
  bodyLeft = -1;
  sendWindow: number;
  readonly receiveWindow: ReceiveWindow;
  readonly queue = new SendQueue();
  isReset = false;
  /** The client has taken something last; asked only when the response is over and bytes of it still wait. */
  flushSinceMs = 0;
  /** The response's last byte was handed over, though it may wait in the queue. */
  isResponseOver = false;
  /** What came of a request that waits. */
  held: HeldRequest | undefined;
  /** Of what the client sends, once it does. */
  metadata: MetadataDecoder | undefined;
  readonly #owner: StreamOwner;
  #isReading = true;
  #heldBack = 0;

  constructor(owner: StreamOwner, id: number, startMs: number) {
    this.#owner = owner;
    this.id = id;
    this.startMs = startMs;
    this.sendWindow = owner.peerWindowBytes;
    this.receiveWindow = new ReceiveWindow(owner.streamWindowBytes);
  }

  get isOutputFull(): boolean {
    return this.#owner.isOutputFull || !this.queue.isEmpty;
  }

  sendHead(body: BodyPart): void {
    this.#owner.sendHead(this, body);
  }

  sendBody(start: number, end: number, isEnd: boolean): void {
    this.#owner.sendBody(this, { start, end, isEnd });
  }

  onTunnel(): void {
    // Its connection goes on as before.
  }

  sendTrailers(start: number, end: number): void {
    this.#owner.sendTrailers(this, start, end);
  }

  sendMetadata(metadata: Metadata): void {
    this.#owner.sendMetadata(this, metadata);
  }

  /** Never: a response says nothing of the connection. The drain may have to begin, though. */
  decidesToClose(): boolean {
    this.#owner.decidesToClose();
    return false;
  }

  closeAfterResponse(): void {
    // The connection has other streams.
  }

  onResponseEnd(): void {
    this.isResponseOver = true;
    this.#owner.onResponseEnd(this);
  }

  onResponseBroken(): void {
    this.isResponseOver = true;
    this.isReset = true;
    this.#owner.onResponseBroken(this);
  }

  setRequestReading(on: boolean): void {
    if (on === this.#isReading) return;
    this.#isReading = on;
    this.#owner.onReadingChanged(on);
    if (on) this.#giveBack();
  }

  /** Bytes were taken: the client gets room for more, unless they are held here or the request has its fill. */
  consumed(bytes: number): void {
    this.#heldBack += bytes;
    if (this.#isReading && this.held === undefined) this.#giveBack();
  }

  /** What was held while the request waited has gone on. */
  onHeldSent(): void {
    if (this.#isReading) this.#giveBack();
  }

  /** What it holds of the connection's window when it ends. */
  takeHeldBack(): number {
    const bytes = this.#heldBack;
    this.#heldBack = 0;
    return bytes;
  }

  #giveBack(): void {
    const bytes = this.takeHeldBack();
    if (bytes > 0) this.#owner.release(this, bytes);
  }

  atLatest(dueMs: number): void {
    this.#owner.atLatest(dueMs);
  }

  onWaitEnd(): void {
    this.#owner.onWaitEnd(this);
  }
}
