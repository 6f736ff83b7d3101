import assert from "node:assert/strict";
import { test } from "node:test";
import { compileFormat } from "../../../../src/data/http/access-log/format.ts";
import { passesFilter } from "../../../../src/data/http/access-log/filter.ts";
import { formatTime } from "../../../../src/data/http/access-log/start-time.ts";
import type { StreamInfo } from "../../../../src/data/network/stream-info.ts";
import { WorkerRuntime } from "../../../../src/data/upstream/worker-runtime.ts";
import type { AccessLogFilter } from "../../../../src/shared/config/access-log-config.ts";
import { accessLogOperators } from "../../../../src/shared/config/access-log-operators.ts";
import { parseCommandFormat } from "../../../../src/shared/config/command-format.ts";

const wallMs = Date.UTC(2026, 10, 20, 13, 5, 9, 42);
const info: StreamInfo = {
  protocol: "HTTP/1.1",
  startWallMs: wallMs,
  startMs: 1000,
  requestEndMs: 1002,
  upstreamStartMs: 1003,
  responseStartMs: 1010,
  responseEndMs: 1020,
  endMs: 1021.7,
  bytesReceived: 5,
  bytesSent: 7,
  upstreamBytesReceived: 70,
  upstreamBytesSent: 50,
  responseCode: 200,
  responseCodeDetails: "via_upstream",
  responseFlags: ["UF", "URX"],
  connectionTerminationDetails: undefined,
  listenerName: "l",
  filterChainName: "",
  connectionId: 3,
  routeName: "route",
  virtualHostName: "vh",
  downstreamLocalAddress: { kind: "ip", ip: "10.0.0.1", port: 80 },
  downstreamRemoteAddress: { kind: "ip", ip: "::1", port: 4000 },
  downstreamDirectRemoteAddress: { kind: "pipe", path: "/p", mode: 0 },
  clientHello: { serverName: "" },
  downstreamTls: undefined,
  upstreamTls: undefined,
  downstreamTransportFailureReason: undefined,
  upstreamCluster: "c",
  upstreamHost: { kind: "ip", ip: "10.0.0.2", port: 90 },
  upstreamHostname: "",
  upstreamLocalAddress: undefined,
  upstreamTransportFailureReason: undefined,
  upstreamAttemptCount: 2,
  method: "GET",
  path: "/a?b",
  authority: "h",
  isHealthCheck: false,
  requestHeader: (name) => ({ ":path": "/a?b", "x-a": 'quo"te', "x-raw": "\xe9" })[name],
  responseHeader: () => undefined,
  grpcStatus: undefined,
  responseTrailer: () => undefined,
};

function line(format: string): string {
  const parsed = parseCommandFormat(format);
  assert.ok(parsed.ok, parsed.ok ? "" : parsed.error);
  return compileFormat({ kind: "text", parts: parsed.parts })(info);
}

test("text formats print operators between their literals", () => {
  assert.equal(
    line("[%START_TIME%] %REQ(X-NONE?:PATH)% %RESPONSE_CODE% %RESPONSE_FLAGS% %DURATION%%%"),
    "[2026-11-20T13:05:09.042Z] /a?b 200 UF,URX 21%",
  );
  assert.equal(
    line("%RESPONSE_FLAGS_LONG%"),
    "UpstreamConnectionFailure,UpstreamRetryLimitExceeded",
  );
  assert.equal(line("%REQ(x-a):3% %REQ(x-none)% %REQ_WITHOUT_QUERY(:path)%"), "quo - /a");
  assert.equal(line("%REQUEST_DURATION% %RESPONSE_DURATION% %RESPONSE_TX_DURATION%"), "2 10 11");
  assert.equal(line("%UPSTREAM_HOST% %DOWNSTREAM_REMOTE_ADDRESS%"), "10.0.0.2:90 [::1]:4000");
  assert.equal(line("%UPSTREAM_CLUSTER% %UPSTREAM_CLUSTER_RAW%"), "c c");
  assert.equal(line("%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% %DOWNSTREAM_LOCAL_PORT%"), "::1 80");
});

test("every operator of the list prints something", () => {
  for (const name of accessLogOperators) {
    const args = ["REQ", "RESP", "TRAILER", "REQ_WITHOUT_QUERY"].includes(name) ? "(x-a)" : "";
    assert.notEqual(line(`%${name}${args}%`), "", name);
  }
});

test("JSON keeps numbers, writes null for nothing, escapes, and nests", () => {
  const part = (name: string, args: readonly string[] = []) =>
    ({ kind: "operator", name, args, maxLength: undefined }) as const;
  const fields = {
    status: [part("RESPONSE_CODE")],
    agent: [part("REQ", ["x-none"])],
    nested: { quoted: [part("REQ", ["x-a"])], raw: [part("REQ", ["x-raw"])] },
    mixed: [{ kind: "literal", text: "é:" } as const, part("PROTOCOL")],
  };
  const all = compileFormat({ kind: "json", fields, omitEmptyValues: false })(info);
  assert.deepEqual(JSON.parse(Buffer.from(all, "latin1").toString("utf8")), {
    agent: null,
    mixed: "é:HTTP/1.1",
    nested: { quoted: 'quo"te', raw: "\ufffd" },
    status: 200,
  });
  assert.ok(all.endsWith("}\n"));
  const some = compileFormat({ kind: "json", fields, omitEmptyValues: true })(info);
  assert.equal("agent" in JSON.parse(Buffer.from(some, "latin1").toString("utf8")), false);
});

test("START_TIME takes strftime's specifiers and Envoy's fractions", () => {
  assert.equal(
    formatTime(wallMs, "%Y/%m/%d %H:%M:%S.%3f %6f %s"),
    "2026/11/20 13:05:09.042 042000 1795179909",
  );
  assert.equal(
    formatTime(wallMs, "%a %A %b %B %e %j %I%p %T %F %E3S %%"),
    "Fri Friday Nov November 20 324 01PM 13:05:09 2026-11-20 09.042 %",
  );
});

test("formats that name no operator are refused with the place", () => {
  for (const format of ["%NOPE%", "%REQ%", "%REQ()%", "%req(a)%", "100%", "%REQ(a"]) {
    const parsed = parseCommandFormat(format);
    assert.equal(parsed.ok, false, format);
  }
});

test("filters choose by code, duration, flags, and their combinations", () => {
  const value = (otherwise: number) => ({ runtimeKey: "k", otherwise });
  const code = (op: "ge" | "le" | "eq" | "ne", than: number) =>
    ({ kind: "statusCode", op, value: value(than) }) as const;
  const runtime = new WorkerRuntime();
  const passes = (filter: AccessLogFilter) => passesFilter(filter, info, runtime);
  assert.equal(passes(code("ge", 200)), true);
  assert.equal(passes(code("ne", 200)), false);
  assert.equal(passes({ kind: "duration", op: "ge", valueMs: value(30) }), false);
  assert.equal(passes({ kind: "responseFlag", flags: ["UF"] }), true);
  assert.equal(passes({ kind: "responseFlag", flags: [] }), true);
  assert.equal(passes({ kind: "responseFlag", flags: ["UH"] }), false);
  assert.equal(passes({ kind: "and", filters: [code("ge", 200), code("le", 100)] }), false);
  assert.equal(passes({ kind: "or", filters: [code("ge", 200), code("le", 100)] }), true);
  runtime.set(new Map([["k", 1_000]]));
  assert.equal(passes(code("ge", 200)), false, "runtime has another limit");
});
