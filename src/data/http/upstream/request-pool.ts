/** Where a request gets its connection to a host. */
import type { UpstreamEnvironment } from "../../network/upstream-transport.ts";
import type { UpstreamHost } from "../../upstream/cluster-table.ts";
import { clusterStat } from "../stat-offsets.ts";
import { TcpTunnel } from "./tcp-tunnel.ts";
import type { UpstreamConnection, UpstreamRequest } from "./upstream-request.ts";

/** `pending`: `onConnectionReady` or `onPoolFailure` will follow. */
export type Acquired = UpstreamConnection | "pending" | "overflow";

export interface RequestPool {
  readonly host: UpstreamHost;
  /** A connection at once, or a place in the queue, or neither. */
  acquire(request: UpstreamRequest): Acquired;
  /** The request gave up before a connection came free. */
  cancel(request: UpstreamRequest): void;
}

/** Of a tunnel that ends here: a connection of its own, which nobody had before or gets after. */
export class TunnelPool implements RequestPool {
  readonly host: UpstreamHost;
  readonly #environment: UpstreamEnvironment;
  readonly #preface: Uint8Array;
  #tunnel: TcpTunnel | undefined;

  constructor(host: UpstreamHost, environment: UpstreamEnvironment, preface: Uint8Array) {
    this.host = host;
    this.#environment = environment;
    this.#preface = preface;
  }

  acquire(request: UpstreamRequest): Acquired {
    if (!this.host.cluster.breakers.tryAcquire("connections")) {
      this.#environment.slab.add(this.host.cluster.stats, clusterStat.cxOverflow);
      return "overflow";
    }
    this.#tunnel = new TcpTunnel(this.host, this.#environment, request, {
      preface: this.#preface,
    });
    return "pending";
  }

  cancel(): void {
    this.#tunnel?.abandon();
  }
}
