/** gRPC's own library on both sides: every kind of call, its end, and what we answer ourselves. */
import assert from "node:assert/strict";
import { once } from "node:events";
import * as grpc from "@grpc/grpc-js";
import { Echo, startEcho } from "../../../support/grpc-echo.ts";
import { startProxy } from "../../../support/http-proxy.ts";
import { clusterAction, route } from "../../../support/http-fixture.ts";
import { connectHttp2, request } from "../../../support/http2-client.ts";
import { forEachWorkerKind } from "../../../support/test-workers.ts";
import { until } from "../../../support/until.ts";

forEachWorkerKind("every kind of gRPC call passes", { isShared: true }, async (workers) => {
  using server = await startEcho();
  const proxy = await startProxy(workers, server.port, { cluster: { protocol: "http2" } });
  using echo = new Echo(proxy.listener.port);
  assert.equal((await echo.unary("unary", Buffer.from("hello"))).toString(), "hello");
  const large = Buffer.alloc(3_000_000, "0123456789");
  assert.ok((await echo.unary("unary", large)).equals(large));

  const collected = new Promise<Buffer>((resolve, reject) => {
    const call = echo.call<
      (done: (error: Error | null, value: Buffer) => void) => grpc.ClientWritableStream<Buffer>
    >("collect")((error, value) => (error ? reject(error) : resolve(value)));
    for (let i = 0; i < 100; i++) call.write(Buffer.from(`${i},`));
    call.end();
  });
  assert.equal(
    (await collected).toString(),
    Array.from({ length: 100 }, (_, i) => `${i},`).join(""),
  );

  const spread = echo.call<(value: Buffer) => grpc.ClientReadableStream<Buffer>>("spread")(
    Buffer.from("n"),
  );
  const parts: string[] = [];
  for await (const part of spread) parts.push((part as Buffer).toString());
  assert.deepEqual(
    parts,
    Array.from({ length: 100 }, (_, i) => `n${i}`),
  );

  // Each message waits for the one before: nothing is held back on the way.
  const chat = echo.call<() => grpc.ClientDuplexStream<Buffer, Buffer>>("chat")();
  for (let i = 0; i < 20; i++) {
    const answer = new Promise<Buffer>((resolve) => chat.once("data", resolve));
    chat.write(Buffer.from(`${i}`));
    assert.equal((await answer).toString(), `${i}`);
  }
  chat.end();
  await new Promise((resolve) => chat.once("status", resolve));
  echo[Symbol.dispose]();
  await proxy.settled();
});

forEachWorkerKind(
  "a drain is told to a stream on which nothing is sent, and it goes on",
  { isShared: true },
  async (workers) => {
    using server = await startEcho();
    const proxy = await startProxy(workers, server.port, { cluster: { protocol: "http2" } });
    using echo = new Echo(proxy.listener.port);
    const chat = echo.call<() => grpc.ClientDuplexStream<Buffer, Buffer>>("chat")();
    let heard = "";
    chat.on("data", (part: Buffer) => (heard += part.toString()));
    chat.write(Buffer.from("one "));
    await until(() => heard === "one ", "the first answer");
    const channel = echo.client.getChannel();
    assert.equal(channel.getConnectivityState(false), grpc.connectivityState.READY);
    const drain = workers.startDrain(proxy.listener, {
      durationMs: 60_000,
      start: { strategy: "immediate" },
    });
    // GOAWAY has come: this connection is for no new call.
    await until(
      () => channel.getConnectivityState(false) !== grpc.connectivityState.READY,
      "the channel has let go of the connection",
    );
    chat.write(Buffer.from("two"));
    await until(() => heard === "one two", "an answer on the old connection");
    const ended = once(chat, "end");
    chat.end();
    await ended;
    await workers.untilTrue(() => workers.drainCounts(drain)?.remaining === 0);
    assert.equal(workers.drainCounts(drain)?.forced, 0);
  },
);

forEachWorkerKind(
  "calls end as they should: status, deadline, cancel",
  { isShared: true },
  async (workers) => {
    using server = await startEcho();
    const proxy = await startProxy(workers, server.port, { cluster: { protocol: "http2" } });
    using echo = new Echo(proxy.listener.port);
    const error = (code: grpc.status) => (thrown: grpc.ServiceError) => thrown.code === code;
    await assert.rejects(echo.unary("fail", Buffer.alloc(1)), error(grpc.status.NOT_FOUND));
    const deadline = { deadline: Date.now() + 200 };
    await assert.rejects(
      echo.unary("never", Buffer.alloc(1), deadline),
      error(grpc.status.DEADLINE_EXCEEDED),
    );
    await server.cancelled;
    await assert.rejects(echo.unary("flaky", Buffer.alloc(1)), error(grpc.status.UNAVAILABLE));
    echo[Symbol.dispose]();
    await proxy.settled();
  },
);

forEachWorkerKind(
  "a call is tried again by its grpc-status",
  { isShared: true },
  async (workers) => {
    using server = await startEcho();
    const action = clusterAction({
      retryPolicy: {
        retryOn: ["unavailable"],
        retriableStatusCodes: [],
        numRetries: 1,
        perTryTimeoutMs: 0,
        perTryIdleTimeoutMs: 0,
      },
    });
    const proxy = await startProxy(workers, server.port, {
      routes: [route("/", { action })],
      cluster: { protocol: "http2" },
    });
    using echo = new Echo(proxy.listener.port);
    assert.equal((await echo.unary("flaky", Buffer.from("again"))).toString(), "again");
    assert.equal(proxy.cluster("upstream_rq_retry"), 1);
    echo[Symbol.dispose]();
    await proxy.settled();
  },
);

forEachWorkerKind(
  "what we answer ourselves is said in gRPC",
  { isShared: true },
  async (workers) => {
    const proxy = await startProxy(workers, 1, { hosts: [], cluster: { protocol: "http2" } });
    const session = await connectHttp2(proxy.listener.port);
    const answer = await request(session, {
      ":path": "/",
      ":method": "POST",
      "content-type": "application/grpc+proto",
    });
    assert.deepEqual([answer.status, answer.body], [200, ""]);
    assert.equal(answer.headers["content-type"], "application/grpc");
    assert.equal(answer.headers["grpc-status"], "14");
    assert.equal(answer.headers["grpc-message"], "no healthy upstream");
    const plain = await request(session, {
      ":path": "/",
      ":method": "POST",
      "content-type": "application/grpc-web",
    });
    assert.equal(plain.status, 503);
    session.close();
    await proxy.settled();
  },
);
