/**
 * HTTP/1.1 connections to one host, kept between requests (Envoy: `HttpConnPoolImplBase`). Last used,
 * first used again, so that a calm cluster lets its surplus grow old and go.
 *
 * Requests that find no connection wait, bounded by the cluster's breakers. One connection is opened for
 * each that waits, while the breaker of connections allows it.
 */
import type { HostPool, UpstreamHost } from "../../upstream/cluster-table.ts";
import { HeadWriter } from "../http1/head-writer.ts";
import { clusterStat, hostStat } from "../stat-offsets.ts";
import {
  type AcquiredConnection,
  type ConnectionOwner,
  Http1ClientConnection,
} from "./http1-client-connection.ts";
import type { UpstreamEnvironment } from "../../network/upstream-transport.ts";
import type { ResetReason } from "./reset-reason.ts";
import type { UpstreamRequest } from "./upstream-request.ts";

export type Acquired =
  | AcquiredConnection
  /** `onConnectionReady` or `onPoolFailure` will follow. */
  | { readonly kind: "pending" }
  | { readonly kind: "overflow" };

const pending: Acquired = { kind: "pending" };
const overflow: Acquired = { kind: "overflow" };

export class Http1Pool implements HostPool, ConnectionOwner {
  readonly host: UpstreamHost;
  readonly environment: UpstreamEnvironment;
  readonly writer: HeadWriter;
  readonly #idle: Http1ClientConnection[] = [];
  /** Every open connection, idle ones included. */
  readonly #connections = new Set<Http1ClientConnection>();
  readonly #waiting: UpstreamRequest[] = [];
  #connectingCount = 0;
  /** Open and not idle when the pool was drained: they close as soon as nobody waits for them. */
  readonly #draining = new Set<Http1ClientConnection>();

  constructor(host: UpstreamHost, environment: UpstreamEnvironment) {
    this.host = host;
    this.environment = environment;
    this.writer = new HeadWriter(environment.reactor.arena);
  }

  /** A connection at once, or a place in the queue, or neither. */
  acquire(request: UpstreamRequest): Acquired {
    const connection = this.#idle.pop();
    if (connection !== undefined) {
      // Atomics count requests over all workers; the breaker may be full while connections idle here.
      if (connection.tryBegin(request)) return connection.acquired;
      this.#idle.push(connection);
      return this.#overflow();
    }
    return this.#wait(request) ? pending : overflow;
  }

  /** The request gave up before a connection came free. */
  cancel(request: UpstreamRequest): void {
    const index = this.#waiting.indexOf(request);
    if (index < 0) return;
    this.#waiting.splice(index, 1);
    this.#leftQueue(request);
    this.#count(clusterStat.rqCancelled);
  }

  /** The connection is free again: for whoever waits, else it idles. */
  released(connection: Http1ClientConnection): void {
    if (this.#serveNext(connection)) return;
    if (this.host.isMember && !this.#draining.has(connection)) this.#idle.push(connection);
    else connection.close();
  }

  connected(connection: Http1ClientConnection): void {
    this.#connectingCount--;
    this.released(connection);
  }

  /** Also called for connections that were never established (`wasConnecting`). */
  closed(connection: Http1ClientConnection, wasConnecting: boolean): void {
    const index = this.#idle.indexOf(connection);
    if (index >= 0) this.#idle.splice(index, 1);
    this.#connections.delete(connection);
    this.#draining.delete(connection);
    if (wasConnecting) this.#connectingCount--;
    // Others may wait for the room in the breaker that this one left.
    else if (this.#waiting.length > this.#connectingCount) this.#open();
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
    for (const connection of this.#idle.splice(0)) connection.close();
    for (const connection of this.#connections) this.#draining.add(connection);
  }

  #overflow(): Acquired {
    this.#count(clusterStat.rqPendingOverflow);
    return overflow;
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
    if (this.#waiting.length > this.#connectingCount) this.#open();
    return true;
  }

  #leftQueue(request: UpstreamRequest): void {
    request.breakers.release("pending");
    this.host.cluster.activity.pendingEnded();
    this.environment.slab.add(this.host.stats, hostStat.rqPendingEnded);
  }

  #open(): void {
    const { breakers } = this.host.cluster;
    const isCounted = breakers.tryAcquire("connections");
    if (!isCounted) {
      this.#count(clusterStat.cxOverflow);
      // A host without any connection gets one all the same, or its requests would wait for ever.
      if (this.#connections.size > 0) return;
    }
    this.#connectingCount++;
    this.#connections.add(new Http1ClientConnection(this, isCounted));
  }

  /** Gives the connection to the first who waits and fits in the breaker of requests. */
  #serveNext(connection: Http1ClientConnection): boolean {
    for (;;) {
      const request = this.#waiting.shift();
      if (request === undefined) return false;
      this.#leftQueue(request);
      if (connection.tryBegin(request)) {
        request.onConnectionReady(connection);
        return true;
      }
      this.#count(clusterStat.rqPendingOverflow);
      request.onPoolFailure("overflow", "");
    }
  }

  #count(offset: number): void {
    this.environment.slab.add(this.host.cluster.stats, offset);
  }
}

/** The host's pool, made at its first request. */
export function http1PoolOf(host: UpstreamHost, environment: UpstreamEnvironment): Http1Pool {
  const { pool } = host;
  if (pool instanceof Http1Pool) return pool;
  const made = new Http1Pool(host, environment);
  host.pool = made;
  return made;
}
