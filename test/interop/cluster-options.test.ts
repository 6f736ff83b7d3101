/**
 * `HttpProtocolOptions` of clusters on the wire: how large heads of responses may be, over HTTP/1 and HTTP/2, and which
 * retry policy holds. One table runs against Sluice and, with SLUICE_TEST_PROXY, against Envoy.
 */
import assert from "node:assert/strict";
import { forEachProxy } from "../support/each-proxy.ts";
import { HttpClient } from "../support/http-peers.ts";
import { answersWhole } from "../support/http2-frames.ts";
import type { Fields } from "../support/raw-http2.ts";
import { ScriptedHttp2Host } from "../support/scripted-http2-host.ts";
import { adminOnPortZero } from "../support/sluice-program.ts";
import { startUpstream } from "../support/tcp-peers.ts";
import { httpListener, staticCluster } from "../support/truth-resources.ts";
import { until } from "../support/until.ts";

interface HeadCase {
  readonly options: object;
  readonly fields: Fields;
  /** Over HTTP/1, and over HTTP/2 where that differs (there `:status` counts, too). */
  readonly told: string;
  readonly told2?: string;
}

interface RetryCase {
  /** Of the cluster and of the route. */
  readonly cluster?: object;
  readonly route?: object;
  /** How often the host was asked, and what it was told of time. */
  readonly told: string;
}

const fields = (count: number, bytes: number): Fields =>
  Array.from({ length: count }, (_, i) => [`f${i}`, "v".repeat(bytes)] as const);
const passes = "200 via_upstream";
const tooLarge = {
  told: "502 upstream_reset_before_response_started{protocol_error}",
  told2: "503 upstream_reset_before_response_started{remote_reset}",
} as const;
const kilobyte = { max_response_headers_kb: 1 };
const five = { max_headers_count: 5 };

const headCases: Readonly<Record<string, HeadCase>> = {
  "as large as it may be": { options: kilobyte, fields: fields(1, 980), told: passes },
  "too large": { options: kilobyte, fields: fields(1, 1_100), ...tooLarge },
  "too large in many fields": { options: kilobyte, fields: fields(60, 20), ...tooLarge },
  "large by default": { options: {}, fields: fields(50, 1_000), told: passes },
  "as many as there may be": { options: five, fields: fields(4, 1), told: passes },
  "too many": { options: five, fields: fields(6, 1), ...tooLarge },
  "many by default": { options: {}, fields: fields(99, 1), told: passes },
  "too many by default": { options: {}, fields: fields(101, 1), ...tooLarge },
  "more than by default": {
    options: { max_headers_count: 200 },
    fields: fields(150, 1),
    told: passes,
  },
};

const on5xx = { retry_on: "5xx", num_retries: 2 };
const retryCases: Readonly<Record<string, RetryCase>> = {
  none: { told: "1 15000" },
  "the route's": { route: on5xx, told: "3 15000" },
  "the cluster's": { cluster: on5xx, told: "3 15000" },
  "the cluster's, not the route's": {
    cluster: on5xx,
    route: { ...on5xx, num_retries: 4 },
    told: "3 15000",
  },
  "the cluster's, which is never": {
    cluster: { retry_on: "reset" },
    route: on5xx,
    told: "1 15000",
  },
  "the cluster's time for a try": { cluster: { ...on5xx, per_try_timeout: "2s" }, told: "3 15000" },
  "the cluster's, which has no time for a try": {
    cluster: on5xx,
    route: { ...on5xx, per_try_timeout: "2s" },
    told: "3 2000",
  },
};

const optionsType = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
const withOptions = (name: string, port: number, options: object): object =>
  staticCluster(name, port, {
    typed_extension_protocol_options: {
      [optionsType]: { "@type": `type.googleapis.com/${optionsType}`, ...options },
    },
  });
const http1 = { explicit_http_config: { http_protocol_options: {} } };
const http2 = { explicit_http_config: { http2_protocol_options: {} } };

forEachProxy("HTTP options of clusters hold", async (start, open) => {
  const clusters: object[] = [];
  const wanted: Record<string, string> = {};
  const seen: Record<string, string> = {};
  const answers = async (head: string, onRequest: (head: string) => void = () => {}) =>
    open.use(
      await startUpstream((socket) => {
        socket.on("data", (part: Buffer) => {
          onRequest(part.toString("latin1"));
          socket.write(head);
        });
        socket.on("end", () => socket.end());
      }),
    );
  for (const [name, each] of Object.entries(headCases)) {
    const lines = each.fields.map(([field, value]) => `${field}: ${value}\r\n`).join("");
    const host1 = await answers(`HTTP/1.1 204 OK\r\n${lines}\r\n`);
    const host2 = open.use(
      await ScriptedHttp2Host.start(({ id, send }) => send(answersWhole(id, "204", each.fields))),
    );
    const common = { common_http_protocol_options: each.options };
    clusters.push(withOptions(`${name} 1`, host1.port, { ...http1, ...common }));
    clusters.push(withOptions(`${name} 2`, host2.port, { ...http2, ...common }));
    wanted[`${name} 1`] = each.told;
    wanted[`${name} 2`] = each.told2 ?? each.told;
  }
  const asked: Record<string, string[]> = {};
  for (const [name, each] of Object.entries(retryCases)) {
    const heads: string[] = (asked[name] = []);
    const host = await answers("HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n", (head) =>
      heads.push(head),
    );
    clusters.push(
      withOptions(name, host.port, {
        ...http1,
        ...(each.cluster && { retry_policy: each.cluster }),
      }),
    );
    wanted[name] = each.told;
  }
  const routes = [
    ...Object.entries(retryCases).map(([name, { route }]) => ({
      match: { prefix: "/", headers: [{ name: "x-to", string_match: { exact: name } }] },
      route: { cluster: name, ...(route && { retry_policy: route }) },
    })),
    { match: { prefix: "/" }, route: { cluster_header: "x-to" } },
  ];
  const listener = httpListener("l", {
    route_config: { name: "r", virtual_hosts: [{ name: "v", domains: ["*"], routes }] },
    access_log: [
      {
        name: "stdout",
        typed_config: {
          "@type": "type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog",
          log_format: {
            text_format_source: {
              inline_string: "|%REQ(x-to)%|%RESPONSE_CODE% %RESPONSE_CODE_DETAILS%|\n",
            },
          },
        },
      },
    ],
  });
  const proxy = await start(
    { admin: adminOnPortZero, static_resources: { listeners: [listener], clusters } },
    ["--file-flush-interval-msec", "20"],
  );
  const port = (await proxy.listenerPorts()).get("l") ?? 0;
  for (const name of Object.keys(wanted)) {
    const client = new HttpClient(port);
    const { status } = await client.get("/", [`x-to: ${name}`]);
    client.socket.destroy();
    const heads = asked[name];
    const line = new RegExp(`\\|${name}\\|\\d+ (.*)\\|`);
    if (heads === undefined) {
      const said = await until(() => line.exec(proxy.log)?.[1], `${name} is logged`);
      seen[name] = `${status === 204 ? 200 : status} ${said}`;
    } else {
      const ms = /x-envoy-expected-rq-timeout-ms: (\d+)/.exec(heads[0] ?? "")?.[1];
      seen[name] = `${heads.length} ${ms}`;
    }
  }
  assert.deepEqual(seen, wanted);
});
