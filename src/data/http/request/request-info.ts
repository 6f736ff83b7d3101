/**
 * What is known of one request, filled in while it runs and read by access logs and header values.
 * One object a connection, begun anew for each request.
 *
 * Instants are the reactor's milliseconds, below 0 where they were in a process before this one; `notYet` while they have
 * not come, of which the interface says undefined.
 */
import type { SocketAddress } from "../../../shared/common/address.ts";
import type { StreamProgress } from "../../../shared/protocol/worker-event.ts";
import type { ClientHelloInfo, ResponseFlag, StreamInfo } from "../../network/stream-info.ts";
import { type DownstreamConnection, isTls } from "../../network/downstream-connection.ts";
import { lookAtAddresses } from "../../network/connection-stream-info.ts";
import type { CapturedValues } from "../headers/header-capture.ts";
import type { ComposerContext } from "../composer/composer-context.ts";
import type { TlsSession } from "../../../shared/io/tls/tls.ts";
import type { UpstreamConnection } from "../upstream/upstream-request.ts";

export const notYet = -Infinity;

/** By `RequestHead.minorVersion`. */
const protocols = ["HTTP/1.0", "HTTP/1.1", "HTTP/2"] as const;

export class RequestInfo implements StreamInfo {
  startMs = 0;
  requestEndAtMs = notYet;
  upstreamStartAtMs = notYet;
  responseStartAtMs = notYet;
  responseEndAtMs = notYet;
  endMs = 0;
  bytesReceived = 0;
  bytesSent = 0;
  upstreamBytesReceived = 0;
  upstreamBytesSent = 0;
  responseCode = 0;
  responseCodeDetails: string | undefined;
  connectionTerminationDetails: string | undefined;
  routeName: string | undefined;
  virtualHostName: string | undefined;
  upstreamCluster: string | undefined;
  upstreamHost: SocketAddress | undefined;
  upstreamHostname: string | undefined;
  upstreamTransportFailureReason: string | undefined;
  upstreamAttemptCount = 0;
  method: string | undefined;
  path: string | undefined;
  authority: string | undefined;
  minorVersion = 1;
  /** As text, where a log or the response wants it. */
  requestId: string | undefined;
  readonly isHealthCheck = false;
  readonly requestValues: CapturedValues = [];
  readonly responseValues: CapturedValues = [];
  readonly trailerValues: CapturedValues = [];
  grpcStatus: number | undefined;
  readonly #context: ComposerContext;
  #connection: DownstreamConnection;
  #flags: ResponseFlag[] = [];
  #upstream: UpstreamConnection | undefined;
  #forwardedAddress: SocketAddress | undefined;

  constructor(context: ComposerContext, connection: DownstreamConnection) {
    this.#context = context;
    this.#connection = connection;
  }

  bind(connection: DownstreamConnection): void {
    this.#connection = connection;
  }

  begin(nowMs: number, minorVersion: number): void {
    this.startMs = nowMs;
    this.endMs = nowMs;
    this.minorVersion = minorVersion;
    this.requestEndAtMs = notYet;
    this.upstreamStartAtMs = notYet;
    this.responseStartAtMs = notYet;
    this.responseEndAtMs = notYet;
    this.bytesReceived = 0;
    this.bytesSent = 0;
    this.upstreamBytesReceived = 0;
    this.upstreamBytesSent = 0;
    this.responseCode = 0;
    this.upstreamAttemptCount = 0;
    this.#clearTexts();
    if (this.#flags.length > 0) this.#flags = [];
    this.#upstream = undefined;
    this.#forwardedAddress = undefined;
    if (this.requestValues.length > 0) this.requestValues.length = 0;
    if (this.responseValues.length > 0) this.responseValues.length = 0;
    if (this.trailerValues.length > 0) this.trailerValues.length = 0;
  }

  addFlag(flag: ResponseFlag): void {
    if (!this.#flags.includes(flag)) this.#flags.push(flag);
  }

  /** How it ended, as logs print it. */
  note(details: string, flag: ResponseFlag | undefined): void {
    this.responseCodeDetails = details;
    if (flag !== undefined) this.addFlag(flag);
  }

  /** The connection that carries the request; kept for its addresses. */
  attached(upstream: UpstreamConnection): void {
    this.#upstream = upstream;
    this.upstreamHost = upstream.host.config.address;
    this.upstreamHostname = upstream.host.config.hostname;
  }

  /** Those of sockets, which have none any more when they have ended by a reset. */
  keepAddresses(): void {
    lookAtAddresses(this.#connection.socket);
    if (this.#upstream) lookAtAddresses(this.#upstream.socket);
  }

  /** The client's address as a trusted x-forwarded-for says it. */
  trustForwardedAddress(address: SocketAddress): void {
    this.#forwardedAddress = address;
  }

  get forwardedAddress(): SocketAddress | undefined {
    return this.#forwardedAddress;
  }

  get responseFlags(): readonly ResponseFlag[] {
    return this.#flags;
  }

  get protocol(): "HTTP/1.0" | "HTTP/1.1" | "HTTP/2" {
    return protocols[this.minorVersion] ?? "HTTP/1.1";
  }

  get progress(): StreamProgress {
    const { bytesReceived, bytesSent, routeName, upstreamCluster } = this;
    const sums = { streams: 1, bytesReceived, bytesSent };
    return { ...sums, route: routeName || undefined, cluster: upstreamCluster };
  }

  get startWallMs(): number {
    const { worker, reactor } = this.#context;
    return worker.clock.wallTime() - (reactor.nowMs - this.startMs);
  }

  get requestEndMs(): number | undefined {
    return known(this.requestEndAtMs);
  }

  get upstreamStartMs(): number | undefined {
    return known(this.upstreamStartAtMs);
  }

  get responseStartMs(): number | undefined {
    return known(this.responseStartAtMs);
  }

  get responseEndMs(): number | undefined {
    return known(this.responseEndAtMs);
  }

  get listenerName(): string {
    return this.#connection.listener.name;
  }

  get filterChainName(): string {
    return this.#connection.filterChain.name;
  }

  get connectionId(): number {
    return this.#connection.id;
  }

  get downstreamLocalAddress(): SocketAddress {
    return this.#connection.facts.localAddress;
  }

  get downstreamRemoteAddress(): SocketAddress {
    return this.#forwardedAddress ?? this.#connection.facts.remoteAddress;
  }

  get downstreamDirectRemoteAddress(): SocketAddress {
    return this.#connection.facts.directRemoteAddress;
  }

  get clientHello(): ClientHelloInfo {
    return this.#connection.facts;
  }

  get downstreamTls(): TlsSession | undefined {
    return this.#connection.socket.tlsSession;
  }

  get upstreamTls(): TlsSession | undefined {
    return this.#upstream?.socket.tlsSession;
  }

  get downstreamTransportFailureReason(): string | undefined {
    return this.#connection.transportFailureReason;
  }

  get upstreamLocalAddress(): SocketAddress | undefined {
    return this.#upstream?.socket.localAddress;
  }

  requestHeader(name: string): string | undefined {
    switch (name) {
      case ":method":
        return this.method;
      case ":path":
        return this.path;
      case ":authority":
      case "host":
        return this.authority;
      case ":scheme":
        return isTls(this.#connection.filterChain) ? "https" : "http";
      default:
        return this.#context.requestCapture.get(this.requestValues, name);
    }
  }

  responseHeader(name: string): string | undefined {
    if (name === ":status") return this.responseCode > 0 ? String(this.responseCode) : undefined;
    return this.#context.responseCapture.get(this.responseValues, name);
  }

  responseTrailer(name: string): string | undefined {
    return this.#context.trailerCapture.get(this.trailerValues, name);
  }

  #clearTexts(): void {
    this.responseCodeDetails = undefined;
    this.connectionTerminationDetails = undefined;
    this.routeName = undefined;
    this.virtualHostName = undefined;
    this.upstreamCluster = undefined;
    this.upstreamHost = undefined;
    this.upstreamHostname = undefined;
    this.upstreamTransportFailureReason = undefined;
    this.method = undefined;
    this.path = undefined;
    this.authority = undefined;
    this.requestId = undefined;
    this.grpcStatus = undefined;
  }
}

function known(instantMs: number): number | undefined {
  return instantMs === notYet ? undefined : instantMs;
}
