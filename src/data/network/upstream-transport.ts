/**
 * How one connection to a host is made, in plain text or under TLS, and why it was not (Envoy: `ClientSslSocketFactory` and
 * the transport socket options of its pools). Connected means that the handshake is done, too.
 */
import type { Random } from "../../shared/common/random.ts";
import type { UpstreamSocketConfig } from "../../shared/config/cluster-config.ts";
import type {
  ConnectSource,
  Descriptor,
  Reactor,
  Socket,
  SocketHandler,
  SocketOptions,
} from "../../shared/io/reactor.ts";
import type { StatSlab } from "../../shared/stats/slab.ts";
import { tlsFactoryStats } from "../../shared/stats/tls-stats.ts";
import type { UpstreamHost } from "../upstream/cluster-table.ts";
import { countFailure, countHandshake } from "./tls-counters.ts";
import type { TlsContexts } from "./tls-contexts.ts";
import { transportFailureReason } from "./transport-failure.ts";

const notReady = tlsFactoryStats.offset("upstream_context_secrets_not_ready");
const notReadyReason = "TLS_error:_Secret_is_not_supplied_by_SDS";

/** What connections share of their worker. */
export interface UpstreamEnvironment {
  readonly reactor: Reactor;
  readonly slab: StatSlab;
  readonly tls: TlsContexts;
  /** Where a connection comes from that is made for one client alone; absent: as the cluster says. */
  readonly source?: ConnectSource;
  /** A connection that there is already, in plain text, of another process; absent: one is made. */
  readonly connected?: ConnectedBefore;
  readonly random: Random;
}

export interface ConnectedBefore {
  readonly descriptor: Descriptor;
  readonly ageMs: number;
}

/** `alpn`: whichever HTTP the host chooses. */
export type UpstreamProtocol = "http1" | "http2" | "alpn" | "tcp";

function ownSource({ cluster }: UpstreamHost): ConnectSource | undefined {
  const { sourceAddress } = cluster.config;
  return sourceAddress && { address: sourceAddress, isForeign: false, mark: 0 };
}

export class UpstreamTransport {
  readonly socket: Socket;
  readonly #host: UpstreamHost;
  readonly #environment: UpstreamEnvironment;
  /** Its secrets have not come: it ends as soon as it is connected. */
  readonly #isRefused: boolean;

  /** Starts to connect, unless it is. */
  constructor(
    host: UpstreamHost,
    environment: UpstreamEnvironment,
    protocol: UpstreamProtocol,
    handler: SocketHandler,
  ) {
    const { config, tls: blocks } = host.cluster;
    this.#host = host;
    this.#environment = environment;
    const wanted = host.config.transportSocket ?? config.transportSocket;
    const tls = tlsOptions(wanted, host, environment.tls, protocol);
    this.#isRefused = wanted.kind === "tls" && tls === undefined;
    if (this.#isRefused) environment.slab.add(blocks.factory, notReady);
    const source = environment.source ?? ownSource(host);
    const { reactor, connected } = environment;
    const options = { bufferLimitBytes: config.perConnectionBufferLimitBytes, noDelay: true };
    this.socket =
      connected === undefined
        ? reactor.connect(host.config.address, handler, {
            ...options,
            ...(source && { source }),
            ...(tls && { tls }),
          })
        : reactor.adopt(connected.descriptor, handler, options);
  }

  /** To be called first of all when it is connected. False: it is being closed, and never was. */
  onConnected(): boolean {
    if (this.#isRefused) {
      this.socket.close("now");
      return false;
    }
    const { tlsSession } = this.socket;
    const { slab } = this.#environment;
    if (tlsSession) countHandshake(slab, this.#host.cluster.tls.connection, tlsSession);
    return true;
  }

  /** To be called when it has ended; why TLS or connecting failed, as logs print it. */
  onClosed(detail: string): string {
    if (this.#isRefused) return notReadyReason;
    const { tlsFailure } = this.socket;
    if (!tlsFailure) return transportFailureReason(detail);
    countFailure(this.#environment.slab, this.#host.cluster.tls.connection, tlsFailure);
    return tlsFailure.reason.replaceAll(" ", "_");
  }

  /** A connect that we ended for want of secrets is no timeout. */
  get isRefused(): boolean {
    return this.#isRefused;
  }
}

/** Undefined: plain text, or no context. */
function tlsOptions(
  wanted: UpstreamSocketConfig,
  { config: { hostname } }: UpstreamHost,
  tls: TlsContexts,
  protocol: UpstreamProtocol,
): SocketOptions["tls"] {
  if (wanted.kind !== "tls") return undefined;
  const context = tls.client.get(wanted.contextId);
  if (!context) return undefined;
  return {
    context,
    ...(wanted.autoHostSni && hostname !== "" ? { serverName: hostname } : {}),
    ...(protocol === "tcp" ? {} : { alpnProtocols: offered(protocol, wanted.alpnProtocols) }),
  };
}

/** Nothing that the pool would not speak; Envoy too offers what it does where the cluster says nothing. */
function offered(
  protocol: Exclude<UpstreamProtocol, "tcp">,
  configured: readonly string[],
): readonly string[] {
  if (protocol === "http2") return ["h2"];
  if (protocol === "alpn") return ["h2", "http/1.1"];
  const spoken = configured.filter((protocol) => protocol !== "h2");
  return spoken.length > 0 ? spoken : ["http/1.1"];
}
