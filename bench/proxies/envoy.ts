import { writeFileSync } from "node:fs";
import path from "node:path";
import { findEnvoy, versionOf } from "../programs.ts";
import type { Contender, Ports, Protocol } from "./proxy.ts";

/**
 * Envoy and Sluice: one bootstrap, one command line. It is an ordinary static bootstrap with
 * defaults throughout: counters and limits are on, as shipped.
 */
const typeUrl = (name: string): string => `type.googleapis.com/envoy.extensions.filters.${name}`;

export function envoy(protocol: Protocol): Contender {
  const program = findEnvoy();
  const version = versionOf(program, "--version").replace(/^.*version: /, "");
  return contender("envoy", version, { program, protocol });
}

export function sluice(protocol: Protocol): Contender {
  const program = path.join(import.meta.dirname, "../../bin/sluice");
  return contender("sluice", versionOf(program, "--version"), { program, protocol });
}

function contender(
  name: string,
  version: string,
  { program, protocol }: { program: string; protocol: Protocol },
): Contender {
  return {
    name,
    version,
    prepare(folder, ports) {
      const file = path.join(folder, `${name}.json`);
      writeFileSync(file, JSON.stringify(bootstrap(protocol, ports), undefined, 1));
      const quiet = ["--disable-hot-restart", "-l", "error"];
      return { program, args: ["-c", file, "--concurrency", "1", ...quiet] };
    },
  };
}

function bootstrap(protocol: Protocol, ports: Ports): object {
  const filters = [protocol === "http" ? connectionManager : tcpProxy];
  return {
    admin: { address: loopback(0) },
    static_resources: {
      listeners: [{ name: "bench", address: loopback(ports.proxy), filter_chains: [{ filters }] }],
      clusters: [
        {
          name: "backend",
          type: "STATIC",
          connect_timeout: "5s",
          load_assignment: {
            cluster_name: "backend",
            endpoints: [{ lb_endpoints: [{ endpoint: { address: loopback(ports.backend) } }] }],
          },
        },
      ],
    },
  };
}

const connectionManager = {
  name: "envoy.filters.network.http_connection_manager",
  typed_config: {
    "@type": typeUrl("network.http_connection_manager.v3.HttpConnectionManager"),
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
    http_filters: [
      {
        name: "envoy.filters.http.router",
        typed_config: { "@type": typeUrl("http.router.v3.Router") },
      },
    ],
  },
};

const tcpProxy = {
  name: "envoy.filters.network.tcp_proxy",
  typed_config: {
    "@type": typeUrl("network.tcp_proxy.v3.TcpProxy"),
    stat_prefix: "bench",
    cluster: "backend",
  },
};

function loopback(port: number): object {
  return { socket_address: { address: "127.0.0.1", port_value: port } };
}
