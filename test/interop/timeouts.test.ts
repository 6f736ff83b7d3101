/**
 * What each timeout of connections, requests and routes does over HTTP/1 and over HTTP/2, and what it is counted as: the
 * same table runs against Sluice and, with SLUICE_TEST_PROXY, against Envoy.
 */
import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { isDeepStrictEqual } from "node:util";
import { forEachProxy } from "../support/each-proxy.ts";
import { FileLog } from "../support/file-log.ts";
import { adminOnPortZero } from "../support/sluice-program.ts";
import { startUpstream } from "../support/tcp-peers.ts";
import { httpListener, staticCluster } from "../support/truth-resources.ts";
import { until } from "../support/until.ts";
import { cases, type Outcome } from "./timeouts/cases.ts";
import { overHttp1, overHttp2 } from "./timeouts/clients.ts";

/** Counters of `http.<case>.`, and of `cluster.<case>.`. */
const ofManager = [
  "downstream_cx_idle_timeout",
  "downstream_cx_max_duration_reached",
  "downstream_rq_idle_timeout",
  "downstream_rq_timeout",
  "downstream_rq_header_timeout",
  "downstream_rq_max_duration_reached",
  "downstream_rq_response_before_rq_complete",
  "downstream_rq_rx_reset",
  "downstream_rq_tx_reset",
  "downstream_cx_drain_close",
  "downstream_cx_destroy_local",
  "downstream_cx_destroy_remote",
  "downstream_rq_2xx",
  "downstream_rq_4xx",
  "downstream_rq_5xx",
];
const ofCluster = [
  "upstream_rq_timeout",
  "upstream_rq_per_try_timeout",
  "upstream_rq_per_try_idle_timeout",
  "upstream_rq_retry",
  "upstream_rq_tx_reset",
  "upstream_rq_rx_reset",
  "upstream_cx_idle_timeout",
  "upstream_cx_max_duration_reached",
  "upstream_cx_destroy_local",
  "upstream_cx_protocol_error",
];

const protocols = ["http1", "http2"] as const;
const named = (name: string, protocol: string): string =>
  `${name.replaceAll(/[^a-z_]/g, "-")}-${protocol}`;
const options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

function resourcesOf(hostPort: number, log: object): object {
  const listeners: object[] = [];
  const clusters: object[] = [];
  for (const [name, { manager, route, cluster }] of Object.entries(cases))
    for (const protocol of protocols) {
      const own = named(name, protocol);
      const action = { cluster: own, timeout: "0s", ...route };
      const virtualHost = {
        name: "all",
        domains: ["*"],
        routes: [{ match: { prefix: "/" }, route: action }],
      };
      const route_config = { name: "routes", virtual_hosts: [virtualHost] };
      listeners.push(
        httpListener(own, {
          codec_type: protocol.toUpperCase(),
          route_config,
          access_log: [log],
          ...manager,
        }),
      );
      const typed = {
        "@type": `type.googleapis.com/${options}`,
        explicit_http_config: { http_protocol_options: {} },
        common_http_protocol_options: cluster ?? {},
      };
      clusters.push(
        staticCluster(own, hostPort, { typed_extension_protocol_options: { [options]: typed } }),
      );
    }
  return { listeners, clusters };
}

/** By path. */
function serve(socket: Socket): void {
  socket.on("data", (part: Buffer) => {
    const [, path] = /^\S+ (\S+) /.exec(part.toString("latin1")) ?? [];
    if (path === "/") socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    if (path === "/begun") socket.write("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nab");
    if (path === "/half") socket.end("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nab");
    if (path === "/gone") socket.destroy();
  });
}

/** Those that are not 0; the number is said where it is not 1. */
function countersOf(own: string, text: string): string {
  const stats = new Map(text.split("\n").map((line) => line.split(": ") as [string, string]));
  const names = [
    ...ofManager.map((each) => ["http", each] as const),
    ...ofCluster.map((each) => ["cluster", each] as const),
  ];
  return names
    .flatMap(([prefix, each]) => {
      const value = stats.get(`${prefix}.${own}.${each}`) ?? "0";
      return value === "0" ? [] : [value === "1" ? each : `${each}=${value}`];
    })
    .join(" ");
}

forEachProxy("timeouts end what they are for, as Envoy's do", async (start, scope) => {
  using log = new FileLog("%DOWNSTREAM_LOCAL_PORT% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS%");
  const host = scope.use(await startUpstream(serve));
  const bootstrap = {
    admin: adminOnPortZero,
    static_resources: resourcesOf(host.port, log.config),
  };
  const proxy = await start(bootstrap, ["--file-flush-interval-msec", "50"]);
  const ports = await proxy.listenerPorts();
  const clients = Object.entries(cases).flatMap(([name, { act }]) =>
    protocols.map(async (protocol) => {
      const port = ports.get(named(name, protocol)) ?? 0;
      const see = await (protocol === "http1" ? overHttp1 : overHttp2)(act, port);
      return { name, protocol, see };
    }),
  );
  const started = await Promise.all(clients);
  const outcomeOf = async ({
    name,
    protocol,
    see,
  }: Awaited<(typeof clients)[number]>): Promise<Outcome> => {
    const own = named(name, protocol);
    const stats = await proxy.admin("/stats?usedonly");
    return [see(), log.textBehind(`${ports.get(own)} `), countersOf(own, stats)];
  };
  for (const client of started) {
    const wanted = cases[client.name]?.[client.protocol];
    const what = `${client.name}, ${client.protocol}`;
    await until(async () => isDeepStrictEqual(await outcomeOf(client), wanted), what).catch(
      () => {},
    );
    assert.deepEqual(await outcomeOf(client), wanted, what);
  }
});
