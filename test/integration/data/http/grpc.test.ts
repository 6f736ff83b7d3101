/** gRPC's own library on both sides: every kind of call, its end, and what we answer ourselves. */
import assert from "node:assert/strict";
import { once } from "node:events";
import * as grpc from "@grpc/grpc-js";
import { startProxy } from "../../../support/http-proxy.ts";
import { clusterAction, route } from "../../../support/http-fixture.ts";
import { connectHttp2, request } from "../../../support/http2-client.ts";
import { forEachWorkerKind } from "../../../support/test-workers.ts";
import { until } from "../../../support/until.ts";

const bytes = {
  requestSerialize: (value: Buffer) => value,
  requestDeserialize: (value: Buffer) => value,
  responseSerialize: (value: Buffer) => value,
  responseDeserialize: (value: Buffer) => value,
};
const method = (name: string, requestStream: boolean, responseStream: boolean) => ({
  path: `/test.Echo/${name}`,
  requestStream,
  responseStream,
  ...bytes,
});
const service = {
  unary: method("Unary", false, false),
  collect: method("Collect", true, false),
  spread: method("Spread", false, true),
  chat: method("Chat", true, true),
  fail: method("Fail", false, false),
  never: method("Never", false, false),
  flaky: method("Flaky", false, false),
};
const EchoClient = grpc.makeGenericClientConstructor(service, "test.Echo");

interface EchoServer extends Disposable {
  readonly port: number;
  cancelled: Promise<void>;
}

async function startEcho(): Promise<EchoServer> {
  const server = new grpc.Server({ "grpc.max_receive_message_length": -1 });
  const cancelled = Promise.withResolvers<void>();
  let flaky = 0;
  server.addService(service, {
    unary: (call: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) => {
      const trailers = new grpc.Metadata();
      trailers.set("x-trailer", "there");
      done(null, call.request, trailers);
    },
    collect: (
      call: grpc.ServerReadableStream<Buffer, Buffer>,
      done: grpc.sendUnaryData<Buffer>,
    ) => {
      const parts: Buffer[] = [];
      call.on("data", (part: Buffer) => parts.push(part));
      call.on("end", () => done(null, Buffer.concat(parts)));
    },
    spread: (call: grpc.ServerWritableStream<Buffer, Buffer>) => {
      for (let i = 0; i < 100; i++) call.write(Buffer.from(`${call.request.toString()}${i}`));
      call.end();
    },
    chat: (call: grpc.ServerDuplexStream<Buffer, Buffer>) => {
      call.on("data", (part: Buffer) => call.write(part));
      call.on("end", () => call.end());
    },
    fail: (_: unknown, done: grpc.sendUnaryData<Buffer>) =>
      done({ code: grpc.status.NOT_FOUND, details: "nothing like it" }),
    never: (call: grpc.ServerUnaryCall<Buffer, Buffer>) =>
      void call.on("cancelled", () => cancelled.resolve()),
    flaky: (call: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) => {
      if (flaky++ === 0) done({ code: grpc.status.UNAVAILABLE, details: "not now" });
      else done(null, call.request);
    },
  });
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    ),
  );
  return { port, cancelled: cancelled.promise, [Symbol.dispose]: () => server.forceShutdown() };
}

type Unary = (
  value: Buffer,
  options: grpc.CallOptions,
  done: (error: grpc.ServiceError | null, value?: Buffer) => void,
) => grpc.ClientUnaryCall;

class Echo implements Disposable {
  readonly client: grpc.Client & Record<string, unknown>;

  constructor(port: number) {
    this.client = new EchoClient(`127.0.0.1:${port}`, grpc.credentials.createInsecure(), {
      "grpc.max_receive_message_length": -1,
    }) as unknown as grpc.Client & Record<string, unknown>;
  }

  call<F>(name: keyof typeof service): F {
    return (this.client[name] as (...args: unknown[]) => unknown).bind(this.client) as F;
  }

  unary(
    name: keyof typeof service,
    value: Buffer,
    options: grpc.CallOptions = {},
  ): Promise<Buffer> {
    return new Promise((resolve, reject) =>
      this.call<Unary>(name)(value, options, (error, answer) =>
        error ? reject(error) : resolve(answer ?? Buffer.alloc(0)),
      ),
    );
  }

  [Symbol.dispose](): void {
    this.client.close();
  }
}

forEachWorkerKind("every kind of gRPC call passes", {}, async (workers) => {
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
  {},
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

forEachWorkerKind("calls end as they should: status, deadline, cancel", {}, async (workers) => {
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
});

forEachWorkerKind("a call is tried again by its grpc-status", {}, async (workers) => {
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
});

forEachWorkerKind("what we answer ourselves is said in gRPC", {}, async (workers) => {
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
});
