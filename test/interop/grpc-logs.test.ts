/**
 * What access logs print of gRPC and of trailers: the same requests run against Sluice and, with SLUICE_TEST_PROXY,
 * against Envoy.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import type { OutgoingHttpHeaders } from "node:http2";
import { forEachProxy } from "../support/each-proxy.ts";
import { FileLog } from "../support/file-log.ts";
import { connectHttp2 } from "../support/http2-client.ts";
import { startHttp2Upstream } from "../support/http2-upstream.ts";
import { adminOnPortZero } from "../support/sluice-program.ts";
import { http2Cluster, httpListener } from "../support/truth-resources.ts";

const format = [
  "%REQ(:PATH)%",
  "%GRPC_STATUS%",
  "%GRPC_STATUS(CAMEL_STRING)%",
  "%GRPC_STATUS(SNAKE_STRING)%",
  "%GRPC_STATUS(NUMBER)%",
  "%GRPC_STATUS_NUMBER%",
  "%TRAILER(X-OTHER?x-trailer)%",
].join(" ");

/** By path: what the host says, and what the log prints behind the path. */
const cases: Readonly<
  Record<string, { head: OutgoingHttpHeaders; trailers?: OutgoingHttpHeaders; printed: string }>
> = {
  "/ok": {
    head: {},
    trailers: { "grpc-status": "0", "x-trailer": "seen" },
    printed: "OK OK OK 0 0 seen",
  },
  "/cancelled": {
    head: {},
    trailers: { "grpc-status": "1" },
    printed: "Canceled Canceled CANCELLED 1 1 -",
  },
  "/deadline": {
    head: {},
    trailers: { "grpc-status": "4" },
    printed: "DeadlineExceeded DeadlineExceeded DEADLINE_EXCEEDED 4 4 -",
  },
  "/only": { head: { "grpc-status": "5" }, printed: "NotFound NotFound NOT_FOUND 5 5 -" },
  "/odd": { head: {}, trailers: { "grpc-status": "99" }, printed: "99 99 99 99 99 -" },
  "/none": { head: {}, printed: "Unknown Unknown UNKNOWN 2 2 -" },
  "/unavailable": {
    head: { ":status": 503 },
    printed: "Unavailable Unavailable UNAVAILABLE 14 14 -",
  },
  "/no-route": { head: {}, printed: "Unimplemented Unimplemented UNIMPLEMENTED 12 12 -" },
  "/no-number": { head: {}, trailers: { "grpc-status": "x" }, printed: "-1 -1 -1 -1 -1 -" },
  "/plain/404": { head: { ":status": 404 }, printed: "- - - - - -" },
  "/plain/status": { head: { "grpc-status": "5" }, printed: "- - - - - -" },
  "/plain": {
    head: {},
    trailers: { "grpc-status": "3", "x-trailer": "seen" },
    printed: "- - - - - seen",
  },
};

const others = Object.keys(cases).filter((where) => where !== "/ok");
/** Which of them `grpc_status_filter` lets into a log: the status counts whatever the request was. */
const filters: Readonly<
  Record<string, { readonly filter: object; readonly paths: readonly string[] }>
> = {
  "no status": { filter: {}, paths: [] },
  "no status excluded": { filter: { exclude: true }, paths: Object.keys(cases) },
  one: { filter: { statuses: ["OK"] }, paths: ["/ok"] },
  "one excluded": { filter: { statuses: ["OK"], exclude: true }, paths: others },
  unknown: { filter: { statuses: ["UNKNOWN"] }, paths: ["/none"] },
  some: {
    filter: { statuses: ["NOT_FOUND", "CANCELED", "UNAVAILABLE"] },
    paths: ["/cancelled", "/only", "/unavailable", "/plain/status"],
  },
  "of trailers, and of a status of HTTP": {
    filter: { statuses: ["INVALID_ARGUMENT", "UNIMPLEMENTED"] },
    paths: ["/no-route", "/plain/404", "/plain"],
  },
};

forEachProxy("access logs say how gRPC calls ended", async (start, scope) => {
  const host = scope.use(
    await startHttp2Upstream((stream, headers) => {
      const { head = {}, trailers } = cases[headers[":path"] ?? ""] ?? {};
      stream.respond({ ":status": 200, ...head }, { waitForTrailers: trailers !== undefined });
      stream.on("wantTrailers", () => stream.sendTrailers(trailers ?? {}));
      stream.end("body");
    }),
  );
  const log = scope.use(new FileLog(format));
  const filtered = Object.entries(filters).map(([name, { filter, paths }]) => {
    const lines = scope.use(new FileLog("%REQ(:PATH)%"));
    const config = { ...lines.config, filter: { grpc_status_filter: filter } };
    return { name, lines, paths, config };
  });
  const routing = {
    access_log: [log.config, ...filtered.map(({ config }) => config)],
    route_config: {
      virtual_hosts: [
        {
          name: "all",
          domains: ["*"],
          routes: Object.keys(cases)
            .filter((prefix) => prefix !== "/no-route")
            .map((prefix) => ({ match: { prefix }, route: { cluster: "host" } })),
        },
      ],
    },
  };
  const proxy = await start(
    {
      admin: adminOnPortZero,
      static_resources: {
        listeners: [httpListener("front", routing)],
        clusters: [http2Cluster("host", host.port)],
      },
    },
    ["--file-flush-interval-msec", "50"],
  );
  const session = await connectHttp2((await proxy.listenerPorts()).get("front") ?? 0);
  for (const where of Object.keys(cases)) {
    const contentType = where.startsWith("/plain") ? "text/plain" : "application/grpc";
    const stream = session.request({ ":path": where, "content-type": contentType });
    stream.resume();
    await once(stream, "close");
  }
  session.close();
  const lines = await log.lines(Object.keys(cases).length);
  assert.deepEqual(
    lines,
    Object.entries(cases).map(([where, { printed }]) => `${where} ${printed}`),
  );
  for (const { name, lines: passed, paths } of filtered)
    assert.deepEqual(await passed.lines(paths.length), paths, name);
});
