/**
 * Connections to one host, kept between requests (Envoy: `HttpConnPoolImplBase`). Last used, first used again, so that
 * a calm cluster lets its surplus grow old and go.
 *
 * Requests that find no room wait, bounded by the cluster's breakers. A connection is opened when more wait than those
 * that are being opened can take, one each over HTTP/1, many over HTTP/2; sooner where the cluster preconnects.
 */
import type { ConnectedBefore, UpstreamEnvironment } from "../../network/upstream-transport.ts";
import type { HostPool, UpstreamHost } from "../../upstream/cluster-table.ts";
import { HeadWriter } from "../http1/head-writer.ts";
import { clusterStat, hostStat } from "../stat-offsets.ts";
import { Http1ClientConnection } from "./http1-client-connection.ts";
import { Http2ClientConnection } from "./http2-client-connection.ts";
import type { ConnectionOwner, PooledConnection } from "./pooled-connection.ts";
import { connectionsAtOnceMax, needsConnection, type PoolLoad } from "./preconnect.ts";
import type { Acquired, RequestPool } from "./request-pool.ts";
import type { ResetReason } from "./reset-reason.ts";
import type { UpstreamConnection, UpstreamRequest } from "./upstream-request.ts";

export type PoolProtocol = "http1" | "http2";

export class HttpPool implements HostPool, RequestPool, ConnectionOwner {
  readonly host: UpstreamHost;
  readonly environment: UpstreamEnvironment;
  readonly writer: HeadWriter;
  peerStreamsMax = Infinity;
  /** Of the next connection: where the handshake chooses, what it chose last. */
  #protocol: PoolProtocol;
  /** Those that have room. */
  readonly #ready: PooledConnection[] = [];
  /** Every open connection. */
  readonly #connections = new Set<PooledConnection>();
  readonly #waiting: UpstreamRequest[] = [];
  /** Being opened, with the requests that each is expected to take. */
  readonly #connecting = new Map<PooledConnection, number>();
  #connectingRoom = 0;
  /** Open and not idle when the pool was drained: they close as soon as nobody waits for them. */
  readonly #draining = new Set<PooledConnection>();

  constructor(host: UpstreamHost, environment: UpstreamEnvironment, protocol: PoolProtocol) {
    this.host = host;
    this.environment = environment;
    this.writer = new HeadWriter(environment.reactor.arena);
    this.#protocol = protocol;
  }

  get isEmpty(): boolean {
    return this.#connections.size === 0 && this.#waiting.length === 0;
  }

  get room(): number {
    return this.#connectingRoom + this.#readyRoom;
  }

  acquire(request: UpstreamRequest): Acquired {
    const connection = this.#ready.at(-1);
    if (connection === undefined) return this.#wait(request) ? "pending" : "overflow";
    const acquired = connection.begin(request);
    // Atomics count requests over all workers; the breaker may be full while connections idle here.
    if (acquired === undefined) {
      this.#count(clusterStat.rqActiveOverflow);
      return "overflow";
    }
    if (connection.room === 0) this.#notReady(connection);
    if (this.#ratio > 1) this.#provide();
    return acquired;
  }

  /** Of another process, and the request's to its end; counted already in the breaker of connections. */
  adopt(request: UpstreamRequest, connected: ConnectedBefore): UpstreamConnection {
    const connection = new Http1ClientConnection(this, true, connected);
    this.#connections.add(connection);
    connection.goOn(request);
    return connection;
  }

  cancel(request: UpstreamRequest): void {
    const index = this.#waiting.indexOf(request);
    if (index < 0) return;
    this.#waiting.splice(index, 1);
    this.#leftQueue(request);
    this.#count(clusterStat.rqCancelled);
  }

  /** There is room again: for whoever waits, else for who comes. */
  released(connection: PooledConnection): void {
    while (connection.room > 0 && this.#serveNext(connection));
    if (!this.host.isMember || this.#draining.has(connection)) {
      if (connection.isIdle) connection.close();
    } else if (connection.room === 0) this.#notReady(connection);
    else if (!connection.isReady) {
      connection.isReady = true;
      this.#ready.push(connection);
    }
  }

  connected(connection: PooledConnection): void {
    const { length } = this.#waiting;
    this.#notConnecting(connection);
    this.released(connection);
    // It may have less room than was expected. One that has none is no reason for another.
    if (this.#waiting.length < length) this.#provide();
  }

  negotiated(connection: PooledConnection, protocol: PoolProtocol): void {
    this.#protocol = protocol;
    // No room is to be expected of it any more.
    this.#notConnecting(connection);
    this.#provide();
  }

  retired(connection: PooledConnection): void {
    this.#notReady(connection);
    this.#provide();
  }

  /** Also called for connections that were never established (`wasConnecting`). */
  closed(connection: PooledConnection, wasConnecting: boolean): void {
    this.#notReady(connection);
    this.#connections.delete(connection);
    this.#draining.delete(connection);
    this.#notConnecting(connection);
    // Others may wait for the room in the breaker that this one left.
    if (!wasConnecting) this.#provide();
  }

  /** Connecting failed: everyone who waits learns it and decides for himself (Envoy does the same). */
  failWaiting(reason: ResetReason, transportFailure: string): void {
    for (const request of this.#waiting.splice(0)) {
      this.#leftQueue(request);
      this.#count(clusterStat.rqPendingFailureEject);
      request.onPoolFailure(reason, transportFailure);
    }
  }

  /** Requests that wait were promised this host: they are still served, and their connections close after. */
  drain(): void {
    for (const connection of this.#ready.splice(0)) {
      connection.isReady = false;
      if (connection.isIdle) connection.close();
    }
    for (const connection of this.#connections) this.#draining.add(connection);
  }

  #wait(request: UpstreamRequest): boolean {
    if (!request.breakers.tryAcquire("pending")) {
      this.#count(clusterStat.rqPendingOverflow);
      return false;
    }
    this.#waiting.push(request);
    this.host.cluster.activity.pendingStarted();
    this.#count(clusterStat.rqPendingTotal);
    this.environment.slab.add(this.host.stats, hostStat.rqPendingTotal);
    this.#provide();
    return true;
  }

  /** Of hosts that are well and stay: others are asked no more than they must. */
  get #ratio(): number {
    return this.#isWell ? this.host.cluster.config.preconnectRatio : 1;
  }

  get #isWell(): boolean {
    return this.host.isMember && this.host.config.health === "healthy";
  }

  /** For a request that may come, unless there is room for it; whether a connection was opened. */
  openAhead(ratio: number): boolean {
    const load = this.#load(this.#waiting.length + 1);
    return this.#isWell && needsConnection(load, ratio) && this.#open();
  }

  /** Opens what is missing, a few at a time. */
  #provide(): void {
    for (let i = 0; i < connectionsAtOnceMax; i++)
      if (!needsConnection(this.#load(this.#waiting.length), this.#ratio) || !this.#open()) return;
  }

  #load(waiting: number): PoolLoad {
    return { waiting, active: this.host.activeRequests, room: this.room };
  }

  get #readyRoom(): number {
    if (this.#protocol === "http1") return this.#ready.length;
    return this.#ready.reduce((room, connection) => room + connection.room, 0);
  }

  #leftQueue(request: UpstreamRequest): void {
    request.breakers.release("pending");
    this.host.cluster.activity.pendingEnded();
    this.environment.slab.add(this.host.stats, hostStat.rqPendingEnded);
  }

  /** False: that is as many as there may be. */
  #open(): boolean {
    const { breakers, config } = this.host.cluster;
    const isCounted = breakers.tryAcquire("connections");
    if (!isCounted) {
      this.#count(clusterStat.cxOverflow);
      // A host without any connection gets one all the same, or its requests would wait for ever.
      if (this.#connections.size > 0) return false;
    }
    const isHttp2 = this.#protocol === "http2";
    const connection = isHttp2
      ? new Http2ClientConnection(this, isCounted)
      : new Http1ClientConnection(this, isCounted);
    const requestsMax = config.maxRequestsPerConnection || Infinity;
    const streamsMax = Math.min(config.http2.maxConcurrentStreams, this.peerStreamsMax);
    const room = isHttp2 ? Math.max(1, Math.min(streamsMax, requestsMax)) : 1;
    this.#connecting.set(connection, room);
    this.#connectingRoom += room;
    this.#connections.add(connection);
    return isCounted;
  }

  #notConnecting(connection: PooledConnection): void {
    this.#connectingRoom -= this.#connecting.get(connection) ?? 0;
    this.#connecting.delete(connection);
  }

  #notReady(connection: PooledConnection): void {
    if (!connection.isReady) return;
    connection.isReady = false;
    this.#ready.splice(this.#ready.indexOf(connection), 1);
  }

  /** Gives the connection to the first who waits and fits in the breaker of requests; whether one did. */
  #serveNext(connection: PooledConnection): boolean {
    for (;;) {
      const request = this.#waiting.shift();
      if (request === undefined) return false;
      this.#leftQueue(request);
      const acquired = connection.begin(request);
      if (acquired !== undefined) {
        request.onConnectionReady(acquired);
        return true;
      }
      this.#count(clusterStat.rqActiveOverflow);
      request.onPoolFailure("overflow", "");
    }
  }

  #count(offset: number): void {
    this.environment.slab.add(this.host.cluster.stats, offset);
  }
}

/** The host's pool for requests that came by HTTP/2 or not, made at the first of them. */
export function httpPoolOf(
  host: UpstreamHost,
  environment: UpstreamEnvironment,
  isHttp2Request: boolean,
): HttpPool {
  const { protocol } = host.cluster.config;
  return poolOf(
    host,
    environment,
    protocol === "downstream" ? isHttp2Request : protocol !== "http1",
  );
}

/** Whatever the cluster speaks, `isHttp2` or not. */
export function poolOf(
  host: UpstreamHost,
  environment: UpstreamEnvironment,
  isHttp2: boolean,
): HttpPool {
  const pool = isHttp2 ? host.http2Pool : host.http1Pool;
  if (pool instanceof HttpPool) return pool;
  const made = new HttpPool(host, environment, isHttp2 ? "http2" : "http1");
  if (isHttp2) host.http2Pool = made;
  else host.http1Pool = made;
  return made;
}
