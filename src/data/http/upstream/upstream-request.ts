/**
 * The seam between a request and the connection that carries it to a host. The request implements the
 * callbacks; the pool and the client codec call them. After `onUpstreamReset`, `onPoolFailure` or the
 * end of the response the connection is no longer the request's.
 */
import type { Metadata } from "../../../shared/http-filter/http-filter.ts";
import type { Socket } from "../../../shared/io/reactor.ts";
import type { UpgradedRequest } from "../../../shared/protocol/moved-connection.ts";
import type { HeadWriter } from "../http1/head-writer.ts";
import type { SpelledNames } from "../http1/spelled-names.ts";
import type { CircuitBreakers } from "../../upstream/circuit-breakers.ts";
import type { UpstreamHost } from "../../upstream/cluster-table.ts";
import type { ResetReason } from "./reset-reason.ts";

/** What codecs must know of a request beside its head. */
export interface RequestForm {
  /** No body follows the response's head, whatever it says. */
  readonly isHeadRequest: boolean;
  /** What it asks for, as in `upgrade.ts`: what follows an answer that grants it has no form. */
  readonly upgradeType: string;
  /** Its scheme is https, as its client or a trusted proxy before us says. */
  readonly isSecured: boolean;
  /** As its client spelled them, where that is kept. */
  readonly spelledNames: SpelledNames | undefined;
}

export interface UpstreamRequest {
  /** Of the route's priority. */
  readonly breakers: CircuitBreakers;
  readonly form: RequestForm;
  /** Every byte of the request was given to the connection. */
  readonly isSent: boolean;
  /** A connection came free for a request that waited: send it now. */
  onConnectionReady(connection: UpstreamConnection): void;
  /** No connection came about; never called within `HttpPool.acquire`. */
  onPoolFailure(reason: ResetReason, transportFailure: string): void;
  /**
   * `responseHead` and the header table hold the head; bytes[bodyStart, bodyEnd) is what came of the
   * body with it. `contentLength` -1: not known. `isEnd`: that is all.
   */
  onResponseHead(body: ResponseBody): void;
  onResponseBody(start: number, end: number, isEnd: boolean): void;
  /** The lines arena[start, end) of the staging window, which the header table holds, too: with them it is over. */
  onResponseTrailers(start: number, end: number): void;
  /** It may come before the head. */
  onResponseMetadata(metadata: Metadata): void;
  onUpstreamReset(reason: ResetReason): void;
  /** Of the upstream socket's output: pause, resume reading the downstream. */
  onUpstreamAboveHighWatermark(): void;
  onUpstreamBelowLowWatermark(): void;
}

/** What a request may do with the connection it was given. */
export interface UpstreamConnection {
  readonly host: UpstreamHost;
  readonly socket: Socket;
  /** Requests it has carried, the present one included. */
  readonly requestCount: number;
  /** It may say that it has not looked at the request, which is then sent elsewhere without harm. */
  readonly mayRefuse: boolean;
  /** Any byte of the present response has come. */
  readonly hasAnswered: boolean;
  /** What it is once it carries nothing but what was granted, as it is; undefined: that is not so. */
  readonly tunnel: Tunnel | undefined;
  /** Sends the head that the writer holds, and the first part of the body. `isChunked`: it has no length. */
  sendHead(writer: HeadWriter, body: BodyPart, isChunked: boolean): void;
  /** A further part of the body, as it is. */
  sendBody(start: number, end: number, isEnd: boolean): void;
  /** Lines of the staging window, as of responses: with them the request is over. */
  sendTrailers(start: number, end: number): void;
  /** At any time before the end; what comes before the head goes behind it. A host that takes none gets none. */
  sendMetadata(metadata: Metadata): void;
  setReading(on: boolean): void;
  /** The request is not interested any more. */
  abandon(): void;
}

/** A connection that can go on in another process with its request. */
export interface Tunnel {
  readonly kind: UpgradedRequest["upstreamKind"];
  readonly host: UpstreamHost;
  readonly socket: Socket;
  readonly startMs: number;
  /** Another process has its socket: here it is not the request's any more, and is to count no end. */
  leave(): void;
}

/** Decoded bytes of a body in the arena. */
export interface BodyPart {
  readonly start: number;
  readonly end: number;
  /** That was the message. */
  readonly isEnd: boolean;
}

/** The first part of a response's body; one object a connection, filled anew for each response. */
export interface ResponseBody {
  readonly start: number;
  readonly end: number;
  readonly isEnd: boolean;
  /** -1: chunked, or until the connection closes. */
  readonly contentLength: number;
}
