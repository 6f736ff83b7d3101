/** How an HTTP/2 connection is told to go: GOAWAY with the largest id, a PING there and back, GOAWAY with the last. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { errorCode, frameType, streamIdMax } from "../../../../src/data/http/http2/frames.ts";
import { http2Stats } from "../../../../src/shared/stats/stat-names.ts";
import { startHttpUpstream } from "../../../support/http-peers.ts";
import { connectHttp2, request, responseOf } from "../../../support/http2-client.ts";
import { startProxy } from "../../../support/http-proxy.ts";
import { frame, RawHttp2Client, requestBlock, whole } from "../../../support/raw-http2.ts";
import { forEachWorkerKind } from "../../../support/test-workers.ts";
import { until } from "../../../support/until.ts";

const { goaway, headers, ping } = frameType;

function goawaysOf(client: RawHttp2Client): readonly (readonly [last: number, code: number])[] {
  const frames = client.frames.filter(({ type }) => type === goaway);
  return frames.map(({ payload }) => [payload.readUInt32BE(0), payload.readUInt32BE(4)] as const);
}

forEachWorkerKind(
  "a drain says GOAWAY twice, and a stream finishes",
  { isShared: true },
  async (workers) => {
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    await using upstream = await startHttpUpstream((_, response) => {
      void released.then(() => response.end("late"));
    });
    const proxy = await startProxy(workers, upstream.port);
    const client = new RawHttp2Client(proxy.listener.port);
    client.send(frame(headers, whole, 1, requestBlock()));
    await workers.untilCounted(() => proxy.cluster("upstream_rq_active") === 1);
    const drain = workers.startDrain(proxy.listener, {
      durationMs: 60_000,
      start: { strategy: "immediate" },
    });
    const sent = await client.next(ping);
    assert.deepEqual(goawaysOf(client), [[streamIdMax, errorCode.noError]]);
    // What was under way when the client had not read it yet is served.
    client.send(frame(headers, whole, 3, requestBlock()), frame(ping, 1, 0, sent.payload));
    await until(() => goawaysOf(client).length === 2, "the second GOAWAY");
    assert.deepEqual(goawaysOf(client)[1], [3, errorCode.noError]);
    release();
    await client.ended();
    assert.equal(client.frames.filter(({ type }) => type === headers).length, 2);
    await workers.untilTrue(() => workers.drainCounts(drain)?.remaining === 0);
    assert.equal(workers.drainCounts(drain)?.forced, 0);
    assert.equal(proxy.http("downstream_cx_drain_close"), 1);
  },
);

forEachWorkerKind(
  "a client that answers no ping is told after drain_timeout",
  { isShared: true },
  async (workers) => {
    await using upstream = await startHttpUpstream();
    const proxy = await startProxy(workers, upstream.port, { manager: { drainTimeoutMs: 100 } });
    const client = new RawHttp2Client(proxy.listener.port);
    await client.next(frameType.settings);
    workers.startDrain(proxy.listener, { durationMs: 60_000, start: { strategy: "immediate" } });
    await client.ended();
    assert.deepEqual(goawaysOf(client), [
      [streamIdMax, errorCode.noError],
      [0, errorCode.noError],
    ]);
  },
);

forEachWorkerKind(
  "requests without pause meet a drain, and none fails",
  { isShared: true },
  async (workers) => {
    await using upstream = await startHttpUpstream((_, response) => response.end("ok"));
    const proxy = await startProxy(workers, upstream.port);
    const session = await connectHttp2(proxy.listener.port);
    let answered = 0;
    let isGoing = false;
    session.once("goaway", () => (isGoing = true));
    const one = async (): Promise<void> => {
      while (!isGoing) {
        try {
          assert.equal((await request(session, { ":path": "/" })).body, "ok");
          answered++;
        } catch (error) {
          // Node's client opens no stream after GOAWAY: one that it had begun to make never left it.
          assert.ok(isGoing && (error as NodeJS.ErrnoException).code === "ERR_HTTP2_STREAM_ERROR");
        }
      }
    };
    const loops = Array.from({ length: 100 }, one);
    await workers.untilCounted(() => proxy.http("downstream_rq_http2_total") > 500);
    workers.startDrain(proxy.listener, { durationMs: 60_000, start: { strategy: "immediate" } });
    await Promise.all(loops);
    if (!session.destroyed) await once(session, "close");
    await proxy.settled();
    assert.equal(proxy.http("downstream_rq_http2_total"), answered);
    assert.equal(proxy.http("downstream_rq_2xx"), answered);
    assert.equal(workers.stat(http2Stats, proxy.listener.slots.http2, "tx_reset"), 0);
  },
);

forEachWorkerKind(
  "idle and old connections are told as in a drain",
  { isShared: true },
  async (workers) => {
    await using upstream = await startHttpUpstream();
    const limits = [
      ["downstream_cx_idle_timeout", { idleTimeoutMs: 100 }],
      ["downstream_cx_max_duration_reached", { maxConnectionDurationMs: 100 }],
    ] as const;
    for (const [stat, manager] of limits) {
      const proxy = await startProxy(workers, upstream.port, { manager });
      const session = await connectHttp2(proxy.listener.port);
      if (!session.destroyed) await once(session, "close");
      await proxy.settled();
      assert.equal(proxy.http(stat), 1);
    }
  },
);

forEachWorkerKind(
  "the last request of a connection is followed by GOAWAY",
  { isShared: true },
  async (workers) => {
    await using upstream = await startHttpUpstream((_, response) => response.end("ok"));
    const manager = { maxRequestsPerConnection: 2 };
    const proxy = await startProxy(workers, upstream.port, { manager });
    const session = await connectHttp2(proxy.listener.port);
    const streams = [session.request({ ":path": "/" }), session.request({ ":path": "/" })];
    const answers = await Promise.all(streams.map(responseOf));
    assert.deepEqual(
      answers.map(({ body }) => body),
      ["ok", "ok"],
    );
    if (!session.destroyed) await once(session, "close");
    assert.equal(proxy.http("downstream_cx_max_requests_reached"), 1);
  },
);
