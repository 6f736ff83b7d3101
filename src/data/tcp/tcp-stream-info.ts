/** A TCP connection as access logs see it, made when it has ended. */
import type { SocketAddress } from "../../shared/common/address.ts";
import type { DownstreamConnection } from "../network/downstream-connection.ts";
import type { ResponseFlag, StreamInfo } from "../network/stream-info.ts";
import type { TcpUpstream } from "./tcp-upstream.ts";

export interface TcpStreamParts {
  readonly connection: DownstreamConnection;
  readonly startWallMs: number;
  readonly bytesReceived: number;
  readonly bytesSent: number;
  readonly flags: readonly ResponseFlag[];
  readonly clusterName: string;
  readonly upstream: TcpUpstream | undefined;
  readonly attempts: number;
  readonly failureReason: string | undefined;
}

export class TcpStreamInfo implements StreamInfo {
  readonly protocol = undefined;
  readonly startWallMs: number;
  readonly startMs: number;
  readonly requestEndMs = undefined;
  readonly upstreamStartMs = undefined;
  readonly responseStartMs = undefined;
  readonly responseEndMs = undefined;
  readonly endMs: number;

  readonly bytesReceived: number;
  readonly bytesSent: number;
  readonly upstreamBytesReceived: number;
  readonly upstreamBytesSent: number;

  readonly responseCode = 0;
  readonly responseCodeDetails = undefined;
  readonly responseFlags: readonly ResponseFlag[];
  readonly connectionTerminationDetails = undefined;

  readonly listenerName: string;
  readonly filterChainName: string;
  readonly connectionId: number;
  readonly routeName = undefined;
  readonly virtualHostName = undefined;
  readonly downstreamLocalAddress: SocketAddress;
  readonly downstreamRemoteAddress: SocketAddress;
  readonly downstreamDirectRemoteAddress: SocketAddress;

  readonly upstreamCluster: string;
  readonly upstreamHost: SocketAddress | undefined;
  readonly upstreamHostname: string | undefined;
  readonly upstreamLocalAddress: SocketAddress | undefined;
  readonly upstreamTransportFailureReason: string | undefined;
  readonly upstreamAttemptCount: number;

  readonly method = undefined;
  readonly path = undefined;
  readonly authority = undefined;
  readonly isHealthCheck = false;

  constructor(parts: TcpStreamParts) {
    const { connection, upstream } = parts;
    this.startWallMs = parts.startWallMs;
    this.startMs = connection.startMs;
    this.endMs = connection.reactor.nowMs;
    this.bytesReceived = parts.bytesReceived;
    this.bytesSent = parts.bytesSent;
    this.upstreamBytesReceived = upstream?.bytesReceived ?? 0;
    this.upstreamBytesSent = upstream?.bytesSent ?? 0;
    this.responseFlags = parts.flags;
    this.listenerName = connection.listener.name;
    this.filterChainName = connection.filterChain.name;
    this.connectionId = connection.id;
    this.downstreamLocalAddress = connection.socket.localAddress;
    this.downstreamRemoteAddress = connection.socket.remoteAddress;
    this.downstreamDirectRemoteAddress = connection.socket.remoteAddress;
    this.upstreamCluster = parts.clusterName;
    this.upstreamHost = upstream?.host.config.address;
    this.upstreamHostname = upstream?.host.config.hostname;
    this.upstreamLocalAddress = upstream?.socket.localAddress;
    this.upstreamTransportFailureReason = parts.failureReason;
    this.upstreamAttemptCount = parts.attempts;
  }

  requestHeader(): undefined {
    return undefined;
  }

  responseHeader(): undefined {
    return undefined;
  }

  responseTrailer(): undefined {
    return undefined;
  }
}
