import { writeFileSync } from "node:fs";
import path from "node:path";
import { findEnvoy, versionOf } from "../programs.ts";
import type { Contender, Ports, Protocol } from "./proxy.ts";
import { serverCertificates } from "./server-certificates.ts";

/**
 * Envoy and Sluice: one bootstrap, one command line. It is an ordinary static bootstrap with
 * defaults throughout: counters and limits are on, as shipped.
 */
const sluiceProgram = path.join(import.meta.dirname, "../../bin/sluice");
const typeUrl = (name: string): string => `type.googleapis.com/envoy.extensions.${name}`;

export function envoy(protocol: Protocol): Contender {
  const program = findEnvoy();
  const version = versionOf(program, "--version").replace(/^.*version: /, "");
  return contender("envoy", version, { program, protocol });
}

export function sluice(protocol: Protocol): Contender {
  return contender("sluice", versionOf(sluiceProgram, "--version"), {
    program: sluiceProgram,
    protocol,
  });
}

/** Over HTTP/1, with filters before the router. */
export function sluiceWith(
  name: string,
  filters: readonly object[],
  flags: readonly string[] = [],
): Contender {
  const serving = connectionManager({ http_filters: [...filters, router] });
  return contender(name, versionOf(sluiceProgram, "--version"), {
    program: sluiceProgram,
    protocol: "http",
    serving: { filter_chains: [{ filters: [serving] }] },
    flags,
  });
}

function contender(
  name: string,
  version: string,
  { program, protocol, serving, flags = [] }: Program,
): Contender {
  return {
    name,
    version,
    prepare(folder, ports) {
      const file = path.join(folder, `${name}.json`);
      const what = serving ?? servingOf(protocol, folder);
      writeFileSync(file, JSON.stringify(bootstrap(protocol, ports, what), undefined, 1));
      const quiet = ["--disable-hot-restart", "-l", "error"];
      return { program, args: ["-c", file, "--concurrency", "1", ...quiet, ...flags] };
    },
  };
}

interface Program {
  readonly program: string;
  readonly protocol: Protocol;
  /** What its listener does; absent: as the protocol says. */
  readonly serving?: object;
  readonly flags?: readonly string[];
}

function bootstrap(protocol: Protocol, ports: Ports, serving: object): object {
  const listener = { name: "bench", address: loopback(ports.proxy) };
  return {
    admin: { address: loopback(0) },
    static_resources: {
      listeners: [{ ...listener, ...serving }],
      clusters: [
        {
          name: "backend",
          type: "STATIC",
          connect_timeout: "5s",
          // Each WebSocket has a connection and a request of its own: more than the 1,024 of the default.
          ...(protocol === "websocket" && { circuit_breakers: roomy }),
          ...(protocol === "h2c-both" && { typed_extension_protocol_options: http2Upstream }),
          load_assignment: {
            cluster_name: "backend",
            endpoints: [{ lb_endpoints: [{ endpoint: { address: loopback(ports.backend) } }] }],
          },
        },
      ],
    },
  };
}

function servingOf(protocol: Protocol, folder: string): object {
  switch (protocol) {
    case "http":
    case "h2c":
    case "h2c-both":
      return { filter_chains: [{ filters: [connectionManager()] }] };
    case "websocket":
      return { filter_chains: [{ filters: [connectionManager({ upgrade_configs: webSocket })] }] };
    case "https":
      return {
        filter_chains: [{ filters: [connectionManager()], transport_socket: serverTls(folder) }],
      };
    case "tcp":
      return { filter_chains: [{ filters: [tcpProxy()] }] };
    case "sni":
      return { listener_filters: inspectors, filter_chains: chainsByName };
    default:
      return protocol satisfies never;
  }
}

/** Names of the chains of `sni`: `host-0.bench` to `host-999.bench`. */
export const chainCount = 1_000;

const chainsByName = Array.from({ length: chainCount }, (_, index) => ({
  name: `chain-${index}`,
  filter_chain_match: { server_names: [`host-${index}.bench`] },
  filters: [tcpProxy()],
}));

/** A PROXY header is read, the hello is looked at, and what is not TLS would be looked at for HTTP. */
const inspectors = [
  "proxy_protocol.v3.ProxyProtocol",
  "tls_inspector.v3.TlsInspector",
  "http_inspector.v3.HttpInspector",
].map((type) => ({
  name: type,
  typed_config: { "@type": typeUrl(`filters.listener.${type}`) },
}));

/** By ALPN nothing is chosen: the load speaks HTTP/1.1 and offers nothing else. */
function serverTls(folder: string): object {
  return {
    name: "envoy.transport_sockets.tls",
    typed_config: {
      "@type": typeUrl("transport_sockets.tls.v3.DownstreamTlsContext"),
      common_tls_context: {
        tls_certificates: serverCertificates(folder).map(({ certificate, key }) => ({
          certificate_chain: { filename: certificate },
          private_key: { filename: key },
        })),
      },
    },
  };
}

const enough = 20_000;
const limits = { max_connections: enough, max_pending_requests: enough, max_requests: enough };
const roomy = { thresholds: [limits] };
const webSocket = [{ upgrade_type: "websocket" }];

const http2Upstream = {
  "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
    "@type": typeUrl("upstreams.http.v3.HttpProtocolOptions"),
    explicit_http_config: { http2_protocol_options: {} },
  },
};

const router = {
  name: "envoy.filters.http.router",
  typed_config: { "@type": typeUrl("filters.http.router.v3.Router") },
};

const connectionManager = (more: object = {}): object => ({
  name: "envoy.filters.network.http_connection_manager",
  typed_config: {
    "@type": typeUrl("filters.network.http_connection_manager.v3.HttpConnectionManager"),
    stat_prefix: "bench",
    route_config: {
      name: "bench",
      virtual_hosts: [
        {
          name: "all",
          domains: ["*"],
          routes: [{ match: { prefix: "/" }, route: { cluster: "backend", timeout: "0s" } }],
        },
      ],
    },
    http_filters: [router],
    ...more,
  },
});

function tcpProxy(): object {
  return {
    name: "envoy.filters.network.tcp_proxy",
    typed_config: {
      "@type": typeUrl("filters.network.tcp_proxy.v3.TcpProxy"),
      stat_prefix: "bench",
      cluster: "backend",
    },
  };
}

function loopback(port: number): object {
  return { socket_address: { address: "127.0.0.1", port_value: port } };
}
