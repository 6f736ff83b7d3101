/** Requests to hosts that speak HTTP/2, from clients of either protocol. */
import assert from "node:assert/strict";
import { once } from "node:events";
import http2 from "node:http2";
import net from "node:net";
import { clusterAction, route } from "../../../support/http-fixture.ts";
import { startProxy } from "../../../support/http-proxy.ts";
import { bodyOf, startHttp2Upstream } from "../../../support/http2-upstream.ts";
import { connectHttp2, request } from "../../../support/http2-client.ts";
import { http2Options } from "../../../support/http2-options.ts";
import { forEachWorkerKind } from "../../../support/test-workers.ts";
import { until } from "../../../support/until.ts";

const wide = {
  maxConnections: 1_000,
  maxPendingRequests: 1_000,
  maxRequests: 1_000,
  maxRetries: 1_000,
};

forEachWorkerKind(
  "HTTP/1 and HTTP/2 clients reach an HTTP/2 host",
  { isShared: true },
  async (workers) => {
    await using upstream = await startHttp2Upstream(async (stream, headers) => {
      const body = await bodyOf(stream);
      const {
        ":method": method,
        ":path": path,
        ":authority": authority,
        ":scheme": scheme,
      } = headers;
      stream.respond({ ":status": 201, "x-id": String("x-request-id" in headers), "x-a": "b" });
      stream.end(
        `${method} ${path} ${authority} ${scheme} ${headers["transfer-encoding"]} ${body}`,
      );
    });
    const proxy = await startProxy(workers, upstream.port, { cluster: { protocol: "http2" } });
    const client = proxy.connect();
    const got = await client.get("/a?b");
    assert.deepEqual([got.status, got.headers["x-a"], got.headers["x-id"]], [201, "b", "true"]);
    assert.equal(got.body, "GET /a?b test http undefined ");
    client.send(
      "POST / HTTP/1.1\r\nX: y\r\nHost: late\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    );
    assert.equal((await client.response()).body, "POST / late http undefined abc");
    client.send("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nxy");
    assert.equal((await client.response()).body, "PUT / h http undefined xy");
    const session = await connectHttp2(proxy.listener.port);
    const posted = await request(session, { ":path": "/p", ":method": "POST" }, "hello");
    assert.match(posted.body, /^POST \/p 127.0.0.1:\d+ http undefined hello$/);
    session.close();
    client.socket.end();
    await proxy.settled();
    assert.equal(proxy.cluster("upstream_cx_http2_total"), proxy.cluster("upstream_cx_total"));
    assert.equal(proxy.cluster("upstream_rq_201"), 4);
  },
);

forEachWorkerKind(
  "bodies and streams are multiplexed on one connection",
  { isShared: true },
  async (workers) => {
    const large = Buffer.alloc(300_000, "abcdefghij").toString("latin1");
    await using upstream = await startHttp2Upstream(async (stream) => {
      const body = await bodyOf(stream);
      stream.respond({ ":status": 200 });
      stream.end(body);
    });
    const proxy = await startProxy(workers, upstream.port, { cluster: { protocol: "http2" } });
    const session = await connectHttp2(proxy.listener.port, {
      settings: { initialWindowSize: 50_000 },
    });
    const answers = Array.from({ length: 40 }, async (_, i) => {
      const answer = await request(session, { ":path": `/${i}`, ":method": "POST" }, large + i);
      assert.equal(answer.body, large + i);
    });
    await Promise.all(answers);
    assert.ok(upstream.sessionCount <= workers.concurrency);
    session.close();
    await proxy.settled();
  },
);

forEachWorkerKind(
  "requests beyond the host's streams wait for a stream",
  { isShared: true },
  async (workers) => {
    await using upstream = await startHttp2Upstream(
      (stream) => {
        stream.respond({ ":status": 200 });
        stream.end("ok");
      },
      { settings: { maxConcurrentStreams: 2 } },
    );
    const proxy = await startProxy(workers, upstream.port, {
      cluster: { protocol: "http2", http2: http2Options({ maxConcurrentStreams: 3 }) },
    });
    const session = await connectHttp2(proxy.listener.port);
    const answers = await Promise.all(
      Array.from({ length: 30 }, () => request(session, { ":path": "/" })),
    );
    for (const { status, body } of answers) assert.equal(status, 200, body);
    session.close();
    await proxy.settled();
  },
);

forEachWorkerKind(
  "trailers pass from host to client and back",
  { isShared: true },
  async (workers) => {
    await using upstream = await startHttp2Upstream((stream) => {
      stream.on("trailers", (trailers: http2.IncomingHttpHeaders) => {
        stream.respond({ ":status": 200 }, { waitForTrailers: true });
        stream.on("wantTrailers", () =>
          stream.sendTrailers({ "x-back": String(trailers["x-to"]) }),
        );
        stream.end("body");
      });
      stream.resume();
    });
    const proxy = await startProxy(workers, upstream.port, { cluster: { protocol: "http2" } });
    const session = await connectHttp2(proxy.listener.port);
    const stream = session.request({ ":path": "/", ":method": "POST" }, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "x-to": "and fro" }));
    stream.end("over");
    stream.resume();
    const [trailers] = (await once(stream, "trailers")) as [http2.IncomingHttpHeaders];
    assert.equal(trailers["x-back"], "and fro");
    session.close();
    await proxy.settled();
  },
);

forEachWorkerKind(
  "a refused stream is sent again, another reset is told",
  { isShared: true },
  async (workers) => {
    let count = 0;
    await using upstream = await startHttp2Upstream((stream, { ":path": path }) => {
      if (path === "/refused" && count++ === 0)
        stream.close(http2.constants.NGHTTP2_REFUSED_STREAM);
      else if (path === "/reset") stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR);
      else {
        stream.respond({ ":status": 200 });
        stream.end("ok");
      }
    });
    const proxy = await startProxy(workers, upstream.port, { cluster: { protocol: "http2" } });
    const client = proxy.connect();
    assert.equal((await client.get("/refused")).body, "ok");
    const reset = await client.get("/reset");
    assert.equal(reset.status, 503);
    assert.match(reset.body, /reset reason: remote reset$/);
    client.socket.end();
    await proxy.settled();
  },
);

forEachWorkerKind("GOAWAY takes no request with it", { isShared: true }, async (workers) => {
  let count = 0;
  await using upstream = await startHttp2Upstream((stream) => {
    if (++count % 5 === 0) stream.session?.close();
    stream.respond({ ":status": 200 });
    stream.end("ok");
  });
  const proxy = await startProxy(workers, upstream.port, { cluster: { protocol: "http2" } });
  const session = await connectHttp2(proxy.listener.port);
  for (let i = 0; i < 10; i++) {
    const answers = await Promise.all(
      Array.from({ length: 5 }, () => request(session, { ":path": "/" })),
    );
    for (const { status } of answers) assert.equal(status, 200);
  }
  assert.ok(proxy.cluster("upstream_cx_close_notify") > 0);
  session.close();
  await proxy.settled();
});

forEachWorkerKind(
  "max_requests_per_connection ends connections in order",
  { isShared: true },
  async (workers) => {
    await using upstream = await startHttp2Upstream((stream) => {
      stream.respond({ ":status": 200 });
      stream.end("ok");
    });
    const proxy = await startProxy(workers, upstream.port, {
      cluster: { protocol: "http2", maxRequestsPerConnection: 2 },
    });
    const session = await connectHttp2(proxy.listener.port);
    for (let i = 0; i < 6; i++)
      assert.equal((await request(session, { ":path": "/" })).status, 200);
    session.close();
    await proxy.settled();
    assert.ok(proxy.cluster("upstream_cx_max_requests") >= 2);
  },
);

forEachWorkerKind(
  "a request that times out resets its stream alone",
  { isShared: true },
  async (workers) => {
    const resets: number[] = [];
    await using upstream = await startHttp2Upstream((stream, { ":path": path }) => {
      stream.on("close", () => resets.push(stream.rstCode));
      if (path === "/slow") return;
      stream.respond({ ":status": 200 });
      stream.end("ok");
    });
    const proxy = await startProxy(workers, upstream.port, {
      routes: [route("/", { action: clusterAction({ timeoutMs: 200 }) })],
      cluster: { protocol: "http2" },
    });
    const client = proxy.connect();
    assert.equal((await client.get("/slow")).status, 504);
    assert.equal((await client.get("/")).status, 200);
    assert.equal(upstream.sessionCount, 1);
    assert.ok(resets.includes(http2.constants.NGHTTP2_CANCEL));
    client.socket.end();
    await proxy.settled();
  },
);

forEachWorkerKind(
  "a retry at once is no timeout of the request",
  { isShared: true },
  async (workers) => {
    await using upstream = await startHttp2Upstream(() => {});
    const retryPolicy = {
      retryOn: ["5xx"],
      numRetries: 1,
      perTryTimeoutMs: 10,
      perTryIdleTimeoutMs: 0,
      retriableStatusCodes: [],
    } as const;
    const proxy = await startProxy(workers, upstream.port, {
      routes: [route("/", { action: clusterAction({ retryPolicy }) })],
      cluster: { protocol: "http2", circuitBreakers: { default: wide, high: wide } },
    });
    const session = await connectHttp2(proxy.listener.port);
    // One back-off in 25 is none.
    await Promise.all(
      Array.from({ length: 200 }, async () => {
        assert.equal((await request(session, { ":path": "/" })).status, 504);
      }),
    );
    assert.equal(proxy.http("downstream_rq_timeout"), 0);
    session.close();
    await proxy.settled();
  },
);

forEachWorkerKind(
  "each protocol goes on as it came where the cluster says so",
  { isShared: true },
  async (workers) => {
    await using upstream = await startHttp2Upstream((stream) => {
      stream.respond({ ":status": 200 });
      stream.end("ok");
    });
    const proxy = await startProxy(workers, upstream.port, { cluster: { protocol: "downstream" } });
    const session = await connectHttp2(proxy.listener.port);
    assert.equal((await request(session, { ":path": "/" })).status, 200);
    session.close();
    const client = proxy.connect();
    // The host answers HTTP/1 with frames.
    assert.equal((await client.get("/")).status, 502);
    client.socket.end();
    await proxy.settled();
    assert.equal(proxy.cluster("upstream_cx_http1_total"), 1);
  },
);

forEachWorkerKind(
  "a host that leaves keeps the requests it has",
  { isShared: true },
  async (workers) => {
    const held = Promise.withResolvers<http2.ServerHttp2Stream>();
    await using upstream = await startHttp2Upstream((stream, { ":path": path }) => {
      stream.respond({ ":status": 200 });
      if (path !== "/held") return void stream.end();
      stream.write("begun ");
      held.resolve(stream);
    });
    const proxy = await startProxy(workers, upstream.port, { cluster: { protocol: "http2" } });
    const session = await connectHttp2(proxy.listener.port);
    const answer = request(session, { ":path": "/held" });
    const stream = await held.promise;
    workers.post({ kind: "setHosts", cluster: "c", hosts: [], hostBlocks: [] });
    await until(
      async () => (await request(session, { ":path": "/" })).status === 503 || undefined,
      "the worker knows",
    );
    stream.end("and done");
    assert.equal((await answer).body, "begun and done");
    await workers.untilCounted(() => proxy.cluster("upstream_cx_active") === 0);
    session.close();
    await proxy.settled();
  },
);

forEachWorkerKind(
  "a host that answers no ping is given up",
  { isShared: true },
  async (workers) => {
    const server = net.createServer((socket) => {
      socket.on("error", () => {});
      socket.on("data", () => {});
      // SETTINGS, and not a word more.
      socket.write(Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]));
    });
    await once(server.listen(0, "127.0.0.1"), "listening");
    const { port } = server.address() as net.AddressInfo;
    const keepalive = { intervalMs: 20, timeoutMs: 50, jitterPercent: 0, idleIntervalMs: 0 };
    const proxy = await startProxy(workers, port, {
      cluster: { protocol: "http2", http2: http2Options({ keepalive }) },
    });
    const client = proxy.connect();
    const answer = await client.get("/");
    assert.equal(answer.status, 503);
    assert.match(answer.body, /connection termination$/);
    client.socket.end();
    await proxy.settled();
    server.close();
  },
);
