/** The clusters of one worker (Envoy: `ThreadLocalCluster`), with their hosts and what they pool. */
import type { SocketAddress } from "../../shared/common/address.ts";
import type { ClusterConfig, HostConfig } from "../../shared/config/cluster-config.ts";
import type { TlsBlocks } from "../../shared/protocol/worker-command.ts";
import type { StatBlock } from "../../shared/stats/stat-group.ts";
import type { CircuitBreakers } from "./circuit-breakers.ts";
import type { ClusterActivity } from "./cluster-activity.ts";
import type { GrpcCalls } from "./grpc-calls.ts";

export interface ClusterTable {
  get(name: string): UpstreamCluster | undefined;
}

export interface UpstreamCluster {
  readonly config: ClusterConfig;
  readonly stats: StatBlock;
  readonly tls: TlsBlocks;
  /** `cluster.<name>.http1.`, and the same of `http2.`; 0 where it speaks the other one alone. */
  readonly http1: StatBlock;
  readonly http2: StatBlock;
  /** What `grpc_stats` counts. */
  readonly grpcCalls: GrpcCalls;
  /** Of the default priority. */
  readonly breakers: CircuitBreakers;
  /** Of routes whose priority is high. */
  readonly highBreakers: CircuitBreakers;
  /** Counts what is open on this worker, over all protocols, and sets the cluster's gauges from it. */
  readonly activity: ClusterActivity;
  /**
   * By the cluster's policy, or as `request` says where hosts are made by that; undefined when there is no host to try.
   */
  chooseHost(request?: HostRequest): UpstreamHost | undefined;
  /**
   * Whose turn comes next, behind those that were asked for so before; undefined: nobody can tell, or as many are known
   * as are well.
   */
  peekHost(): UpstreamHost | undefined;
  /** Connections of a protocol to a host, made on first use and drained when the host leaves. */
  readonly hosts: readonly UpstreamHost[];
  /** Undefined: it has none there, or makes its hosts as they are asked for. */
  hostAt(address: SocketAddress): UpstreamHost | undefined;
}

/** Who wants a host, as clusters of original destinations ask. */
export interface HostRequest {
  /** Where the connection was going before it came here; undefined: nobody knows. */
  readonly originalDestination: SocketAddress | undefined;
  /** By a header; undefined: there is none. */
  readonly namedHost: string | undefined;
}

export interface UpstreamHost {
  readonly config: HostConfig;
  readonly cluster: UpstreamCluster;
  /** Requests and TCP connections under way from this worker: least request compares it. */
  activeRequests: number;
  /** Where it is counted (`hostStats`). */
  readonly stats: StatBlock;
  /** Made at the first request; drained when the host or the cluster goes. */
  http1Pool: HostPool | undefined;
  /** Also where the handshake chooses the protocol. */
  http2Pool: HostPool | undefined;
  /** Of TCP proxies, open to it from this worker. */
  readonly tcpConnections: Set<TcpConnection>;
  /** False once the host left the cluster: a pool must not keep connections to it. */
  readonly isMember: boolean;
}

export interface TcpConnection {
  close(how: "flush" | "now" | "reset"): void;
}

/** Pooled connections of one host. */
export interface HostPool {
  /** Closes what is idle at once and what is busy when its request ends; connections opened later stay. */
  drain(): void;
  /** Nothing is open, and nobody waits. */
  readonly isEmpty: boolean;
  /** Requests that what is open, or being opened, could take now. */
  readonly room: number;
}
