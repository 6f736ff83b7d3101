/**
 * A connection as access logs see it when it ends: a `tcp_proxy`'s own log, and the listener's log of any
 * connection. Requests have their own (`data/http`).
 */
import type { SocketAddress } from "../../shared/common/address.ts";
import type { Socket } from "../../shared/io/reactor.ts";
import type { TlsSession } from "../../shared/io/tls/tls.ts";
import type { DownstreamConnection } from "./downstream-connection.ts";
import type { ClientHelloInfo, ResponseFlag, StreamInfo } from "./stream-info.ts";

export interface ConnectionOutcome {
  readonly flags: readonly ResponseFlag[];
  readonly details: string | undefined;
  readonly bytesReceived: number;
  readonly bytesSent: number;
  readonly upstream: UpstreamOutcome | undefined;
}

export interface UpstreamOutcome {
  readonly cluster: string;
  readonly host: SocketAddress | undefined;
  readonly hostname: string | undefined;
  readonly localAddress: SocketAddress | undefined;
  readonly bytesReceived: number;
  readonly bytesSent: number;
  readonly attempts: number;
  readonly failureReason: string | undefined;
  readonly tls: TlsSession | undefined;
}

/** A connection that was, or one that came to nothing before it had a filter chain. */
export interface LoggedConnection extends Pick<
  DownstreamConnection,
  "facts" | "id" | "startMs" | "terminationDetails" | "transportFailureReason"
> {
  readonly worker: Pick<DownstreamConnection["worker"], "clock">;
  readonly reactor: Pick<DownstreamConnection["reactor"], "nowMs">;
  readonly socket: Pick<Socket, "tlsSession">;
  readonly listener: Pick<DownstreamConnection["listener"], "name">;
  readonly filterChain: Pick<DownstreamConnection["filterChain"], "name">;
}

/** Of one that ended before anything went through, and not by our fault. */
export const unremarkable: ConnectionOutcome = {
  flags: [],
  details: undefined,
  bytesReceived: 0,
  bytesSent: 0,
  upstream: undefined,
};

/** For a log: a socket that is closed has no name any more, but keeps what was asked for before. */
export function lookAtAddresses(socket: Pick<Socket, "localAddress" | "remoteAddress">): void {
  void [socket.localAddress, socket.remoteAddress];
}

export class ConnectionStreamInfo implements StreamInfo {
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
  readonly responseCodeDetails: string | undefined;
  readonly responseFlags: readonly ResponseFlag[];
  readonly connectionTerminationDetails: string | undefined;

  readonly listenerName: string;
  readonly filterChainName: string;
  readonly connectionId: number;
  readonly routeName = undefined;
  readonly virtualHostName = undefined;
  readonly downstreamLocalAddress: SocketAddress;
  readonly downstreamRemoteAddress: SocketAddress;
  readonly downstreamDirectRemoteAddress: SocketAddress;

  readonly clientHello: ClientHelloInfo;
  readonly downstreamTls: TlsSession | undefined;
  readonly upstreamTls: TlsSession | undefined;
  readonly downstreamTransportFailureReason: string | undefined;

  readonly upstreamCluster: string | undefined;
  readonly upstreamHost: SocketAddress | undefined;
  readonly upstreamHostname: string | undefined;
  readonly upstreamLocalAddress: SocketAddress | undefined;
  readonly upstreamTransportFailureReason: string | undefined;
  readonly upstreamAttemptCount: number;

  readonly method = undefined;
  readonly path = undefined;
  readonly authority = undefined;
  readonly isHealthCheck = false;

  constructor(connection: LoggedConnection, outcome: ConnectionOutcome) {
    const { upstream } = outcome;
    this.startMs = connection.startMs;
    this.endMs = connection.reactor.nowMs;
    this.startWallMs = connection.worker.clock.wallTime() - (this.endMs - this.startMs);
    this.bytesReceived = outcome.bytesReceived;
    this.bytesSent = outcome.bytesSent;
    this.upstreamBytesReceived = upstream?.bytesReceived ?? 0;
    this.upstreamBytesSent = upstream?.bytesSent ?? 0;
    this.responseCodeDetails = outcome.details;
    this.responseFlags = outcome.flags;
    this.listenerName = connection.listener.name;
    this.filterChainName = connection.filterChain.name;
    this.connectionId = connection.id;
    const { facts } = connection;
    this.downstreamLocalAddress = facts.localAddress;
    this.downstreamRemoteAddress = facts.remoteAddress;
    this.downstreamDirectRemoteAddress = facts.directRemoteAddress;
    this.clientHello = facts;
    this.connectionTerminationDetails = connection.terminationDetails;
    this.downstreamTls = connection.socket.tlsSession;
    this.upstreamTls = upstream?.tls;
    this.downstreamTransportFailureReason = connection.transportFailureReason;
    this.upstreamCluster = upstream?.cluster;
    this.upstreamHost = upstream?.host;
    this.upstreamHostname = upstream?.hostname;
    this.upstreamLocalAddress = named(upstream?.localAddress);
    this.upstreamTransportFailureReason = upstream?.failureReason;
    this.upstreamAttemptCount = upstream?.attempts ?? 0;
  }

  requestHeader(): undefined {
    return undefined;
  }

  responseHeader(): undefined {
    return undefined;
  }

  get grpcStatus(): undefined {
    return undefined;
  }

  responseTrailer(): undefined {
    return undefined;
  }
}

/** A connection that never came about has no local address. */
function named(address: SocketAddress | undefined): SocketAddress | undefined {
  return address?.kind === "pipe" && address.path === "" ? undefined : address;
}
