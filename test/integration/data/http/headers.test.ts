/** What is added to, taken from and changed in heads on their way, and what the access log says of it. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { parseCommandFormat } from "../../../../src/shared/config/command-format.ts";
import { hostConfig } from "../../../support/cluster-fixture.ts";
import { clusterAction, route } from "../../../support/http-fixture.ts";
import { startHttpUpstream } from "../../../support/http-peers.ts";
import { startProxy } from "../../../support/http-proxy.ts";
import { forEachWorkerKind } from "../../../support/test-workers.ts";

forEachWorkerKind("at the edge the peer's address decides", { isShared: true }, async (workers) => {
  await using upstream = await startHttpUpstream();
  const proxy = await startProxy(workers, upstream.port, {
    manager: { useRemoteAddress: true, via: "proxy", alwaysSetRequestIdInResponse: true },
  });
  const client = proxy.connect();
  const response = await client.get("/", [
    "X-Forwarded-For: 1.2.3.4",
    "X-Forwarded-For: 5.6.7.8",
    "X-Forwarded-Proto: https",
    "X-Request-Id: mine",
    "X-Envoy-Retry-On: 5xx",
    "X-Envoy-Internal: true",
  ]);
  const headers = upstream.requests[0]?.headers ?? {};
  assert.equal(headers["x-forwarded-for"], "1.2.3.4,5.6.7.8,127.0.0.1");
  assert.equal(headers["x-forwarded-proto"], "http");
  assert.equal(headers["x-envoy-external-address"], "127.0.0.1");
  assert.equal(headers["x-envoy-retry-on"], undefined);
  assert.equal(headers["x-envoy-internal"], undefined);
  assert.equal(headers["via"], "proxy");
  assert.notEqual(headers["x-request-id"], "mine");
  assert.equal(response.headers["x-request-id"], headers["x-request-id"]);
  assert.equal(response.headers["via"], "proxy");
  await client.get("/", ["X-Envoy-Original-Path: /z", "X-Envoy-Original-Host: z"]);
  const second = upstream.requests[1]?.headers ?? {};
  assert.equal(second["x-envoy-original-path"], undefined);
  assert.equal(second["x-envoy-original-host"], undefined);
  client.socket.destroy();
});

forEachWorkerKind(
  "the response repeats an id that is preserved",
  { isShared: true },
  async (workers) => {
    await using upstream = await startHttpUpstream();
    const proxy = await startProxy(workers, upstream.port, {
      manager: {
        useRemoteAddress: true,
        preserveExternalRequestId: true,
        alwaysSetRequestIdInResponse: true,
      },
    });
    const client = proxy.connect();
    const response = await client.get("/", ["X-Request-Id: theirs"]);
    assert.equal(response.headers["x-request-id"], "theirs");
    assert.equal(upstream.requests[0]?.headers["x-request-id"], "theirs");
    client.socket.destroy();
  },
);

forEachWorkerKind(
  "a method that expects a body says that it is empty",
  { isShared: true },
  async (workers) => {
    await using upstream = await startHttpUpstream();
    const proxy = await startProxy(workers, upstream.port);
    for (const [method, length] of [
      ["POST", "0"],
      ["OPTIONS", "0"],
      ["COPY", "0"],
      ["GET", undefined],
      ["DELETE", undefined],
      ["TRACE", undefined],
    ] as const) {
      const client = proxy.connect();
      client.send(`${method} / HTTP/1.1\r\nHost: t\r\n\r\n`);
      await client.response();
      assert.equal(upstream.requests.at(-1)?.headers["content-length"], length, method);
      client.socket.destroy();
    }
  },
);

forEachWorkerKind("behind another proxy its word stands", { isShared: true }, async (workers) => {
  await using upstream = await startHttpUpstream();
  const proxy = await startProxy(workers, upstream.port);
  const client = proxy.connect();
  await client.get("/", [
    "X-Forwarded-For: 1.2.3.4",
    "X-Forwarded-Proto: https",
    "X-Request-Id: a",
  ]);
  const headers = upstream.requests[0]?.headers ?? {};
  assert.equal(headers["x-forwarded-for"], "1.2.3.4");
  assert.equal(headers["x-forwarded-proto"], "https");
  assert.equal(headers["x-request-id"], "a");
  client.socket.destroy();
});

forEachWorkerKind(
  "routes mutate headers, rewrite paths and hosts",
  { isShared: true },
  async (workers) => {
    await using upstream = await startHttpUpstream((_request, response) => {
      response.setHeader("X-Up", "1");
      response.setHeader("X-Gone", "1");
      response.setHeader("Server", "theirs");
      response.end();
    });
    const proxy = await startProxy(workers, upstream.port, {
      hosts: [hostConfig(upstream.port, { hostname: "up.example" })],
      manager: { serverHeader: "appendIfAbsent" },
      routes: [
        route("/old", {
          action: clusterAction({
            prefixRewrite: "/new",
            hostRewrite: { kind: "literal", value: "literal.example" },
            appendXForwardedHost: true,
          }),
          requestHeaders: {
            add: [
              { name: "X-Added", value: "%REQ(x-in)%-%PROTOCOL%", action: "append" },
              { name: "X-In", value: "over", action: "overwrite" },
              { name: "X-Request-Id", value: "fixed", action: "overwrite" },
              { name: "X-Missing", value: "%REQ(x-none)%", action: "append" },
              { name: "X-If", value: "no", action: "overwriteIfExists" },
              { name: "X-Absent", value: "yes", action: "addIfAbsent" },
            ],
            remove: ["x-remove"],
          },
          responseHeaders: {
            add: [{ name: "X-Down", value: "%REQ(x-in)% %RESPONSE_CODE%", action: "append" }],
            remove: ["x-gone"],
          },
        }),
        route("/auto", { action: clusterAction({ hostRewrite: { kind: "auto" } }) }),
        route("/", {
          action: clusterAction({
            regexRewrite: { regex: { source: "/(\\d+)" }, substitution: "/n/\\1" },
          }),
        }),
      ],
    });
    const client = proxy.connect();
    const response = await client.get("/old/a?q=1", ["X-In: in", "X-Remove: x", "X-Keep: k"]);
    const [first] = upstream.requests;
    assert.equal(first?.url, "/new/a?q=1");
    assert.equal(first.headers.host, "literal.example");
    assert.equal(first.headers["x-forwarded-host"], "test");
    assert.equal(first.headers["x-envoy-original-path"], "/old/a?q=1");
    assert.equal(first.headers["x-envoy-original-host"], "test");
    assert.equal(first.headers["x-added"], "in-HTTP/1.1");
    assert.equal(first.headers["x-in"], "over");
    assert.equal(first.headers["x-request-id"], "fixed");
    assert.equal(first.headers["x-missing"], undefined);
    assert.equal(first.headers["x-if"], undefined);
    assert.equal(first.headers["x-absent"], "yes");
    assert.equal(first.headers["x-remove"], undefined);
    assert.equal(first.headers["x-keep"], "k");
    assert.equal(response.headers["x-down"], "over 200");
    assert.equal(response.headers["x-gone"], undefined);
    assert.equal(response.headers["x-up"], "1");
    assert.equal(response.headers["server"], "theirs");
    await client.get("/auto");
    assert.equal(upstream.requests[1]?.headers.host, "up.example");
    await client.get("/12/x");
    assert.equal(upstream.requests[2]?.url, "/n/12/x");
    client.socket.destroy();
  },
);

forEachWorkerKind(
  "absolute targets, odd paths, ports and underscores",
  { isShared: true },
  async (workers) => {
    await using upstream = await startHttpUpstream();
    const proxy = await startProxy(workers, upstream.port, {
      manager: {
        normalizePath: true,
        mergeSlashes: true,
        stripPort: "any",
        headersWithUnderscores: "dropHeader",
      },
    });
    const client = proxy.connect();
    client.send("GET http://Abs.example:80/x//../y?z HTTP/1.1\r\nHost: other\r\nA_b: c\r\n\r\n");
    await client.response();
    const [first] = upstream.requests;
    assert.equal(first?.url, "/x/y?z");
    assert.equal(first.headers.host, "Abs.example");
    assert.equal(first.headers["a_b"], undefined);
    client.send("GET http://abs?q HTTP/1.1\r\nHost: other\r\n\r\n");
    await client.response();
    assert.equal(upstream.requests[1]?.url, "/?q");
    client.send("GET /a%00b HTTP/1.1\r\nHost: other\r\n\r\n");
    assert.equal((await client.response()).status, 400);
    client.socket.destroy();
  },
);

forEachWorkerKind("the access log says what happened", { isShared: true }, async (workers) => {
  await using upstream = await startHttpUpstream();
  const folder = mkdtempSync(path.join(tmpdir(), "access-log-"));
  const file = path.join(folder, "log");
  const format =
    '%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL% %RESPONSE_CODE% %RESPONSE_FLAGS% "%REQ(X-FORWARDED-FOR)%" ' +
    "%RESPONSE_CODE_DETAILS% %BYTES_RECEIVED% %BYTES_SENT% %UPSTREAM_CLUSTER% %ROUTE_NAME% %REQ(:AUTHORITY)% " +
    "%RESP(CONTENT-LENGTH)% %REQ(X-REQUEST-ID):3%\n";
  const parsed = parseCommandFormat(format);
  assert.ok(parsed.ok);
  const proxy = await startProxy(workers, upstream.port, {
    routes: [
      route("/a", { name: "A" }),
      route("/d", { action: { kind: "directResponse", status: 204, body: "" } }),
    ],
    manager: {
      useRemoteAddress: true,
      preserveExternalRequestId: true,
      accessLog: [
        {
          kind: "line",
          sink: { kind: "file", path: file },
          format: { kind: "text", parts: parsed.parts },
          filter: undefined,
        },
      ],
    },
  });
  const client = proxy.connect();
  client.send(
    "POST /a?b HTTP/1.1\r\nHost: t\r\nX-Request-Id: idx\r\nContent-Length: 5\r\n\r\nhello",
  );
  await client.response();
  await client.get("/d");
  await client.get("/none");
  client.send("bad\r\n\r\n");
  await client.response();
  client.socket.destroy();
  const lines = (): string[] => {
    try {
      return readFileSync(file, "latin1").split("\n").slice(0, -1);
    } catch {
      return [];
    }
  };
  await workers.untilCounted(() => lines().length === 4);
  const [posted, direct, missing, bad] = lines();
  assert.equal(posted, 'POST /a?b HTTP/1.1 200 - "127.0.0.1" via_upstream 5 5 c A t 5 idx');
  assert.match(direct ?? "", /^GET \/d HTTP\/1\.1 204 - "-" direct_response 0 0 - - test - /);
  assert.match(missing ?? "", /^GET \/none HTTP\/1\.1 404 NR "-" route_not_found 0 0 - - test/);
  assert.match(bad ?? "", /^- - HTTP\/1\.1 400 DPE "-" http1\.codec_error 0 11 - - - 11 -/);
  rmSync(folder, { recursive: true });
});
