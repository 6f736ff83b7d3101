/** The seam between a pool and its connections, whichever protocol they speak. */
import type { UpstreamEnvironment } from "../../network/upstream-transport.ts";
import type { UpstreamHost } from "../../upstream/cluster-table.ts";
import type { HeadWriter } from "../http1/head-writer.ts";
import type { ResetReason } from "./reset-reason.ts";
import type { UpstreamConnection, UpstreamRequest } from "./upstream-request.ts";

export interface PooledConnection {
  /** The pool may give it requests: the pool's own note. */
  isReady: boolean;
  /** Requests that it can take now. */
  readonly room: number;
  /** It carries none. */
  readonly isIdle: boolean;
  /** Where the request is sent; undefined: the breaker of requests is full. Only while there is room. */
  begin(request: UpstreamRequest): UpstreamConnection | undefined;
  close(): void;
}

/** What a connection tells the pool that opened it. */
export interface ConnectionOwner {
  readonly host: UpstreamHost;
  readonly environment: UpstreamEnvironment;
  /** What its connections write with. */
  readonly writer: HeadWriter;
  /** Streams at once on one connection, as the host's SETTINGS said last: a new connection begins before it hears them. */
  peerStreamsMax: number;
  /** Its room is known. Over HTTP/2 it may have carried requests before that. */
  connected(connection: PooledConnection): void;
  /** The host speaks the other protocol: the connection ends, and the next one is of that. */
  negotiated(connection: PooledConnection, protocol: "http1" | "http2"): void;
  /** It has room again. */
  released(connection: PooledConnection): void;
  /** It will take no more requests. */
  retired(connection: PooledConnection): void;
  /** Also of one that was never established (`wasConnecting`). */
  closed(connection: PooledConnection, wasConnecting: boolean): void;
  /** Connecting failed. */
  failWaiting(reason: ResetReason, transportFailure: string): void;
}
