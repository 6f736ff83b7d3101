/**
 * Connections that go on elsewhere: given by one worker and adopted by another, as between two processes. Both count into
 * one sum, so whatever is counted twice or not at all shows.
 */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { AccessLogConfig } from "../../../src/shared/config/access-log-config.ts";
import type { MovedConnection } from "../../../src/shared/protocol/moved-connection.ts";
import { clusterLimitOffsets } from "../../../src/shared/protocol/worker-command.ts";
import { clusterStats, listenerStats, tcpStats } from "../../../src/shared/stats/stat-names.ts";
import { clusterConfig, hostConfig } from "../../support/cluster-fixture.ts";
import { clusterAction, route } from "../../support/http-fixture.ts";
import { type HttpClient, startHttpUpstream } from "../../support/http-peers.ts";
import { startHttp2Upstream } from "../../support/http2-upstream.ts";
import { http2Options } from "../../support/http2-options.ts";
import { startProxy, type TestProxy, type TestProxyOptions } from "../../support/http-proxy.ts";
import { listenerConfig } from "../../support/listener-fixture.ts";
import { startUpstream, TestClient } from "../../support/tcp-peers.ts";
import {
  forEachWorkerKind,
  type TestListener,
  type TestWorkers,
} from "../../support/test-workers.ts";
import {
  closeCode,
  closeFrame,
  FrameReader,
  frameOf,
  opcodes,
  startWebSocketHost,
  webSocketRequest,
} from "../../support/web-socket-peers.ts";

const only = { only: "epoll" } as const;
const upgrades = [
  { type: "websocket", isEnabled: true },
  { type: "connect", isEnabled: true },
];
const key = Buffer.from([9, 8, 7, 6]);

type Given = Extract<TestWorkers["events"][number]["event"], { readonly kind: "connectionsGiven" }>;

function givenBy(workers: TestWorkers): { readonly worker: number; readonly event: Given }[] {
  return workers.events.flatMap(({ worker, event }) =>
    event.kind === "connectionsGiven" ? [{ worker, event }] : [],
  );
}

/** To the other worker, changed on the way if that is wanted. */
async function move(
  workers: TestWorkers,
  { tag }: TestListener,
  change: (moved: MovedConnection) => MovedConnection = (moved) => moved,
): Promise<MovedConnection> {
  const { length } = givenBy(workers);
  workers.post({ kind: "giveConnections", tag });
  await workers.untilTrue(() => givenBy(workers).length > length);
  const { worker, event } = givenBy(workers)[length] as ReturnType<typeof givenBy>[number];
  const [moved] = event.connections;
  assert(moved && event.connections.length === 1);
  const other = (worker + 1) % workers.concurrency;
  const { countedAt } = event;
  const adopt = { tag, connections: [change(moved)], countedAt, stays: false, reply: 0 };
  workers.post({ kind: "adoptConnections", ...adopt }, other);
  await workers.request((reply) => ({ kind: "ping", reply }), other);
  return moved;
}

/** Asked for, it is not given. */
async function assertStays(workers: TestWorkers, { tag }: TestListener): Promise<void> {
  const { length } = givenBy(workers);
  workers.post({ kind: "giveConnections", tag });
  for (let i = 0; i < 3; i++) await workers.request((reply) => ({ kind: "ping", reply }));
  assert.equal(givenBy(workers).length, length);
}

async function open(proxy: TestProxy): Promise<HttpClient> {
  const client = proxy.connect();
  client.send(webSocketRequest);
  await client.until(() => client.rest.includes("\r\n\r\n"));
  return client;
}

function framesOf(client: HttpClient) {
  const start = client.received.indexOf("\r\n\r\n") + 4;
  return new FrameReader().take(client.received.subarray(start));
}

async function echoes(client: HttpClient, text: string): Promise<void> {
  const { length } = framesOf(client);
  client.socket.write(frameOf(opcodes.text, text, key));
  await client.until(() => framesOf(client).length > length);
  assert.equal(String(framesOf(client)[length]?.payload), text);
}

/** Access log lines in a file of their own. */
class Log implements Disposable {
  readonly #folder = mkdtempSync(path.join(tmpdir(), "sluice-test-"));
  readonly config: AccessLogConfig;

  constructor(...operators: readonly (string | readonly [string, string])[]) {
    const parts = operators.flatMap((operator, i) => {
      const [name, argument] = typeof operator === "string" ? [operator] : operator;
      const args = argument === undefined ? [] : [argument];
      const text = i === operators.length - 1 ? "\n" : " ";
      return [
        { kind: "operator", name, args, maxLength: undefined } as const,
        { kind: "literal", text } as const,
      ];
    });
    this.config = {
      kind: "line",
      sink: { kind: "file", path: path.join(this.#folder, "log") },
      format: { kind: "text", parts },
      filter: undefined,
    };
  }

  async line(workers: TestWorkers): Promise<string> {
    await workers.untilCounted(() => this.#lines().length > 0);
    assert.equal(this.#lines().length, 1);
    return this.#lines()[0] ?? "";
  }

  #lines(): string[] {
    try {
      return readFileSync(path.join(this.#folder, "log"), "latin1").split("\n").filter(Boolean);
    } catch {
      return [];
    }
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true });
  }
}

const start = (
  workers: TestWorkers,
  port: number,
  { manager, ...options }: TestProxyOptions = {},
): Promise<TestProxy> =>
  startProxy(workers, port, { manager: { upgrades, ...manager }, ...options });

forEachWorkerKind("a WebSocket that moves twice is one request", only, async (workers) => {
  await using host = await startWebSocketHost();
  using log = new Log(
    ["REQ", ":method"] as const,
    "RESPONSE_CODE",
    "RESPONSE_FLAGS",
    "RESPONSE_CODE_DETAILS",
    "BYTES_RECEIVED",
    "BYTES_SENT",
    "UPSTREAM_WIRE_BYTES_RECEIVED",
    "UPSTREAM_HOST",
    "UPSTREAM_LOCAL_ADDRESS",
    "DOWNSTREAM_REMOTE_ADDRESS",
    ["REQ", ":path"] as const,
    ["REQ", "sec-websocket-version"] as const,
    ["RESP", "sec-websocket-accept"] as const,
  );
  const proxy = await start(workers, host.port, { manager: { accessLog: [log.config] } });
  const client = await open(proxy);
  await echoes(client, "one");
  const first = await move(workers, proxy.listener);
  await echoes(client, "two");
  const second = await move(workers, proxy.listener);
  assert(first.kind === "upgraded" && second.kind === "upgraded");
  assert(second.ageMs > first.ageMs && second.upstreamAgeMs > first.upstreamAgeMs);
  assert((second.request.ages.startMs ?? 0) > (first.request.ages.startMs ?? Infinity));
  await echoes(client, "three");
  for (const name of [
    "downstream_cx_active",
    "downstream_rq_active",
    "downstream_cx_http1_active",
    "downstream_cx_upgrades_active",
  ] as const)
    assert.equal(proxy.http(name), 1, name);
  for (const name of ["upstream_cx_active", "upstream_rq_active"] as const)
    assert.equal(proxy.cluster(name), 1, name);
  const { localPort } = client.socket;
  const [upstream] = host.sockets;
  const upstreamPort = upstream?.remotePort;
  client.socket.resetAndDestroy();
  await proxy.settled();
  await workers.untilCounted(() => proxy.cluster("upstream_cx_active") === 0);
  // 29 bytes: 6 of each frame's head, and what it says.
  const { port } = host;
  const line =
    `GET 101 DC downstream_remote_disconnect 29 17 17 127.0.0.1:${port} ` +
    `127.0.0.1:${upstreamPort} 127.0.0.1:${localPort} ` +
    "/chat 13 s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
  assert.equal(await log.line(workers), line);
  for (const name of [
    "downstream_cx_total",
    "downstream_cx_http1_total",
    "downstream_rq_total",
  ] as const)
    assert.equal(proxy.http(name), 1, name);
  for (const name of ["downstream_cx_upgrades_total", "downstream_cx_destroy"] as const)
    assert.equal(proxy.http(name), 1, name);
  for (const name of ["downstream_cx_upgrades_active", "downstream_cx_http1_active"] as const)
    assert.equal(proxy.http(name), 0, name);
  for (const name of [
    "upstream_cx_total",
    "upstream_cx_http1_total",
    "upstream_cx_destroy",
  ] as const)
    assert.equal(proxy.cluster(name), 1, name);
  assert.equal(proxy.cluster("upstream_rq_total"), 1);
  assertAccepted(workers, proxy.listener);
  assertReleased(workers, proxy);
});

forEachWorkerKind("a frame that is under way goes on, and is whole", only, async (workers) => {
  await using host = await startWebSocketHost();
  const proxy = await start(workers, host.port, { drainPolicy: { webSocket: "close" } });
  const client = await open(proxy);
  // Whoever takes the rest for a frame of its own waits for bytes without end.
  const payload = Buffer.alloc(70_000, 0xff);
  const frame = frameOf(opcodes.binary, payload, Buffer.alloc(4));
  client.socket.write(frame.subarray(0, 30_000));
  await workers.untilCounted(() => proxy.http("downstream_cx_rx_bytes_total") > 30_000);
  await move(workers, proxy.listener);
  client.socket.write(frame.subarray(30_000, 50_000));
  await workers.untilCounted(() => proxy.http("downstream_cx_rx_bytes_total") > 50_000);
  workers.startDrain(proxy.listener, { durationMs: 60_000 });
  await client.until(() => framesOf(client).length > 0);
  assert.equal(closeCode(framesOf(client)[0] as ReturnType<typeof framesOf>[number]), 1001);
  // On its way out it ends where it is.
  await assertStays(workers, proxy.listener);
  client.socket.write(Buffer.concat([frame.subarray(50_000), closeFrame(1001, key)]));
  await client.ended();
  client.socket.end();
  await proxy.settled();
  assert.deepEqual([host.closes, host.unmasked], [[1001], 0]);
});

forEachWorkerKind("a WebSocket is as old elsewhere as it was", only, async (workers) => {
  await using host = await startWebSocketHost();
  const hourMs = 3_600_000;
  const hour = { maxStreamDurationMs: hourMs, streamIdleTimeoutMs: hourMs };
  const aged = (
    part: "ages" | "limits",
    change: Readonly<Record<string, number>>,
  ): ((moved: MovedConnection) => MovedConnection) => {
    return (moved) => {
      assert(moved.kind === "upgraded");
      const { request } = moved;
      return { ...moved, request: { ...request, [part]: { ...request[part], ...change } } };
    };
  };
  for (const [change, said] of [
    [aged("ages", { startMs: hourMs }), "- max_duration_timeout"],
    [aged("limits", { durationMs: 1 }), "- max_duration_timeout"],
    [aged("limits", { quietMs: hourMs }), "SI stream_idle_timeout"],
    [aged("limits", { quietMs: 2, idleMs: 1 }), "SI stream_idle_timeout"],
    [aged("limits", { quietMs: 20, tryIdleMs: 20 }), "UT upstream_per_try_idle_timeout"],
    [aged("limits", { tryEndsInMs: 0 }), "UMSDR upstream_max_stream_duration_reached"],
  ] as const) {
    using log = new Log("RESPONSE_FLAGS", "RESPONSE_CODE_DETAILS");
    const manager = { ...hour, accessLog: [log.config] };
    const proxy = await start(workers, host.port, { manager });
    const client = await open(proxy);
    await move(workers, proxy.listener, change);
    await client.ended();
    client.socket.destroy();
    assert.equal(await log.line(workers), said);
    await proxy.settled();
  }
});

forEachWorkerKind("a WebSocket whose host is not there ends", only, async (workers) => {
  await using host = await startWebSocketHost();
  const proxy = await start(workers, host.port);
  for (const change of [
    { cluster: "gone" },
    { host: { kind: "ip", ip: "::1", port: 1 } },
  ] as const) {
    const client = await open(proxy);
    await move(workers, proxy.listener, (moved) => ({ ...moved, ...change }) as MovedConnection);
    await client.ended();
    client.socket.destroy();
    await proxy.settled();
  }
  await workers.untilCounted(() => proxy.http("downstream_cx_destroy") === 2);
  assert.equal(proxy.http("downstream_cx_upgrades_active"), 0);
});

forEachWorkerKind("tunnels of CONNECT move, to a proxy and to TCP", only, async (workers) => {
  await using proxyBehind = await startUpstream((socket) => {
    socket.once("data", () => {
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      socket.pipe(socket);
    });
  });
  await using echo = await startUpstream();
  for (const [upstream, action] of [
    [proxyBehind, clusterAction()],
    [echo, clusterAction({ tunnelEnd: { allowsPost: false } })],
  ] as const) {
    const match = { ...route("/").match, path: { kind: "connect" } } as const;
    const proxy = await start(workers, upstream.port, { routes: [route("", { match, action })] });
    const client = proxy.connect();
    client.send("CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n");
    await client.until(() => client.rest.includes("\r\n\r\n"));
    await client.echo("before");
    const moved = await move(workers, proxy.listener);
    await client.echo("and after");
    const kind = upstream === echo ? "tcp" : "http1";
    assert(moved.kind === "upgraded" && moved.request.upstreamKind === kind);
    client.socket.destroy();
    await proxy.settled();
    await workers.untilCounted(() => proxy.cluster("upstream_cx_active") === 0);
    for (const name of ["upstream_cx_total", "upstream_cx_destroy", "upstream_rq_total"] as const)
      assert.equal(proxy.cluster(name), 1, `${name} of ${kind}`);
    assertReleased(workers, proxy);
  }
});

forEachWorkerKind("what is queued is delivered first, or it stays", only, async (workers) => {
  const bytes = 8 * 1024 * 1024;
  await using host = await startUpstream((socket) => {
    socket.once("data", () => {
      const grant =
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
      socket.write(Buffer.concat([Buffer.from(grant), Buffer.alloc(bytes, "ab")]));
      socket.pipe(socket);
    });
  });
  const proxy = await start(workers, host.port);
  const client = await open(proxy);
  client.socket.pause();
  await workers.untilCounted(() => proxy.cluster("upstream_flow_control_paused_reading_total") > 0);
  await assertStays(workers, proxy.listener);
  client.socket.resume();
  await move(workers, proxy.listener);
  const head = client.received.indexOf("\r\n\r\n") + 4;
  await client.until(() => client.receivedBytes >= head + bytes);
  await client.echo("done");
  assert(client.received.subarray(head, head + bytes).equals(Buffer.alloc(bytes, "ab")));
  assert.equal(client.received.toString("latin1", head + bytes), "done");
});

forEachWorkerKind("what has no tunnel of its own stays", only, async (workers) => {
  const mayGrant = Promise.withResolvers<void>();
  await using host = await startWebSocketHost({ mayGrant: mayGrant.promise });
  const proxy = await start(workers, host.port);
  const asking = proxy.connect();
  asking.send(webSocketRequest);
  await workers.untilCounted(() => proxy.cluster("upstream_rq_active") === 1);
  await assertStays(workers, proxy.listener);
  mayGrant.resolve();
  await asking.until(() => asking.rest.includes("\r\n\r\n"));
  await echoes(asking, "granted");
  await move(workers, proxy.listener);
  await echoes(asking, "moved");

  await using http2Host = await startHttp2Upstream(
    (stream) => {
      stream.respond({ ":status": 200 });
      stream.pipe(stream);
    },
    { settings: { enableConnectProtocol: true } },
  );
  const http2 = http2Options({ allowsConnect: true });
  const toHttp2 = await start(workers, http2Host.port, { cluster: { protocol: "http2", http2 } });
  const client = await open(toHttp2);
  client.socket.write("over HTTP/2");
  await client.until(() => client.rest.endsWith("over HTTP/2"));
  await assertStays(workers, toHttp2.listener);
  client.socket.write(" still");
  await client.until(() => client.rest.endsWith("over HTTP/2 still"));
});

forEachWorkerKind(
  "an idle connection is counted once, and keeps its count",
  only,
  async (workers) => {
    await using upstream = await startHttpUpstream();
    const manager = { maxRequestsPerConnection: 3, maxConnectionDurationMs: 3_600_000 };
    const proxy = await start(workers, upstream.port, { manager });
    const client = proxy.connect();
    await client.get("/");
    const first = await move(workers, proxy.listener);
    assert.deepEqual([first.kind, "requests" in first && first.requests], ["idle", 1]);
    await client.get("/");
    const second = await move(workers, proxy.listener);
    assert(second.ageMs > first.ageMs);
    assert.equal((await client.get("/")).headers["connection"], "close");
    await client.ended();
    client.socket.destroy();
    await proxy.settled();
    for (const name of [
      "downstream_cx_total",
      "downstream_cx_http1_total",
      "downstream_cx_destroy",
    ] as const)
      assert.equal(proxy.http(name), 1, name);
    assertAccepted(workers, proxy.listener);

    const old = proxy.connect();
    await old.get("/");
    const hour = 3_600_000;
    await move(workers, proxy.listener, (moved) => ({ ...moved, ageMs: hour }));
    await workers.untilCounted(() => proxy.http("downstream_cx_max_duration_reached") === 1);
    assert.equal((await old.get("/")).headers["connection"], "close");
  },
);

forEachWorkerKind("an idle connection moves though it was told to drain", only, async (workers) => {
  await using upstream = await startHttpUpstream();
  const proxy = await start(workers, upstream.port);
  const client = proxy.connect();
  await client.get("/");
  workers.startDrain(proxy.listener, { durationMs: 60_000, start: { idleGraceMs: 60_000 } });
  await move(workers, proxy.listener);
  await move(workers, proxy.listener);
  assert.equal((await client.get("/")).status, 200);
});

forEachWorkerKind("a TCP stream is counted once", only, async (workers) => {
  await using upstream = await startUpstream();
  const { stats, limits } = workers.setCluster(clusterConfig(), [hostConfig(upstream.port)]);
  const listener = await workers.addListener(listenerConfig());
  const client = new TestClient(listener.port);
  await client.echo("one");
  await move(workers, listener);
  await client.echo("two");
  const moved = await move(workers, listener);
  assert(moved.kind === "proxied");
  assert.deepEqual([moved.bytesReceived, moved.bytesSent], [6, 6]);
  const cluster = (name: Parameters<typeof clusterStats.offset>[0]): number =>
    workers.stat(clusterStats, stats, name);
  assert.equal(cluster("upstream_cx_active"), 1);
  client.socket.destroy();
  await workers.untilCounted(() => cluster("upstream_cx_active") === 0);
  for (const name of ["upstream_cx_total", "upstream_cx_destroy", "upstream_rq_total"] as const)
    assert.equal(cluster(name), 1, name);
  assert.equal(cluster("upstream_rq_pending_total"), 1);
  assert.equal(cluster("upstream_rq_pending_active"), 0);
  const [[, tcp]] = listener.slots.tcp as readonly [readonly [string, number]];
  assert.equal(workers.stat(tcpStats, tcp, "downstream_cx_total"), 1);
  assertAccepted(workers, listener);
  assert.equal(workers.sharedLimit(limits + clusterLimitOffsets.connections), 0);
});

/** By the listener: once, and it has ended once. */
function assertAccepted(workers: TestWorkers, { slots }: TestListener): void {
  const stat = (name: "downstream_cx_total" | "downstream_cx_destroy" | "downstream_cx_active") =>
    workers.stat(listenerStats, slots.listener, name);
  assert.equal(stat("downstream_cx_total"), 1);
  assert.equal(stat("downstream_cx_destroy"), 1);
  assert.equal(stat("downstream_cx_active"), 0);
  assert.equal(workers.sharedLimit(slots.connectionCount), 0);
}

/** What the breakers held. */
function assertReleased(workers: TestWorkers, { limits }: TestProxy): void {
  for (const offset of Object.values(clusterLimitOffsets))
    assert.equal(workers.sharedLimit(limits + offset), 0);
}
