/** What is answered without an upstream: Envoy's local replies. */
import assert from "node:assert/strict";
import { clusterAction, route } from "../../../support/http-fixture.ts";
import { startHttpUpstream } from "../../../support/http-peers.ts";
import { startProxy } from "../../../support/http-proxy.ts";
import { serverHttp1 } from "../../../support/http1-options.ts";
import { forEachWorkerKind } from "../../../support/test-workers.ts";

const unsent = ["GET / HTTP/1.1", "Host: t"];
const request = (...lines: readonly string[]): string => [...lines, "", ""].join("\r\n");

const refused: readonly (readonly [what: string, text: string, status: number, body: string])[] = [
  ["garbage", "\x16\x03\x01\x02\r\n\r\n", 400, "Bad Request"],
  ["a folded line", request(...unsent, "A: b", " c"), 400, "Bad Request"],
  ["a blank before the colon", request(...unsent, "A : b"), 400, "Bad Request"],
  ["a bare line feed", "GET / HTTP/1.1\nHost: t\n\n", 400, "Bad Request"],
  [
    "both lengths",
    request(...unsent, "Content-Length: 3", "Transfer-Encoding: chunked"),
    400,
    "Bad Request",
  ],
  ["an unknown coding", request(...unsent, "Transfer-Encoding: gzip"), 501, "Not Implemented"],
  ["no host", request("GET / HTTP/1.1"), 400, ""],
  ["HTTP/1.0", request("GET / HTTP/1.0", "Host: t"), 426, "Upgrade Required"],
  ["an upgrade", request(...unsent, "Connection: upgrade", "Upgrade: websocket"), 403, ""],
  ["a bad authority", request("GET / HTTP/1.1", "Host: a/b"), 400, "Bad Request"],
  ["CONNECT", request("CONNECT t:80 HTTP/1.1", "Host: t"), 404, ""],
  ["CONNECT with a path", request("CONNECT / HTTP/1.1", "Host: t"), 400, "Bad Request"],
  ["a method that is not known", request("GETX / HTTP/1.1", "Host: t"), 400, "Bad Request"],
  ["a method in lower case", request("get / HTTP/1.1", "Host: t"), 400, "Bad Request"],
  ["a path without a slash", request("GET x HTTP/1.1", "Host: t"), 400, "Bad Request"],
  ["an asterisk", request("GET * HTTP/1.1", "Host: t"), 400, "Bad Request"],
  ["another scheme", request("GET ftp://t/ HTTP/1.1", "Host: t"), 400, "Bad Request"],
  ["a path beyond ASCII", request("GET /\u00e9 HTTP/1.1", "Host: t"), 400, "Bad Request"],
  [
    "too many fields",
    request(...unsent, ...Array.from({ length: 100 }, (_, i) => `A${i}: b`)),
    431,
    "Request Header Fields Too Large",
  ],
  [
    "too large a head",
    request(...unsent, `A: ${"b".repeat(61 * 1024)}`),
    431,
    "Request Header Fields Too Large",
  ],
  [
    "a bad chunk",
    `${request("POST / HTTP/1.1", "Host: t", "Transfer-Encoding: chunked")}x\r\n`,
    400,
    "Bad Request",
  ],
];

forEachWorkerKind(
  "what cannot be served is refused as Envoy does",
  { isShared: true },
  async (workers) => {
    await using upstream = await startHttpUpstream();
    const proxy = await startProxy(workers, upstream.port);
    for (const [what, text, status, body] of refused) {
      const client = proxy.connect();
      client.send(text);
      const response = await client.response();
      assert.equal(response.status, status, what);
      assert.equal(response.body, body, what);
      assert.equal(response.headers["server"], "envoy", what);
      assert.ok(response.headers["date"], what);
      assert.equal(response.headers["connection"], "close", what);
      await client.ended();
      client.socket.destroy();
    }
    await proxy.settled();
    assert.deepEqual(upstream.requests, []);
    assert.ok(proxy.http("downstream_cx_protocol_error") >= 8);
    // CONNECT gets as far as the router, where only a route that names it would match.
    assert.equal(proxy.http("no_route"), 1);
  },
);

forEachWorkerKind(
  "routes may answer themselves, redirect, or lead nowhere",
  { isShared: true },
  async (workers) => {
    await using upstream = await startHttpUpstream();
    const missing = [{ name: "missing", weight: 1 }];
    const proxy = await startProxy(workers, upstream.port, {
      routes: [
        route("/direct", { action: { kind: "directResponse", status: 418, body: "teapot" } }),
        route("/moved", {
          action: {
            kind: "redirect",
            status: 308,
            scheme: "https",
            host: "other",
            port: undefined,
            path: undefined,
            prefixRewrite: "/to",
            regexRewrite: undefined,
            stripQuery: false,
          },
        }),
        route("/missing", {
          action: clusterAction({ clusters: missing }),
          responseHeaders: {
            add: [{ name: "x-route", value: "here", action: "append" }],
            remove: [],
          },
        }),
        route("/gone", {
          action: clusterAction({ clusters: missing, clusterNotFoundStatus: 404 }),
        }),
      ],
    });
    const client = proxy.connect();
    const direct = await client.get("/direct");
    assert.deepEqual([direct.status, direct.body], [418, "teapot"]);
    const moved = await client.get("/moved/x?q=1");
    assert.deepEqual([moved.status, moved.headers["location"]], [308, "https://other/to/x?q=1"]);
    const missed = await client.get("/missing");
    assert.deepEqual([missed.status, missed.headers["x-route"]], [503, "here"]);
    assert.equal((await client.get("/gone")).status, 404);
    const none = await client.get("/none");
    assert.deepEqual([none.status, none.headers["content-length"], none.body], [404, "0", ""]);
    client.send("HEAD /direct HTTP/1.1\r\nHost: t\r\n\r\n");
    assert.equal((await client.response(true)).headers["content-length"], "6");
    assert.equal(proxy.http("no_route"), 1);
    assert.equal(proxy.http("no_cluster"), 2);
    assert.equal(proxy.http("rq_direct_response"), 3);
    assert.equal(proxy.http("rq_redirect"), 0);
    client.socket.destroy();
    await proxy.settled();
    assert.equal(proxy.http("downstream_cx_total"), 1);
  },
);

forEachWorkerKind(
  "HTTP/1.0 is served where it is accepted",
  { isShared: true },
  async (workers) => {
    await using upstream = await startHttpUpstream((seen, response) => {
      response.removeHeader("Date");
      response.write("a");
      response.end(seen.headers.host);
    });
    const manager = {
      http1: serverHttp1({ acceptsHttp10: true, defaultHostForHttp10: "fallback" }),
    };
    const proxy = await startProxy(workers, upstream.port, { manager });
    const client = proxy.connect();
    client.send("GET / HTTP/1.0\r\n\r\n");
    await client.ended();
    const text = client.received.toString();
    assert.match(text, /^HTTP\/1\.0 200 OK\r\n/);
    assert.match(text, /connection: close\r\n/);
    assert.doesNotMatch(text, /transfer-encoding/);
    assert.match(text, /\r\n\r\nafallback$/);
  },
);
