/**
 * How long a request may last by its route, and by its own `grpc-timeout` within the route's limits: the same requests run
 * against Sluice and, with SLUICE_TEST_PROXY, against Envoy.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { forEachProxy } from "../support/each-proxy.ts";
import { FileLog } from "../support/file-log.ts";
import { connectHttp2 } from "../support/http2-client.ts";
import { startHttp2Upstream } from "../support/http2-upstream.ts";
import { httpFilter } from "../support/http-filter-config.ts";
import { adminOnPortZero } from "../support/sluice-program.ts";
import { http2Cluster, httpListener } from "../support/truth-resources.ts";

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
