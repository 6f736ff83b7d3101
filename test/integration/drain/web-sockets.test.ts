/** WebSockets in a drain: told by a Close of 1001 where the policy says so, else left alone until the deadline. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { forEachProxy } from "../../support/each-proxy.ts";
import { clusterAction, route } from "../../support/http-fixture.ts";
import type { HttpClient } from "../../support/http-peers.ts";
import { connectHttp2 } from "../../support/http2-client.ts";
import { http2Options } from "../../support/http2-options.ts";
import { startHttp2Upstream } from "../../support/http2-upstream.ts";
import { startProxy, type TestProxy, type TestProxyOptions } from "../../support/http-proxy.ts";
import { forEachWorkerKind, type TestWorkers } from "../../support/test-workers.ts";
import { adminOnPortZero } from "../../support/sluice-program.ts";
import { httpListener, routesTo, staticCluster } from "../../support/truth-resources.ts";
import { until } from "../../support/until.ts";
import {
  closeCode,
  closeFrame,
  FrameReader,
  frameOf,
  opcodes,
  startWebSocketHost,
  type WebSocketFrame,
  webSocketRequest,
} from "../../support/web-socket-peers.ts";

const manager = {
  upgrades: [{ type: "websocket", isEnabled: true }],
  http2: http2Options({ allowsConnect: true }),
};
const key = Buffer.from([9, 8, 7, 6]);
const saysClose = { webSocket: "close" } as const;

const start = (
  workers: TestWorkers,
  upstream: { readonly port: number },
  options: TestProxyOptions = {},
): Promise<TestProxy> =>
  startProxy(workers, upstream.port, { manager, drainPolicy: saysClose, ...options });

/** A WebSocket of a client that writes its own frames. */
async function open(proxy: TestProxy): Promise<HttpClient> {
  const client = proxy.connect();
  client.send(webSocketRequest);
  await client.until(() => client.rest.includes("\r\n\r\n"));
  return client;
}

function framesOf(client: HttpClient): WebSocketFrame[] {
  const start = client.received.indexOf("\r\n\r\n") + 4;
  return new FrameReader().take(client.received.subarray(start));
}

async function hears(client: HttpClient, count: number): Promise<WebSocketFrame[]> {
  await client.until(() => framesOf(client).length >= count);
  return framesOf(client);
}

const immediate = { durationMs: 60_000, start: { strategy: "immediate" } } as const;

forEachWorkerKind("both ends hear a Close between two frames", {}, async (workers) => {
  await using host = await startWebSocketHost();
  const proxy = await start(workers, host);
  const client = await open(proxy);
  client.socket.write(frameOf(opcodes.text, "one", key));
  await hears(client, 1);
  const half = frameOf(opcodes.text, "x".repeat(70_000), key);
  client.socket.write(half.subarray(0, 30_000));
  await workers.untilCounted(() => proxy.http("downstream_cx_rx_bytes_total") > 30_000);
  const drain = workers.startDrain(proxy.listener, immediate);
  const [, told] = await hears(client, 2);
  assert(told?.opcode === opcodes.close && closeCode(told) === 1001);
  assert.deepEqual(host.closes, []);
  client.socket.write(Buffer.concat([half.subarray(30_000), closeFrame(1001, key)]));
  await client.ended();
  client.socket.end();
  await proxy.settled();
  assert.deepEqual([host.closes, host.unmasked], [[1001], 0]);
  assert.equal(framesOf(client).length, 2);
  await workers.untilTrue(() => workers.drainCounts(drain)?.remaining === 0);
  const counts = workers.drainCountsOf(drain, "websocket");
  assert.deepEqual([counts.atStart, counts.notified, counts.finished], [1, 1, 1]);
  assert.equal(proxy.cluster("upstream_rq_tx_reset"), 0);
});

forEachWorkerKind("over HTTP/2 its stream ends, and then the connection", {}, async (workers) => {
  await using host = await startWebSocketHost();
  const proxy = await start(workers, host);
  const session = await connectHttp2(proxy.listener.port);
  const stream = session.request(
    {
      ":method": "CONNECT",
      ":protocol": "websocket",
      ":scheme": "http",
      ":path": "/chat",
      ":authority": "a",
    },
    { endStream: false },
  );
  const reader = new FrameReader();
  const frames: WebSocketFrame[] = [];
  stream.on("data", (part: Buffer) => void frames.push(...reader.take(part)));
  await once(stream, "response");
  stream.write(frameOf(opcodes.text, "one", key));
  await until(() => frames.length === 1, "the echo");
  const drain = workers.startDrain(proxy.listener, immediate);
  await until(() => frames.length === 2, "the Close");
  assert.equal(closeCode(frames[1] as WebSocketFrame), 1001);
  const ended = once(stream, "end");
  stream.write(closeFrame(1001, key));
  await ended;
  if (!session.destroyed) await once(session, "close");
  await proxy.settled();
  assert.deepEqual(host.closes, [1001]);
  await workers.untilTrue(() => workers.drainCounts(drain)?.remaining === 0);
  const counts = workers.drainCountsOf(drain, "http2");
  assert.deepEqual([counts.finished, counts.forced], [1, 0]);
});

forEachWorkerKind("a host of HTTP/2 hears it, too", {}, async (workers) => {
  const heard: WebSocketFrame[] = [];
  await using upstream = await startHttp2Upstream(
    (stream) => {
      const reader = new FrameReader();
      stream.respond({ ":status": 200 });
      stream.on("data", (part: Buffer) => {
        for (const frame of reader.take(part)) {
          heard.push(frame);
          stream.write(frameOf(frame.opcode, frame.payload));
        }
      });
      stream.on("end", () => stream.end());
    },
    { settings: { enableConnectProtocol: true } },
  );
  const proxy = await start(workers, upstream, { cluster: { protocol: "http2" } });
  const client = await open(proxy);
  const drain = workers.startDrain(proxy.listener, immediate);
  const [told] = await hears(client, 1);
  assert(told !== undefined && closeCode(told) === 1001);
  client.socket.write(closeFrame(1001, key));
  await client.ended();
  client.socket.end();
  await proxy.settled();
  assert.deepEqual(
    heard.map((each) => [each.isMasked, closeCode(each)]),
    [[true, 1001]],
  );
  assert.equal(workers.drainCountsOf(drain, "websocket").forced, 0);
});

forEachWorkerKind(
  "who does not answer is waited for no longer than idle_grace",
  {},
  async (workers) => {
    await using host = await startWebSocketHost({ answersClose: false });
    const proxy = await start(workers, host);
    const client = await open(proxy);
    const drain = workers.startDrain(proxy.listener, immediate);
    await hears(client, 1);
    await client.ended();
    client.socket.end();
    await proxy.settled();
    await workers.untilTrue(() => workers.drainCounts(drain)?.remaining === 0);
    const counts = workers.drainCountsOf(drain, "websocket");
    assert.deepEqual([counts.finished, counts.forced], [1, 0]);
    assert.deepEqual(host.closes, [1001]);
  },
);

forEachWorkerKind("one that is granted in a drain hears it then", {}, async (workers) => {
  const { promise: mayGrant, resolve: grant } = Promise.withResolvers<void>();
  await using host = await startWebSocketHost({ mayGrant });
  const proxy = await start(workers, host);
  const client = proxy.connect();
  client.send(webSocketRequest);
  client.socket.write(frameOf(opcodes.text, "ahead", key));
  await until(() => host.sockets.size === 1, "the upgrade is asked for");
  const drain = workers.startDrain(proxy.listener, immediate);
  await workers.untilTrue(() => workers.drainCounts(drain)?.notified === 1);
  grant();
  // What was sent ahead may be answered first.
  await client.until(() => framesOf(client).at(-1)?.opcode === opcodes.close);
  client.socket.write(closeFrame(1001, key));
  await client.ended();
  client.socket.end();
  await proxy.settled();
  assert.deepEqual(host.closes, [1001]);
});

forEachWorkerKind(
  "without the policy nothing is said, and the deadline cuts",
  {},
  async (workers) => {
    await using host = await startWebSocketHost();
    const proxy = await start(workers, host, { drainPolicy: {} });
    const client = await open(proxy);
    const drain = workers.startDrain(proxy.listener, {
      ...immediate,
      durationMs: 300,
    });
    client.socket.write(frameOf(opcodes.text, "still here", key));
    await hears(client, 1);
    await client.until(() => client.hasClosed || client.hasEnded);
    client.socket.destroy();
    await proxy.settled();
    await workers.untilTrue(() => workers.drainCounts(drain)?.remaining === 0);
    assert.equal(workers.drainCountsOf(drain, "websocket").forced, 1);
    assert.deepEqual(
      framesOf(client).map(({ opcode }) => opcode),
      [opcodes.text],
    );
    assert.deepEqual(host.closes, []);
  },
);

forEachWorkerKind("what is upgraded to something else hears nothing", {}, async (workers) => {
  await using host = await startWebSocketHost();
  const routes = [
    route("/", { action: clusterAction({ upgrades: [{ type: "x", isEnabled: true }] }) }),
  ];
  const proxy = await start(workers, host, { routes });
  const client = proxy.connect();
  client.send(webSocketRequest.replace("Upgrade: websocket", "Upgrade: x"));
  await client.until(() => client.rest.includes("\r\n\r\n"));
  const drain = workers.startDrain(proxy.listener, { ...immediate, durationMs: 300 });
  await client.until(() => client.hasClosed || client.hasEnded);
  client.socket.destroy();
  await workers.untilTrue(() => workers.drainCounts(drain)?.remaining === 0);
  assert.deepEqual(framesOf(client), []);
  await proxy.settled();
});

/** Node's own client, which knows nothing of us: asks, waits for the answer, asks again. */
async function chat(
  port: number,
): Promise<{ readonly code: number; readonly wasClean: boolean; readonly lost: number }> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/chat`);
  let asked = 0;
  let answered = 0;
  const say = (): void => socket.send(`message ${asked++} `.repeat(20));
  socket.addEventListener("open", say);
  socket.addEventListener("message", () => {
    answered++;
    say();
  });
  const [event] = (await once(socket, "close")) as [CloseEvent];
  return { code: event.code, wasClean: event.wasClean, lost: asked - answered };
}

forEachWorkerKind("a drain under live WebSockets cuts none of them", {}, async (workers) => {
  await using host = await startWebSocketHost();
  const proxy = await start(workers, host);
  const count = 60;
  const chats = Array.from({ length: count }, () => chat(proxy.listener.port));
  await workers.untilCounted(() => proxy.http("downstream_cx_upgrades_active") === count);
  const drain = workers.startDrain(proxy.listener, {
    durationMs: 2_000,
    start: { strategy: "gradual", idleGraceMs: 500 },
  });
  const ended = await Promise.all(chats);
  for (const each of ended) {
    assert.deepEqual([each.code, each.wasClean], [1001, true]);
    // The one that was under way: nobody had promised it an answer.
    assert(each.lost <= 1);
  }
  await proxy.settled();
  assert.deepEqual(host.closes, Array(count).fill(1001));
  await workers.untilTrue(() => workers.drainCounts(drain)?.remaining === 0);
  const counts = workers.drainCountsOf(drain, "websocket");
  assert.deepEqual([counts.atStart, counts.notified, counts.forced], [count, count, 0]);
  assert.equal(counts.finished + counts.closedByPeer, count);
});

interface DrainView {
  readonly state: string;
  readonly by_protocol: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

forEachProxy("whichever drain it is, the listener's policy holds", async (start, open) => {
  const host = open.use(await startWebSocketHost());
  const routing = {
    upgrade_configs: [{ upgrade_type: "websocket" }],
    route_config: routesTo("chat"),
  };
  const metadata = { filter_metadata: { "sluice.drain": { websocket: "close" } } };
  const proxy = await start({
    admin: adminOnPortZero,
    static_resources: {
      listeners: [httpListener("web", routing, { metadata })],
      clusters: [staticCluster("chat", host.port)],
    },
  });
  const port = (await proxy.listenerPorts()).get("web") ?? 0;
  const count = 5;
  const openChats = async (): Promise<ReturnType<typeof chat>[]> => {
    const chats = Array.from({ length: count }, () => chat(port));
    const active = "http.web.downstream_cx_upgrades_active";
    await until(async () => (await proxy.stat(active)) === count, "all are open");
    return chats;
  };
  const endedWith1001 = async (chats: readonly ReturnType<typeof chat>[]): Promise<void> => {
    for (const { code, wasClean } of await Promise.all(chats))
      assert.deepEqual([code, wasClean], [1001, true]);
  };

  const ofListener = await openChats();
  await proxy.admin("/drain_listeners?name=web&time=60&strategy=immediate", "POST");
  await endedWith1001(ofListener);
  const { drains } = JSON.parse(await proxy.admin("/drains?wait=30")) as { drains: DrainView[] };
  assert.equal(drains[0]?.state, "complete");
  const counts = drains[0].by_protocol["websocket"];
  assert.deepEqual([counts?.["at_start"], counts?.["forced"]], [count, 0]);
  assert.equal((counts?.["finished"] ?? 0) + (counts?.["closed_by_peer"] ?? 0), count);

  const ofServer = await openChats();
  process.kill(proxy.pid, "SIGTERM");
  await endedWith1001(ofServer);
});
