/** The life of a client's connection: order, limits, timeouts, drains, the end. */
import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import { silencePlan } from "../../../../src/shared/drain/drain-decision.ts";
import { clusterAction, route } from "../../../support/http-fixture.ts";
import { type HttpClient, startHttpUpstream } from "../../../support/http-peers.ts";
import { startProxy } from "../../../support/http-proxy.ts";
import { startUpstream } from "../../../support/tcp-peers.ts";
import { forEachWorkerKind } from "../../../support/test-workers.ts";
import { until } from "../../../support/until.ts";

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: t\r\n\r\n`;

forEachWorkerKind(
  "what comes while a request is answered is the next one's",
  { isShared: true },
  async (workers) => {
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    await using upstream = await startHttpUpstream((request, response) => {
      if (request.url === "/slow") void released.then(() => response.end("slow"));
      else response.end("quick");
    });
    const proxy = await startProxy(workers, upstream.port);
    const client = proxy.connect();
    client.send("GET /slow HTTP/1.1\r\nHost: t\r\n\r\n");
    await workers.untilCounted(() => proxy.cluster("upstream_rq_active") === 1);
    const received = proxy.http("downstream_cx_rx_bytes_total");
    client.send("GET /quick HTTP/1.1\r\nHost: t\r\n\r\n");
    await workers.untilCounted(() => proxy.http("downstream_cx_rx_bytes_total") > received);
    release();
    assert.equal((await client.response()).body, "slow");
    assert.equal((await client.response()).body, "quick");
  },
);

forEachWorkerKind(
  "pipelined requests are answered in order",
  { isShared: true },
  async (workers) => {
    await using upstream = await startHttpUpstream(({ url, body }, response) =>
      response.end(url + body),
    );
    const routes = [
      route("/direct", { action: { kind: "directResponse", status: 200, body: "direct" } }),
      route("/"),
    ];
    const proxy = await startProxy(workers, upstream.port, { routes });
    const client = proxy.connect();
    const post =
      "POST /p HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n";
    const paths = Array.from({ length: 50 }, (_, i) => `/${i}`);
    client.send(paths.map((path) => get(path) + get("/direct") + post).join(""));
    for (const path of paths) {
      assert.equal((await client.response()).body, path);
      assert.equal((await client.response()).body, "direct");
      assert.equal((await client.response()).body, "/px");
    }
    client.socket.destroy();
    await proxy.settled();
    assert.ok(proxy.cluster("upstream_cx_total") <= 2);
  },
);

forEachWorkerKind("expect: 100-continue is answered here", { isShared: true }, async (workers) => {
  await using upstream = await startHttpUpstream();
  const proxy = await startProxy(workers, upstream.port);
  const client = proxy.connect();
  client.send("POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 2\r\nExpect: 100-Continue\r\n\r\n");
  assert.equal((await client.response(true)).status, 100);
  client.send("ok");
  assert.equal((await client.response()).body, "ok");
  assert.equal(upstream.requests[0]?.headers.expect, undefined);
  client.socket.destroy();
});

forEachWorkerKind(
  "interim responses of the upstream stay here",
  { isShared: true },
  async (workers) => {
    await using upstream = await startUpstream((socket) => {
      socket.on("data", () =>
        socket.write(
          "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" +
            "HTTP/1.1 204 No Content\r\n\r\n",
        ),
      );
    });
    const proxy = await startProxy(workers, upstream.port);
    const client = proxy.connect();
    for (let i = 0; i < 3; i++) assert.equal((await client.get("/")).status, 204);
    assert.equal(proxy.cluster("upstream_cx_total"), 1);
    client.socket.destroy();
  },
);

forEachWorkerKind(
  "an answer before the request's end closes in order",
  { isShared: true },
  async (workers) => {
    await using upstream = await startHttpUpstream();
    const routes = [route("/", { action: { kind: "directResponse", status: 413, body: "no" } })];
    const proxy = await startProxy(workers, upstream.port, { routes });
    const client = proxy.connect();
    client.send("POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 1000000\r\n\r\nxxx");
    const response = await client.response();
    assert.deepEqual([response.status, response.headers["connection"]], [413, "close"]);
    // What is still sent is read and dropped: a reset could take the answer away.
    client.send("y".repeat(200_000));
    await client.ended();
    assert.equal(client.error, undefined);
    client.socket.end();
    await proxy.settled();
    assert.equal(proxy.http("downstream_rq_response_before_rq_complete"), 1);
  },
);

forEachWorkerKind(
  "a client that leaves takes its request along",
  { isShared: true },
  async (workers) => {
    const waiting: ServerResponse[] = [];
    await using upstream = await startHttpUpstream((_request, response) => waiting.push(response));
    const proxy = await startProxy(workers, upstream.port);
    const client = proxy.connect();
    client.send(get("/"));
    await workers.untilCounted(() => waiting.length === 1);
    client.socket.destroy();
    await proxy.settled();
    assert.equal(proxy.http("downstream_rq_rx_reset"), 1);
    assert.equal(proxy.http("downstream_cx_destroy_remote_active_rq"), 1);
    assert.equal(proxy.cluster("upstream_cx_destroy_local_with_active_rq"), 1);
    await workers.untilCounted(() => proxy.cluster("upstream_cx_active") === 0);
  },
);

forEachWorkerKind(
  "max_requests_per_connection ends with the last response",
  { isShared: true },
  async (workers) => {
    await using upstream = await startHttpUpstream();
    const proxy = await startProxy(workers, upstream.port, {
      manager: { maxRequestsPerConnection: 2 },
      cluster: { maxRequestsPerConnection: 1 },
    });
    const client = proxy.connect();
    assert.equal((await client.get("/")).headers["connection"], undefined);
    assert.equal((await client.get("/")).headers["connection"], "close");
    await client.ended();
    client.socket.end();
    await proxy.settled();
    assert.equal(proxy.http("downstream_cx_max_requests_reached"), 1);
    assert.equal(proxy.cluster("upstream_cx_total"), 2);
    assert.equal(proxy.cluster("upstream_cx_max_requests"), 2);
  },
);

forEachWorkerKind("timeouts of connections and requests", { isShared: true }, async (workers) => {
  await using silent = await startUpstream((socket) => void socket.resume());
  const idle = await startProxy(workers, silent.port, { manager: { idleTimeoutMs: 100 } });
  const quiet = idle.connect();
  await quiet.ended();
  assert.equal(idle.http("downstream_cx_idle_timeout"), 1);
  quiet.socket.end();

  const headers = await startProxy(workers, silent.port, {
    manager: { requestHeadersTimeoutMs: 100 },
  });
  const slow = headers.connect();
  slow.send("GET / HT");
  const late = await slow.response();
  assert.deepEqual([late.status, late.body], [408, "request header timeout"]);
  assert.equal(headers.http("downstream_rq_header_timeout"), 1);
  slow.socket.end();

  const body = await startProxy(workers, silent.port, { manager: { requestTimeoutMs: 100 } });
  const halting = body.connect();
  halting.send("POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 9\r\n\r\nx");
  assert.equal((await halting.response()).body, "request timeout");
  halting.socket.end();

  const stream = await startProxy(workers, silent.port, { manager: { streamIdleTimeoutMs: 100 } });
  const stuck = stream.connect();
  const stuckResponse = await stuck.get("/");
  assert.deepEqual([stuckResponse.status, stuckResponse.body], [504, "stream timeout"]);
  assert.equal(stream.http("downstream_rq_idle_timeout"), 1);
  stuck.socket.end();

  const whole = await startProxy(workers, silent.port, { manager: { maxStreamDurationMs: 100 } });
  const long = whole.connect();
  const longResponse = await long.get("/");
  assert.deepEqual([longResponse.status, longResponse.body], [504, "downstream duration timeout"]);
  long.socket.end();
  const unsent = stream.connect();
  unsent.send("POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 9\r\n\r\nx");
  assert.equal((await unsent.response()).status, 408);
});

forEachWorkerKind(
  "a connection that is old enough is ended after its response",
  { isShared: true },
  async (workers) => {
    await using upstream = await startHttpUpstream();
    const proxy = await startProxy(workers, upstream.port, {
      manager: { maxConnectionDurationMs: 200, drainTimeoutMs: 60_000 },
    });
    const client = proxy.connect();
    let last = await client.get("/");
    while (last.headers["connection"] === undefined) last = await client.get("/");
    await client.ended();
    assert.equal(proxy.http("downstream_cx_max_duration_reached"), 1);
    client.socket.end();
  },
);

forEachWorkerKind(
  "one that is safely old is ended after its next response, and never in silence",
  { isShared: true },
  async (workers) => {
    await using upstream = await startHttpUpstream();
    const manager = { maxConnectionDurationMs: 100, drainTimeoutMs: 1 };
    const safe = await startProxy(workers, upstream.port, {
      manager: { ...manager, http1SafeMaxConnectionDuration: true },
    });
    const plain = await startProxy(workers, upstream.port, { manager });
    const silent = safe.connect();
    const cut = plain.connect();
    await cut.ended();
    await until(() => safe.http("downstream_cx_max_duration_reached") === 1, "it is old");
    assert.equal(safe.http("downstream_cx_http1_soft_drain"), 1);
    const last = await silent.get("/");
    assert.equal(last.headers["connection"], "close");
    await silent.ended();
    silent.socket.end();
    cut.socket.end();
    await until(() => safe.http("downstream_cx_http1_soft_drain") === 0, "it has gone");
    assert.equal(plain.http("downstream_cx_http1_soft_drain"), 0);
  },
);

forEachWorkerKind(
  "drained connections end without losing a request",
  { isShared: true },
  async (workers) => {
    const waiting: ServerResponse[] = [];
    await using upstream = await startHttpUpstream(({ url }, response) => {
      if (url === "/slow") waiting.push(response);
      else response.end("quick");
    });
    const proxy = await startProxy(workers, upstream.port);
    const busy = proxy.connect();
    const looping = proxy.connect();
    const idle = proxy.connect();
    const fresh = proxy.connect();
    busy.send(get("/slow"));
    await Promise.all([looping.get("/"), idle.get("/"), fresh.connected()]);
    await workers.untilCounted(
      () => waiting.length === 1 && proxy.http("downstream_cx_active") === 4,
    );
    const drain = workers.startDrain(proxy.listener, {
      durationMs: 60_000,
      start: { idleGraceMs: 300 },
    });
    const told = await untilClosed(looping);
    assert.equal(told.status, 200);
    await Promise.all([idle.ended(), fresh.ended()]);
    waiting[0]?.end("done");
    const last = await busy.response();
    assert.deepEqual([last.body, last.headers["connection"]], ["done", "close"]);
    for (const client of [busy, looping, idle, fresh]) {
      await client.ended();
      assert.equal(client.error, undefined);
      client.socket.end();
    }
    await workers.untilCounted(() => workers.drainCounts(drain)?.remaining === 0);
    assert.deepEqual(workers.drainCounts(drain), {
      atStart: 4,
      notified: 4,
      finished: 4,
      closedByPeer: 0,
      forced: 0,
      remaining: 0,
    });
    assert.equal(proxy.http("downstream_cx_drain_close"), 4);
  },
);

for (const atOnce of [false, true]) {
  const ending = atOnce ? "removed with its listener at that instant" : "left to it";
  const name = `an idle connection finishes before the end of a drain shorter than its grace: ${ending}`;
  forEachWorkerKind(name, { isShared: true }, async (workers) => {
    await using upstream = await startHttpUpstream();
    const proxy = await startProxy(workers, upstream.port);
    const clients = Array.from({ length: 20 }, () => proxy.connect());
    await Promise.all(clients.map((client) => client.get("/")));
    const drain = workers.startDrain(proxy.listener, {
      durationMs: 400,
      start: { idleGraceMs: 5_000, strategy: "gradual" },
    });
    await workers.untilCounted(() => workers.drainCounts(drain)?.notified === 20);
    if (atOnce) {
      // The workers' own timers are a tick late at this instant, and nothing but chance says who is first.
      await until(() => performance.now() >= silencePlan(drain).endsMs, "the silence ends");
      await workers.removeListener(proxy.listener);
    }
    await Promise.all(clients.map((client) => client.ended()));
    for (const client of clients) {
      assert.equal(client.error, undefined);
      client.socket.end();
    }
    await workers.untilCounted(() => workers.drainCounts(drain)?.remaining === 0);
    assert.deepEqual(workers.drainCounts(drain), {
      atStart: 20,
      notified: 20,
      finished: 20,
      closedByPeer: 0,
      forced: 0,
      remaining: 0,
    });
    assert.equal(proxy.http("downstream_cx_drain_close"), 20);
  });
}

/** Asks on until a response says that it is the last one. */
async function untilClosed(client: HttpClient) {
  for (;;) {
    const response = await client.get("/");
    if (response.headers["connection"] === "close") return response;
  }
}

forEachWorkerKind("/healthcheck/fail says close, /ok stops saying so", {}, async (workers) => {
  await using upstream = await startHttpUpstream();
  const proxy = await startProxy(workers, upstream.port);
  const said = async (): Promise<string | undefined> => {
    const client = proxy.connect();
    const response = await client.get("/");
    client.socket.destroy();
    return response.headers["connection"];
  };
  assert.equal(await said(), undefined);
  workers.post({ kind: "setHealthCheckFailed", failed: true });
  await workers.request((reply) => ({ kind: "ping", reply }));
  assert.equal(await said(), "close");
  workers.post({ kind: "setHealthCheckFailed", failed: false });
  await workers.request((reply) => ({ kind: "ping", reply }));
  assert.equal(await said(), undefined);
});

forEachWorkerKind("open connections see new routes at once", {}, async (workers) => {
  await using upstream = await startHttpUpstream();
  const manager = { routes: { kind: "rds", name: "r" } } as const;
  const proxy = await startProxy(workers, upstream.port, { manager });
  const client = proxy.connect();
  assert.equal((await client.get("/")).status, 404);
  const push = async (body: string): Promise<void> => {
    const { routeConfig, virtualHost } = await import("../../../support/http-fixture.ts");
    const action = { kind: "directResponse", status: 200, body } as const;
    const virtualHosts = [virtualHost(["*"], [route("/", { action })])];
    workers.post({ kind: "setRoutes", config: routeConfig({ virtualHosts }) });
    await workers.request((reply) => ({ kind: "ping", reply }));
  };
  for (const body of ["one", "two"]) {
    await push(body);
    assert.equal((await client.get("/")).body, body);
  }
  workers.post({ kind: "removeRoutes", name: "r" });
  await workers.request((reply) => ({ kind: "ping", reply }));
  assert.equal((await client.get("/")).status, 404);
  client.socket.destroy();
  void clusterAction;
});
