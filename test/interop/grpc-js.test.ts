/**
 * gRPC's own library for Node on both sides of the whole program, in plain text and under TLS both ways: what the calls of
 * `integration/data/http/grpc.test.ts` do not reach. Runs against Envoy, too (SLUICE_TEST_PROXY), but for the drains.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import * as grpc from "@grpc/grpc-js";
import { forEachProxy, type StartProxy } from "../support/each-proxy.ts";
import { Echo, type EchoServer, startEcho, type Unary } from "../support/grpc-echo.ts";
import { GrpcIdentity, startGrpcProxy } from "../support/grpc-stage.ts";
import { grpcFrame } from "../support/grpc-frames.ts";
import { connectHttp2 } from "../support/http2-client.ts";
import type { ProxyProcess } from "../support/proxy-process.ts";
import { until } from "../support/until.ts";

const isOther = process.env["SLUICE_TEST_PROXY"] !== undefined;

interface Stage {
  readonly proxy: ProxyProcess;
  readonly server: EchoServer;
  readonly connect: () => Echo;
}

/** Both listeners lead to a server that speaks as their clients do. */
async function stages(
  start: StartProxy,
  scope: AsyncDisposableStack,
): Promise<Readonly<Record<"plain" | "secured", Stage>>> {
  const identity = scope.use(new GrpcIdentity());
  const { root, keys } = identity;
  const plain = scope.use(await startEcho());
  const secured = scope.use(await startEcho(grpc.ServerCredentials.createSsl(root, keys)));
  const ports = { plain: plain.port, secured: secured.port };
  const { proxy, listeners } = await startGrpcProxy(start, ports, identity);
  const insecure = grpc.credentials.createInsecure();
  return {
    plain: {
      proxy,
      server: plain,
      connect: () => new Echo(listeners.plain, insecure),
    },
    secured: {
      proxy,
      server: secured,
      connect: () => new Echo(listeners.secured, grpc.credentials.createSsl(root)),
    },
  };
}

function forEachStage(name: string, body: (stage: Stage) => Promise<void>): void {
  forEachProxy(name, async (start, scope) => {
    for (const stage of Object.values(await stages(start, scope))) await body(stage);
  });
}

forEachStage("metadata, large messages and errors pass whole", async ({ connect }) => {
  using echo = connect();
  const large = Buffer.alloc(6_000_000, "0123456789");
  assert((await echo.unary("unary", large)).equals(large));

  const metadata = new grpc.Metadata();
  metadata.add("x-text", "one");
  metadata.add("x-text", "two");
  metadata.add("x-bytes-bin", Buffer.from([0, 1, 0xfe, 0xff]));
  const { head, trailers } = await reflect(echo, metadata);
  for (const seen of [head, trailers]) {
    assert.deepEqual(seen.get("x-text").join(", "), "one, two");
    assert.deepEqual(seen.get("x-bytes-bin"), [Buffer.from([0, 1, 0xfe, 0xff])]);
  }

  const error = await echo
    .unary("fail", Buffer.alloc(1))
    .catch((thrown: grpc.ServiceError) => thrown);
  assert(error instanceof Error);
  assert.equal(error.code, grpc.status.NOT_FOUND);
  assert.equal(error.details, "nothing like it: 100%, süß");
  assert.deepEqual(error.metadata.get("grpc-status-details-bin"), [Buffer.from([0, 1, 0xff])]);
});

forEachStage("calls are given up by either side", async ({ connect, server, proxy }) => {
  using echo = connect();
  const cancelled = new Promise<grpc.ServiceError | null>((resolve) => {
    const call = echo.call<Unary>("never")(Buffer.alloc(1), {}, (error) => resolve(error));
    void server.asked.then(() => call.cancel());
  });
  assert.equal((await cancelled)?.code, grpc.status.CANCELLED);
  const late = await echo
    .unary("never", Buffer.alloc(1), { deadline: Date.now() + 150 })
    .catch((thrown: grpc.ServiceError) => thrown);
  assert(late instanceof Error);
  assert.equal(late.code, grpc.status.DEADLINE_EXCEEDED);
  await server.cancelled;
  for (const cluster of ["plain", "secured"])
    await until(
      async () => (await proxy.stat(`cluster.${cluster}.upstream_rq_active`)) === 0,
      "no call is left",
    );

  // One that is under way.
  const chat = echo.call<() => grpc.ClientDuplexStream<Buffer, Buffer>>("chat")();
  chat.on("error", () => {});
  chat.write(Buffer.from("one"));
  await once(chat, "data");
  const ended = new Promise<grpc.StatusObject>((resolve) => void chat.on("status", resolve));
  chat.cancel();
  const status = await ended;
  assert.equal(status.code, grpc.status.CANCELLED);
});

if (!isOther)
  forEachProxy("streams that are silent hear of a drain at once", async (start, scope) => {
    const { plain } = await stages(start, scope);
    const { proxy } = plain;
    const port = (await proxy.listenerPorts()).get("plain") ?? 0;
    const path = "/test.Echo/Chat";
    const open = async () => {
      const session = await connectHttp2(port);
      const stream = session.request({
        ":method": "POST",
        ":path": path,
        "content-type": "application/grpc",
        te: "trailers",
      });
      stream.on("error", () => {});
      stream.write(grpcFrame("one"));
      await once(stream, "data");
      return { session, stream };
    };
    const finishing = await open();
    const staying = await open();
    using echo = plain.connect();
    const chat = echo.call<() => grpc.ClientDuplexStream<Buffer, Buffer>>("chat")();
    chat.write(Buffer.from("one"));
    await once(chat, "data");

    // Clients that keep their connection alive by pings are answered.
    await new Promise<void>((done) => void staying.session.ping(() => done()));

    const goaways = [finishing, staying].map(({ session }) => once(session, "goaway"));
    await proxy.admin("/drain_listeners?name=plain&time=600&strategy=immediate", "POST");
    await Promise.all(goaways);

    // They go on as before, and finish.
    finishing.stream.write(grpcFrame("two"));
    const [answer] = (await once(finishing.stream, "data")) as [Buffer];
    assert.deepEqual(answer, grpcFrame("two"));
    finishing.stream.end();
    const [trailers] = (await once(finishing.stream, "trailers")) as [Record<string, string>];
    assert.equal(trailers["grpc-status"], "0");
    await once(finishing.session, "close");
    chat.write(Buffer.from("two"));
    await once(chat, "data");
    chat.end();
    const [status] = (await once(chat, "status")) as [grpc.StatusObject];
    assert.equal(status.code, grpc.status.OK);
    // The client is on a connection of its own by now, which is in no drain.
    assert.equal((await echo.unary("unary", Buffer.from("new"))).toString(), "new");

    // What is left is cut at the deadline.
    const closed = once(staying.session, "close");
    const { drains } = JSON.parse(await proxy.admin("/drains")) as {
      drains: readonly { readonly id: number }[];
    };
    assert.equal(drains.length, 1);
    await proxy.admin(`/drains/${drains[0]?.id}/end`, "POST");
    await closed;
  });

async function reflect(
  echo: Echo,
  metadata: grpc.Metadata,
): Promise<{ readonly head: grpc.Metadata; readonly trailers: grpc.Metadata }> {
  type Call = (
    value: Buffer,
    metadata: grpc.Metadata,
    done: (error: grpc.ServiceError | null) => void,
  ) => grpc.ClientUnaryCall;
  const call = echo.call<Call>("reflect")(Buffer.alloc(0), metadata, (error) =>
    assert.equal(error, null),
  );
  const head = once(call, "metadata") as Promise<[grpc.Metadata]>;
  const ended = once(call, "status") as Promise<[grpc.StatusObject]>;
  return { head: (await head)[0], trailers: (await ended)[0].metadata };
}
