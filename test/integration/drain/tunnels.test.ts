/** Tunnels of CONNECT in a drain: TCP to whoever uses them, and treated as the policy says of TCP. */
import assert from "node:assert/strict";
import { once } from "node:events";
import type { DrainTreatment } from "../../../src/shared/drain/drain.ts";
import { clusterAction, route } from "../../support/http-fixture.ts";
import { connectHttp2 } from "../../support/http2-client.ts";
import { http2Options } from "../../support/http2-options.ts";
import { startProxy, type TestProxy } from "../../support/http-proxy.ts";
import type { HttpClient } from "../../support/http-peers.ts";
import { startUpstream } from "../../support/tcp-peers.ts";
import { forEachWorkerKind, type TestWorkers } from "../../support/test-workers.ts";
import { until } from "../../support/until.ts";

const manager = {
  upgrades: [{ type: "connect", isEnabled: true }],
  http2: http2Options({ allowsConnect: true }),
};
const routes = [
  route("", {
    match: { ...route("/").match, path: { kind: "connect" } },
    action: clusterAction({ tunnelEnd: { allowsPost: false } }),
  }),
];

const start = (workers: TestWorkers, port: number): Promise<TestProxy> =>
  startProxy(workers, port, { manager, routes });

async function tunnel(proxy: TestProxy): Promise<HttpClient> {
  const client = proxy.connect();
  client.send("CONNECT foo.test:443 HTTP/1.1\r\nHost: foo.test:443\r\n\r\nhello");
  await client.until(() => client.rest.endsWith("hello"));
  return client;
}

const policy = (tcp: DrainTreatment["tcp"], durationMs: number) =>
  ({ durationMs, start: { strategy: "immediate", tcp } }) as const;

forEachWorkerKind("tcp: spread ends a tunnel when it is told, in order", {}, async (workers) => {
  await using upstream = await startUpstream();
  const proxy = await start(workers, upstream.port);
  const client = await tunnel(proxy);
  const drain = workers.startDrain(proxy.listener, policy("spread", 60_000));
  await client.ended();
  client.socket.end();
  await workers.untilTrue(() => workers.drainCounts(drain)?.remaining === 0);
  const { finished, forced } = workers.drainCountsOf(drain, "tcp");
  assert.deepEqual({ finished, forced }, { finished: 1, forced: 0 });
  // Its host hears of it, too.
  await until(() => upstream.connections.size === 0, "the host's connection ends");
  await proxy.settled();
});

forEachWorkerKind(
  "over HTTP/2 it ends its stream, and the connection follows",
  {},
  async (workers) => {
    await using upstream = await startUpstream();
    const proxy = await start(workers, upstream.port);
    const session = await connectHttp2(proxy.listener.port);
    const stream = session.request(
      { ":method": "CONNECT", ":authority": "foo.test:443" },
      { endStream: false },
    );
    let text = "";
    stream.on("data", (part: Buffer) => (text += part.toString("latin1")));
    stream.write("hello");
    await until(() => text === "hello", "the echo");
    const ended = once(stream, "end");
    const drain = workers.startDrain(proxy.listener, policy("spread", 60_000));
    await ended;
    if (!session.destroyed) await once(session, "close");
    await workers.untilTrue(() => workers.drainCounts(drain)?.remaining === 0);
    assert.equal(workers.drainCounts(drain)?.forced, 0);
    await proxy.settled();
  },
);

forEachWorkerKind("tcp: keep leaves a tunnel alone, tcp: deadline cuts it", {}, async (workers) => {
  await using upstream = await startUpstream();
  const proxy = await start(workers, upstream.port);
  const cut = await tunnel(proxy);
  const drain = workers.startDrain(proxy.listener, policy("deadline", 200));
  await cut.until(() => cut.hasEnded || cut.hasClosed);
  cut.socket.destroy();
  await workers.untilTrue(() => workers.drainCounts(drain)?.remaining === 0);
  assert.equal(workers.drainCountsOf(drain, "tcp").forced, 1);

  const kept = await startProxy(workers, upstream.port, { manager, routes });
  const client = await tunnel(kept);
  const keeps = workers.startDrain(kept.listener, policy("keep", 100));
  await until(() => performance.now() > keeps.deadlineMs + 100, "the deadline has passed");
  client.send(" again");
  await client.until(() => client.rest.endsWith("hello again"));
  client.socket.end();
  await workers.untilTrue(() => workers.drainCounts(keeps)?.remaining === 0);
  assert.equal(workers.drainCountsOf(keeps, "tcp").forced, 0);
});
