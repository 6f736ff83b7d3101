/**
 * How long a request may last by its route, and by its own `grpc-timeout` within the route's limits: the same requests run
 * against Sluice and, with SLUICE_TEST_PROXY, against Envoy.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import type { ClientHttp2Stream } from "node:http2";
import { forEachProxy } from "../support/each-proxy.ts";
import { FileLog } from "../support/file-log.ts";
import { startHttpUpstream } from "../support/http-peers.ts";
import { connectHttp2 } from "../support/http2-client.ts";
import { startHttp2Upstream } from "../support/http2-upstream.ts";
import { httpFilter } from "../support/http-filter-config.ts";
import { adminOnPortZero } from "../support/sluice-program.ts";
import { http2Cluster, httpListener, staticCluster } from "../support/truth-resources.ts";
import { until } from "../support/until.ts";

interface Case {
  readonly duration: object;
  readonly timeout?: string;
  readonly contentType?: string;
  /** What the host sees of `grpc-timeout`; absent: without time Sluice sends nothing, Envoy `0m`. */
  readonly seen?: string;
  /** Status, flags, details and gRPC status in the log. */
  readonly printed: string;
}

const grpc = "application/grpc";
const ok = { "grpc-status": "0" };
const lasts = "200 - via_upstream";
const ended = "- max_duration_timeout";
/** By path; `/never…` is never answered. */
const cases: Readonly<Record<string, Case>> = {
  "/plain": { duration: {}, seen: "none", printed: `${lasts} 0` },
  "/untouched": { duration: {}, timeout: "5S", seen: "5S", printed: `${lasts} 0` },
  "/never/by-route": {
    duration: { max_stream_duration: { max_stream_duration: "0.1s" } },
    seen: "100m",
    printed: `200 ${ended} 4`,
  },
  "/never/by-route-plain": {
    duration: { max_stream_duration: { max_stream_duration: "0.1s" } },
    contentType: "text/plain",
    seen: "none",
    printed: `504 ${ended} -`,
  },
  "/never/by-header": {
    duration: { max_stream_duration: { grpc_timeout_header_max: "0s" } },
    timeout: "100m",
    seen: "100m",
    printed: `200 ${ended} 4`,
  },
  "/never/capped": {
    duration: { max_stream_duration: { grpc_timeout_header_max: "0.1s" } },
    timeout: "5S",
    seen: "100m",
    printed: `200 ${ended} 4`,
  },
  "/header-passes": {
    duration: { max_stream_duration: { grpc_timeout_header_max: "0s" } },
    timeout: "5S",
    seen: "5000m",
    printed: `${lasts} 0`,
  },
  "/header-capped": {
    duration: { max_stream_duration: { grpc_timeout_header_max: "3s" } },
    timeout: "5S",
    seen: "3000m",
    printed: `${lasts} 0`,
  },
  "/header-offset": {
    duration: {
      max_stream_duration: { grpc_timeout_header_max: "0s", grpc_timeout_header_offset: "1s" },
    },
    timeout: "5S",
    seen: "4000m",
    printed: `${lasts} 0`,
  },
  "/never/offset-too-large": {
    duration: {
      max_stream_duration: { grpc_timeout_header_max: "0s", grpc_timeout_header_offset: "9s" },
    },
    timeout: "5S",
    printed: `200 ${ended} 4`,
  },
  "/no-header": {
    duration: { max_stream_duration: { grpc_timeout_header_max: "3s" } },
    seen: "none",
    printed: `${lasts} 0`,
  },
  "/header-of-plain": {
    duration: { max_stream_duration: { grpc_timeout_header_max: "3s" } },
    timeout: "5S",
    contentType: "text/plain",
    seen: "5S",
    printed: `${lasts} -`,
  },
  "/never/header-over-route": {
    duration: {
      max_stream_duration: { max_stream_duration: "20s", grpc_timeout_header_max: "0s" },
    },
    timeout: "100m",
    seen: "100m",
    printed: `200 ${ended} 4`,
  },
  "/never/bad-header": {
    duration: {
      max_stream_duration: { max_stream_duration: "0.1s", grpc_timeout_header_max: "0s" },
    },
    timeout: "5X",
    seen: "100m",
    printed: `200 ${ended} 4`,
  },
  "/never/zero-header": {
    duration: { max_stream_duration: { grpc_timeout_header_max: "3s" } },
    timeout: "0S",
    printed: `200 ${ended} 4`,
  },
  "/old-style": {
    duration: { max_grpc_timeout: "3s" },
    timeout: "5S",
    seen: "3000m",
    printed: `${lasts} 0`,
  },
  "/old-style-none": { duration: { max_grpc_timeout: "3s" }, seen: "3000m", printed: `${lasts} 0` },
  "/old-style-offset": {
    duration: { max_grpc_timeout: "0s", grpc_timeout_offset: "1s" },
    timeout: "5S",
    seen: "4000m",
    printed: `${lasts} 0`,
  },
  "/never/old-style": {
    duration: { max_grpc_timeout: "0.1s" },
    timeout: "5S",
    seen: "100m",
    printed: "200 UT response_timeout 14",
  },
  "/old-style-plain": {
    duration: { max_grpc_timeout: "3s" },
    timeout: "5S",
    contentType: "text/plain",
    seen: "5S",
    printed: `${lasts} -`,
  },
  "/rounded": {
    duration: { max_stream_duration: { grpc_timeout_header_max: "0s" } },
    timeout: "1500100u",
    seen: "1501m",
    printed: `${lasts} 0`,
  },
};

const format =
  "%REQ(:PATH)% %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %GRPC_STATUS_NUMBER%";

forEachProxy("requests last as long as route and grpc-timeout say", async (start, scope) => {
  const seen = new Map<string, string>();
  const host = scope.use(
    await startHttp2Upstream((stream, headers) => {
      const where = headers[":path"] ?? "";
      seen.set(where, String(headers["grpc-timeout"] ?? "none"));
      if (where.startsWith("/never")) return;
      stream.respond({ ":status": 200, "grpc-status": "0" }, { endStream: true });
    }),
  );
  const log = scope.use(new FileLog(format));
  const routes = Object.entries(cases).map(([where, { duration }]) => ({
    match: { path: where },
    route: { cluster: "host", timeout: "30s", ...duration },
  }));
  const routing = {
    access_log: [log.config],
    route_config: { virtual_hosts: [{ name: "all", domains: ["*"], routes }] },
  };
  const http_filters = [httpFilter("grpc_stats.v3.FilterConfig"), httpFilter("router.v3.Router")];
  const filtered = { ...routing, http_filters };
  const proxy = await start(
    {
      admin: adminOnPortZero,
      static_resources: {
        // Filters take the fields of a head with them: the limits are the same.
        listeners: [httpListener("front", routing), httpListener("filtered", filtered)],
        clusters: [http2Cluster("host", host.port)],
      },
    },
    ["--file-flush-interval-msec", "50"],
  );
  const printed: string[] = [];
  for (const port of (await proxy.listenerPorts()).values()) {
    const session = await connectHttp2(port);
    for (const [where, { timeout, contentType = grpc }] of Object.entries(cases)) {
      const stream = session.request({
        ":path": where,
        "content-type": contentType,
        ...(timeout !== undefined && { "grpc-timeout": timeout }),
      });
      stream.resume();
      await once(stream, "close");
    }
    session.close();
    printed.push(
      ...Object.entries(cases).map(([where, each]) => `${where} ${each.printed} ${each.seen}`),
    );
    const lines = await log.lines(printed.length);
    assert.deepEqual(
      lines.map((line) => {
        const where = line.split(" ")[0] ?? "";
        return `${line} ${cases[where]?.seen && seen.get(where)}`;
      }),
      printed,
    );
  }
});

interface End {
  readonly contentType: string;
  readonly status: number;
  /** Of the stream: 2 is INTERNAL_ERROR. */
  readonly code: number;
  readonly body: string;
  /** Flags, details and gRPC status in the log. */
  readonly printed: string;
}

const reached = "upstream max stream duration reached";
const umsdr = "UMSDR upstream_max_stream_duration_reached";
const answered = { contentType: grpc, status: 200, code: 0, body: "" };
const begun = { status: 200, code: 2, body: "begun" };
/** What a cluster's own `max_stream_duration` ends; a host that has begun says a head and a part of a body. */
const ends: Readonly<Record<string, End>> = {
  "/never/grpc": { ...answered, printed: `${umsdr} 14` },
  "/never/plain": {
    contentType: "text/plain",
    status: 504,
    code: 0,
    body: reached,
    printed: `${umsdr} -`,
  },
  "/never/retried": { ...answered, printed: `URX,${umsdr} 14` },
  "/begun/grpc": { ...begun, contentType: grpc, printed: `${umsdr} 2` },
  "/begun/plain": { ...begun, contentType: "text/plain", printed: `${umsdr} -` },
  "/whole": { ...answered, printed: "- via_upstream 0" },
};

const endCounts = {
  upstream_rq_max_duration_reached: 6,
  upstream_rq_retry: 1,
  upstream_rq_retry_limit_exceeded: 1,
  upstream_rq_total: 7,
  upstream_rq_completed: 3,
  upstream_rq_504: 0,
};

forEachProxy("requests last as long as their cluster says", async (start, scope) => {
  const resets: string[] = [];
  const http2 = scope.use(
    await startHttp2Upstream((stream, headers) => {
      const where = headers[":path"] ?? "";
      stream.on("close", () => {
        if (stream.rstCode !== 0) resets.push(where);
      });
      if (where.startsWith("/never")) return;
      const isWhole = where === "/whole";
      stream.respond({ "content-type": grpc, ...(isWhole && ok) }, { endStream: isWhole });
      if (!isWhole) stream.write("begun");
    }),
  );
  const http1 = scope.use(
    await startHttpUpstream(({ url }, response) => {
      if (url.startsWith("/never")) return;
      response.setHeader("content-type", grpc);
      if (url === "/whole") response.setHeader("grpc-status", "0").end();
      else response.write("begun");
    }),
  );
  const log = scope.use(
    new FileLog("%REQ(:PATH)% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %GRPC_STATUS_NUMBER%"),
  );
  const retried = { retry_on: "reset", num_retries: 1 };
  const listenerTo = (cluster: string): object => {
    const routes = [
      { match: { path: "/never/retried" }, route: { cluster, retry_policy: retried } },
      { match: { prefix: "/" }, route: { cluster } },
    ];
    const virtual_hosts = [{ name: "all", domains: ["*"], routes }];
    return httpListener(cluster, { access_log: [log.config], route_config: { virtual_hosts } });
  };
  const brief = { common_http_protocol_options: { max_stream_duration: "0.1s" } };
  const proxy = await start(
    {
      admin: adminOnPortZero,
      static_resources: {
        listeners: ["h2", "h1"].map(listenerTo),
        clusters: [
          http2Cluster("h2", http2.port, {}, brief),
          staticCluster("h1", http1.port, brief),
        ],
      },
    },
    ["--file-flush-interval-msec", "50"],
  );
  const printed: string[] = [];
  for (const [cluster, port] of await proxy.listenerPorts()) {
    const session = await connectHttp2(port);
    for (const [where, { contentType, printed: line, ...wanted }] of Object.entries(ends)) {
      const stream = session.request({ ":path": where, "content-type": contentType });
      assert.deepEqual(await endOf(stream), wanted, `${where}, ${cluster}`);
      printed.push(`${where} ${line}`);
    }
    session.close();
    for (const [name, value] of Object.entries(endCounts)) {
      const stat = `cluster.${cluster}.${name}`;
      await until(async () => (await proxy.stat(stat)) === value, `${stat}: ${value}`);
    }
    assert.equal(await proxy.stat(`http.${cluster}.downstream_rq_tx_reset`), 2);
    assert.equal(await proxy.stat(`http.${cluster}.rq_reset_after_downstream_response_started`), 0);
  }
  assert.deepEqual(await log.lines(printed.length), printed);
  assert.equal(await proxy.stat("cluster.h2.upstream_rq_tx_reset"), 6);
  assert.equal(resets.length, 6);
});

async function endOf(stream: ClientHttp2Stream): Promise<Pick<End, "status" | "code" | "body">> {
  let status = 0;
  let body = "";
  stream.on("error", () => {});
  stream.on("response", (headers) => (status = Number(headers[":status"])));
  stream.on("data", (part: Buffer) => (body += part.toString()));
  await new Promise<void>((closed) => void stream.once("close", closed));
  return { status, code: stream.rstCode ?? 0, body };
}
