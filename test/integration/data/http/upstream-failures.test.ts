/** What a client is told when the upstream fails, and what is tried before. */
import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { hostConfig } from "../../../support/cluster-fixture.ts";
import { clusterAction, route } from "../../../support/http-fixture.ts";
import { startHttpUpstream } from "../../../support/http-peers.ts";
import { startProxy } from "../../../support/http-proxy.ts";
import { startUpstream } from "../../../support/tcp-peers.ts";
import { forEachWorkerKind } from "../../../support/test-workers.ts";

const okResponse = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const before = "upstream connect error or disconnect/reset before headers. reset reason: ";

/** A port of loopback on which nobody listens. */
async function refusedPort(): Promise<number> {
  const upstream = await startUpstream();
  await upstream[Symbol.asyncDispose]();
  return upstream.port;
}

/** Calls `serve` for each request head that comes whole, with its number on the connection. */
function onRequests(serve: (socket: Socket, count: number) => void): (socket: Socket) => void {
  return (socket) => {
    let count = 0;
    socket.on("data", (chunk: Buffer) => {
      for (const _ of chunk.toString("latin1").matchAll(/\r\n\r\n/g)) serve(socket, ++count);
    });
    socket.on("end", () => socket.end());
  };
}

forEachWorkerKind(
  "no host, a refused host, a broken answer",
  { isShared: true },
  async (workers) => {
    const none = await startProxy(workers, 0, { hosts: [], cluster: { name: "c" } });
    const client = none.connect();
    const unhealthy = await client.get("/");
    assert.deepEqual([unhealthy.status, unhealthy.body], [503, "no healthy upstream"]);
    assert.equal(none.cluster("upstream_cx_none_healthy"), 1);
    client.socket.destroy();

    const action = (name: string) => clusterAction({ clusters: [{ name, weight: 1 }] });
    const refused = await startProxy(workers, await refusedPort(), {
      cluster: { name: "refused" },
      routes: [route("/", { action: action("refused") })],
    });
    const other = refused.connect();
    const response = await other.get("/");
    assert.equal(response.status, 503);
    assert.equal(response.body, `${before}remote connection failure`);
    assert.equal((await other.get("/")).status, 503);
    assert.equal(refused.cluster("upstream_cx_connect_fail"), 2);
    assert.equal(refused.cluster("upstream_rq_503"), 2);
    assert.equal(refused.cluster("upstream_rq_pending_failure_eject"), 2);
    other.socket.destroy();
    await refused.settled();

    await using broken = await startUpstream(
      onRequests((socket) => void socket.write("HTTP/1.1 200 OK\r\nA : b\r\n\r\n")),
    );
    const bad = await startProxy(workers, broken.port, {
      cluster: { name: "bad" },
      routes: [route("/", { action: action("bad") })],
    });
    const third = bad.connect();
    const answer = await third.get("/");
    assert.deepEqual([answer.status, answer.body], [502, `${before}protocol error`]);
    assert.equal(bad.cluster("upstream_cx_protocol_error"), 1);
    third.socket.destroy();
  },
);

forEachWorkerKind("a connection that dies under a request", { isShared: true }, async (workers) => {
  await using upstream = await startUpstream(
    onRequests((socket, count) => {
      if (count === 1) socket.write(okResponse);
      else socket.destroy();
    }),
  );
  const proxy = await startProxy(workers, upstream.port);
  const client = proxy.connect();
  assert.equal((await client.get("/")).body, "ok");
  // The kept connection dies under the second request; a GET is sent once more on a fresh one.
  assert.equal((await client.get("/")).body, "ok");
  client.send("POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 1\r\n\r\nx");
  const lost = await client.response();
  assert.deepEqual([lost.status, lost.body], [503, `${before}connection termination`]);
  client.socket.destroy();
  await proxy.settled();
  assert.equal(proxy.cluster("upstream_cx_destroy_remote_with_active_rq"), 2);
});

forEachWorkerKind(
  "a response that breaks off ends the client's connection",
  { isShared: true },
  async (workers) => {
    await using upstream = await startUpstream(
      onRequests((socket) => {
        socket.write("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf");
        socket.end();
      }),
    );
    const proxy = await startProxy(workers, upstream.port);
    const client = proxy.connect();
    client.send("GET / HTTP/1.1\r\nHost: t\r\n\r\n");
    await client.ended();
    assert.match(client.received.toString(), /half$/);
    await proxy.settled();
    assert.equal(proxy.http("rq_reset_after_downstream_response_started"), 1);
  },
);

forEachWorkerKind(
  "a slow upstream is answered for with 504",
  { isShared: true },
  async (workers) => {
    await using upstream = await startUpstream();
    const proxy = await startProxy(workers, upstream.port, {
      routes: [route("/", { action: clusterAction({ timeoutMs: 100 }) })],
    });
    // An echo is no response: only the head of one that never comes matters.
    await using silent = await startUpstream((socket) => void socket.resume());
    const other = await startProxy(workers, silent.port, {
      cluster: { name: "silent" },
      routes: [
        route("/", {
          action: clusterAction({ timeoutMs: 100, clusters: [{ name: "silent", weight: 1 }] }),
        }),
      ],
    });
    const client = other.connect();
    const response = await client.get("/");
    assert.deepEqual([response.status, response.body], [504, "upstream request timeout"]);
    assert.equal((await client.get("/")).status, 504);
    assert.equal(other.cluster("upstream_rq_timeout"), 2);
    client.socket.destroy();
    await other.settled();
    assert.equal(workers.sharedLimit(other.limits + 2), 0);
    void proxy;
  },
);

forEachWorkerKind(
  "retries by policy, on other hosts, until one answers",
  { isShared: true },
  async (workers) => {
    await using failing = await startHttpUpstream((_request, response) => {
      response.statusCode = 503;
      response.end("no");
    });
    await using good = await startHttpUpstream();
    const retryPolicy = {
      retryOn: ["5xx", "connect-failure"],
      retriableStatusCodes: [],
      numRetries: 2,
      perTryTimeoutMs: 0,
      perTryIdleTimeoutMs: 0,
    } as const;
    const routes = [route("/", { action: clusterAction({ retryPolicy }) })];
    const hosts = [
      hostConfig(failing.port),
      hostConfig(await refusedPort()),
      hostConfig(good.port),
    ];
    const proxy = await startProxy(workers, 0, { hosts, routes });
    const client = proxy.connect();
    for (let i = 0; i < 6; i++) {
      client.send("POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 4\r\n\r\nbody");
      const response = await client.response();
      assert.deepEqual([response.status, response.body], [200, "body"]);
    }
    assert.ok(proxy.cluster("upstream_rq_retry") > 0);
    assert.equal(proxy.cluster("upstream_rq_retry_success") > 0, true);
    client.socket.destroy();
    await proxy.settled();
    assert.equal(workers.sharedLimit(proxy.limits + 3), 0);
  },
);

forEachWorkerKind(
  "retries end at their number, and say so",
  { isShared: true },
  async (workers) => {
    await using failing = await startHttpUpstream((_request, response) => {
      response.statusCode = 503;
      response.end("still");
    });
    const retryPolicy = {
      retryOn: ["5xx"],
      retriableStatusCodes: [],
      numRetries: 2,
      perTryTimeoutMs: 0,
      perTryIdleTimeoutMs: 0,
    } as const;
    const routes = [route("/", { action: clusterAction({ retryPolicy }) })];
    const proxy = await startProxy(workers, failing.port, { routes });
    const client = proxy.connect();
    const response = await client.get("/");
    assert.deepEqual([response.status, response.body], [503, "still"]);
    assert.equal(failing.requests.length, 3);
    assert.equal(proxy.cluster("upstream_rq_retry"), 2);
    assert.equal(proxy.cluster("upstream_rq_retry_limit_exceeded"), 1);
    client.socket.destroy();
  },
);

forEachWorkerKind(
  "circuit breakers bound connections and requests that wait",
  { concurrency: 1, isShared: true },
  async (workers) => {
    const held: Socket[] = [];
    await using upstream = await startUpstream(onRequests((socket) => void held.push(socket)));
    const breakers = { maxConnections: 1, maxPendingRequests: 1, maxRequests: 10, maxRetries: 1 };
    const proxy = await startProxy(workers, upstream.port, {
      cluster: { circuitBreakers: { default: breakers, high: breakers } },
    });
    const clients = [proxy.connect(), proxy.connect(), proxy.connect()] as const;
    const [first, second, third] = clients;
    first.send("GET / HTTP/1.1\r\nHost: t\r\n\r\n");
    await workers.untilCounted(() => held.length === 1);
    second.send("GET / HTTP/1.1\r\nHost: t\r\n\r\n");
    await workers.untilCounted(() => proxy.cluster("upstream_rq_pending_active") === 1);
    const overflowing = await third.get("/");
    assert.deepEqual([overflowing.status, overflowing.body], [503, `${before}overflow`]);
    assert.equal(overflowing.headers["x-envoy-overloaded"], "true");
    assert.equal(proxy.cluster("upstream_rq_pending_overflow"), 1);
    assert.equal(proxy.cluster("upstream_cx_overflow"), 1);
    held[0]?.write(okResponse);
    assert.equal((await first.response()).body, "ok");
    await workers.untilCounted(() => held.length === 2);
    held[1]?.write(okResponse);
    assert.equal((await second.response()).body, "ok");
    for (const client of clients) client.socket.destroy();
    await proxy.settled();
    assert.equal(proxy.cluster("upstream_cx_total"), 1);
  },
);
