/** One request on an HTTP/2 connection to a host: what the exchange sees of the connection (RFC 9113 §5.1). */
import type { Metadata } from "../../../shared/http-filter/http-filter.ts";
import type { Socket } from "../../../shared/io/reactor.ts";
import type { UpstreamHost } from "../../upstream/cluster-table.ts";
import type { HeadWriter } from "../http1/head-writer.ts";
import { ReceiveWindow } from "../http2/flow-window.ts";
import type { MetadataDecoder } from "../http2/metadata-decoder.ts";
import { SendQueue } from "../http2/send-queue.ts";
import type { BodyPart, UpstreamConnection, UpstreamRequest } from "./upstream-request.ts";

/** What a stream asks of its connection. */
export interface ClientStreamOwner {
  readonly host: UpstreamHost;
  readonly socket: Socket;
  readonly requestCount: number;
  readonly isOutputFull: boolean;
  readonly streamWindowBytes: number;
  readonly peerWindowBytes: number;
  sendHead(stream: Http2ClientStream, writer: HeadWriter, body: BodyPart): void;
  sendBody(stream: Http2ClientStream, part: BodyPart): void;
  sendTrailers(stream: Http2ClientStream, start: number, end: number): void;
  sendMetadata(stream: Http2ClientStream, metadata: Metadata): void;
  abandon(stream: Http2ClientStream): void;
  /** The stream's data needs no room any more. */
  release(stream: Http2ClientStream, bytes: number): void;
  onReadingChanged(on: boolean): void;
}

export class Http2ClientStream implements UpstreamConnection {
  readonly mayRefuse = true;
  readonly tunnel = undefined;
  readonly id: number;
  readonly host: UpstreamHost;
  readonly requestCount: number;
  hasAnswered = false;
  /** Undefined once it is over. */
  request: UpstreamRequest | undefined;
  /** The head of the response has come. */
  hasHead = false;
  /** Its body is none, whatever comes. */
  isBodyless = false;
  /** Of the body, by its content-length; -1: not known. */
  bodyLeft = -1;
  sendWindow: number;
  flushSinceMs = 0;
  readonly receiveWindow: ReceiveWindow;
  readonly queue = new SendQueue();
  isHeadSent = false;
  /** What comes before it can be sent. */
  earlyMetadata: Metadata[] | undefined;
  /** Of what the host sends, once it does. */
  metadata: MetadataDecoder | undefined;
  /** Every byte of the request was given to it. */
  isRequestSent = false;
  readonly #owner: ClientStreamOwner;
  #isReading = true;
  #isFull = false;
  #heldBack = 0;

  constructor(owner: ClientStreamOwner, id: number, request: UpstreamRequest) {
    this.#owner = owner;
    this.id = id;
    this.host = owner.host;
    this.requestCount = owner.requestCount;
    this.request = request;
    this.sendWindow = owner.peerWindowBytes;
    this.receiveWindow = new ReceiveWindow(owner.streamWindowBytes);
  }

  get socket(): Socket {
    return this.#owner.socket;
  }

  sendHead(writer: HeadWriter, body: BodyPart): void {
    this.isHeadSent = true;
    this.isRequestSent = body.isEnd;
    this.#owner.sendHead(this, writer, body);
  }

  sendBody(start: number, end: number, isEnd: boolean): void {
    this.isRequestSent = isEnd;
    this.#owner.sendBody(this, { start, end, isEnd });
  }

  sendTrailers(start: number, end: number): void {
    this.isRequestSent = true;
    this.#owner.sendTrailers(this, start, end);
  }

  sendMetadata(metadata: Metadata): void {
    if (this.isHeadSent) this.#owner.sendMetadata(this, metadata);
    else (this.earlyMetadata ??= []).push(metadata);
  }

  setReading(on: boolean): void {
    if (on === this.#isReading) return;
    this.#isReading = on;
    this.#owner.onReadingChanged(on);
    if (!on || this.#heldBack === 0) return;
    const bytes = this.#heldBack;
    this.#heldBack = 0;
    this.#owner.release(this, bytes);
  }

  abandon(): void {
    this.#owner.abandon(this);
  }

  /** Bytes were handed on: the host gets room for more, unless the client has its fill. */
  consumed(bytes: number): void {
    // Of one that is over nobody would give them back.
    if (this.#isReading || this.request === undefined) this.#owner.release(this, bytes);
    else this.#heldBack += bytes;
  }

  /** What it holds of the connection's window when it ends. */
  takeHeldBack(): number {
    const bytes = this.#heldBack;
    this.#heldBack = 0;
    return bytes;
  }

  /** Tells the request when the way to the host is blocked, by its own window or the socket. */
  updateFull(): void {
    const isFull = this.#owner.isOutputFull || !this.queue.isEmpty;
    if (isFull === this.#isFull) return;
    this.#isFull = isFull;
    if (isFull) this.request?.onUpstreamAboveHighWatermark();
    else this.request?.onUpstreamBelowLowWatermark();
  }
}
