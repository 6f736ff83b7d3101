/** Streams of HTTP/2 whose requests wait for what main is asked for. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { errorCode, frameType } from "../../../../src/data/http/http2/frames.ts";
import { sluiceWorkerStats } from "../../../../src/shared/stats/stat-names.ts";
import { route } from "../../../support/http-fixture.ts";
import { startHttpUpstream } from "../../../support/http-peers.ts";
import { startProxy } from "../../../support/http-proxy.ts";
import { clientHttp1 } from "../../../support/http1-options.ts";
import { connectHttp2, request, responseOf } from "../../../support/http2-client.ts";
import { http2Options } from "../../../support/http2-options.ts";
import { frame, RawHttp2Client, requestBlock } from "../../../support/raw-http2.ts";
import { forEachWorkerKind } from "../../../support/test-workers.ts";
import { answer, scoped, setScope, unloaded, wanted } from "../../../support/waiting-scope.ts";

const asking = { ":path": "/", ":method": "POST", "x-scope": "a" };

forEachWorkerKind("streams wait side by side, the others go on", {}, async (workers) => {
  await using upstream = await startHttpUpstream(({ url, body }, response) =>
    response.end(url + body),
  );
  const proxy = await startProxy(workers, upstream.port, { manager: scoped });
  setScope(workers, unloaded);
  const session = await connectHttp2(proxy.listener.port);
  const answers = Array.from({ length: 50 }, (_, i) => {
    const body = String(i).repeat(i * 200);
    return request(session, { ...asking, ":path": `/${i}` }, body).then((got) => {
      assert.deepEqual([got.status, got.body], [200, `/${i}${body}`]);
    });
  });
  assert.equal((await request(session, { ":path": "/" })).status, 404);
  await wanted(workers);
  answer(workers, [route("/")]);
  await Promise.all(answers);
  assert.equal(workers.stat(sluiceWorkerStats, workers.sluice, "on_demand_waiting"), 0);
  session.close();
  await proxy.settled();
  assert.equal(proxy.http("downstream_rq_total"), 51);
});

forEachWorkerKind("trailers and a body that came in parts", {}, async (workers) => {
  const seen: unknown[] = [];
  await using upstream = await startHttpUpstream(({ body, trailers }, response) => {
    seen.push(body, trailers["x-end"]);
    response.end("ok");
  });
  const proxy = await startProxy(workers, upstream.port, {
    manager: scoped,
    cluster: { http1: clientHttp1({ trailers: true }) },
  });
  setScope(workers, unloaded);
  const session = await connectHttp2(proxy.listener.port);
  const stream = session.request(asking, { endStream: false, waitForTrailers: true });
  stream.on("wantTrailers", () => stream.sendTrailers({ "x-end": "yes" }));
  stream.write("one,");
  await wanted(workers);
  stream.end("two");
  await workers.untilCounted(() => proxy.http("downstream_rq_active") === 1);
  answer(workers, [route("/")]);
  assert.equal((await responseOf(stream)).body, "ok");
  assert.deepEqual(seen, ["one,two", "yes"]);
  session.close();
  await proxy.settled();
});

forEachWorkerKind("who waits is given no room beyond its window", {}, async (workers) => {
  await using upstream = await startHttpUpstream(({ body }, response) =>
    response.end(String(body.length)),
  );
  const windowBytes = 100_000;
  const http2 = http2Options({
    streamWindowBytes: windowBytes,
    connectionWindowBytes: windowBytes * 2,
  });
  const proxy = await startProxy(workers, upstream.port, { manager: { ...scoped, http2 } });
  setScope(workers, unloaded);
  const client = new RawHttp2Client(proxy.listener.port);
  const part = (isEnd: boolean): Buffer =>
    frame(frameType.data, isEnd ? 1 : 0, 1, "x".repeat(10_000));
  const head = requestBlock([["x-scope", "a"]], { ":method": "POST" });
  client.send(frame(frameType.headers, 4, 1, head));
  for (let i = 0; i < 10; i++) client.send(part(false));
  await wanted(workers);
  // Behind the ping all of it was taken; only the connection's first window may have been widened.
  client.send(frame(frameType.ping, 0, 0, "12345678"));
  await client.next(frameType.ping);
  const updates = client.frames.filter(
    ({ type, id }) => type === frameType.windowUpdate && id === 1,
  );
  assert.deepEqual(updates, []);
  answer(workers, [route("/")]);
  await client.next(frameType.windowUpdate, 1);
  client.send(part(true));
  const data = await client.next(frameType.data);
  assert.equal(data.payload.toString(), "110000");
  client.destroy();
  await proxy.settled();
});

forEachWorkerKind("a stream beyond its window is reset while it waits", {}, async (workers) => {
  await using upstream = await startHttpUpstream();
  const http2 = http2Options({ streamWindowBytes: 65_535 });
  const proxy = await startProxy(workers, upstream.port, { manager: { ...scoped, http2 } });
  setScope(workers, unloaded);
  const client = new RawHttp2Client(proxy.listener.port);
  client.send(
    frame(frameType.headers, 4, 1, requestBlock([["x-scope", "a"]], { ":method": "POST" })),
  );
  for (let i = 0; i < 7; i++) client.send(frame(frameType.data, 0, 1, "x".repeat(10_000)));
  const reset = await client.next(frameType.rstStream);
  assert.equal(reset.payload.readUInt32BE(0), errorCode.flowControlError);
  await workers.until((event) => event.kind === "unwanted");
  client.destroy();
  await proxy.settled();
});

forEachWorkerKind("streams that are reset are forgotten, and main is told", {}, async (workers) => {
  await using upstream = await startHttpUpstream();
  const proxy = await startProxy(workers, upstream.port, { manager: scoped });
  setScope(workers, unloaded);
  const session = await connectHttp2(proxy.listener.port);
  const streams = Array.from({ length: 5 }, () => session.request(asking, { endStream: false }));
  for (const stream of streams) {
    stream.on("error", () => {});
    stream.write("x");
  }
  await wanted(workers);
  await workers.untilCounted(() => proxy.http("downstream_rq_total") === 5);
  for (const stream of streams) stream.close(8);
  await Promise.all(streams.map((stream) => once(stream, "close")));
  await workers.until((event) => event.kind === "unwanted");
  assert.equal(workers.stat(sluiceWorkerStats, workers.sluice, "on_demand_waiting"), 0);
  answer(workers, [route("/")]);
  assert.equal((await request(session, asking, "x")).status, 200);
  session.close();
  await proxy.settled();
  assert.equal(upstream.requests.length, 1);
});
