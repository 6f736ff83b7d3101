/**
 * The seam between a request and the connection that carries it to a host. The request implements the
 * callbacks; the pool and the client codec call them. After `onUpstreamReset`, `onPoolFailure` or the
 * end of the response the connection is no longer the request's.
 */
import type { CircuitBreakers } from "../../upstream/circuit-breakers.ts";
import type { Http1ClientConnection } from "./http1-client-connection.ts";
import type { ResetReason } from "./reset-reason.ts";

export interface UpstreamRequest {
  /** Of the route's priority. */
  readonly breakers: CircuitBreakers;
  /** No body follows the response's head, whatever it says. */
  readonly isHeadRequest: boolean;
  /** Every byte of the request was given to the connection. */
  readonly isSent: boolean;
  /** A connection came free for a request that waited: send it now. */
  onConnectionReady(connection: Http1ClientConnection): void;
  /** No connection came about; never called within `Http1Pool.acquire`. */
  onPoolFailure(reason: ResetReason, transportFailure: string): void;
  /**
   * `responseHead` and the header table hold the head; bytes[bodyStart, bodyEnd) is what came of the
   * body with it. `contentLength` -1: not known. `isEnd`: that is all.
   */
  onResponseHead(body: ResponseBody): void;
  onResponseBody(start: number, end: number, isEnd: boolean): void;
  onUpstreamReset(reason: ResetReason): void;
  /** Of the upstream socket's output: pause, resume reading the downstream. */
  onUpstreamAboveHighWatermark(): void;
  onUpstreamBelowLowWatermark(): void;
}

/** The first part of a response's body; one object a connection, filled anew for each response. */
export interface ResponseBody {
  readonly start: number;
  readonly end: number;
  readonly isEnd: boolean;
  /** -1: chunked, or until the connection closes. */
  readonly contentLength: number;
}
