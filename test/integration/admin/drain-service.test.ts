import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { after, afterEach, before, suite, test } from "node:test";
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import type { Message } from "@bufbuild/protobuf";
import type { GenMessage } from "@bufbuild/protobuf/codegenv2";
import {
  Client,
  type ClientReadableStream,
  credentials,
  type ServiceError,
  status,
} from "@grpc/grpc-js";
import type {
  ServerReflectionRequest,
  ServerReflectionResponse,
} from "../../../gen/es/grpc/reflection/v1/reflection_pb.d.ts";
import type {
  CancelDrainRequest,
  CancelDrainResponse,
  Drain,
  EndDrainRequest,
  EndDrainResponse,
  ExtendDrainRequest,
  ExtendDrainResponse,
  GetDrainRequest,
  GetDrainResponse,
  ListDrainsRequest,
  ListDrainsResponse,
  StartDrainRequest,
  StartDrainResponse,
  WaitDrainRequest,
  WaitDrainResponse,
  WatchDrainsRequest,
  WatchDrainsResponse,
} from "../../../gen/es/sluice/drain/v1/drain_service_pb.d.ts";
import { drainWatchersMax } from "../../../src/control/admin/drain-feed.ts";
import { createProtoRegistry } from "../../../src/control/proto/proto-registry.ts";
import { ProxyProcess } from "../../support/proxy-process.ts";
import { tcpBootstrap } from "../../support/sluice-program.ts";
import { until } from "../../support/until.ts";

const protos = createProtoRegistry();
const service = "sluice.drain.v1.DrainService";

// Of drain_service.proto.
const states = { draining: 1, complete: 2, forced: 3, cancelled: 5 } as const;
const endedBy = { empty: 1, order: 3 } as const;
const adminCause = 4;
const tcpProtocol = 4;

suite("drain service", () => {
  const open = new AsyncDisposableStack();
  const sockets = new Set<Socket>();
  let proxy: ProxyProcess;
  let port: number;
  let address: string;
  let client: Client;

  before(async () => {
    const echo: Server = createServer((socket) => socket.on("error", () => {}).pipe(socket));
    open.defer(() => void echo.close());
    await once(echo.listen(0, "127.0.0.1"), "listening");
    const flags = ["--admin-grpc-address", "127.0.0.1:0", "--component-log-level", "main:info"];
    proxy = open.use(
      await ProxyProcess.start(tcpBootstrap((echo.address() as AddressInfo).port), flags),
    );
    port = await until(async () => (await proxy.listenerPorts()).get("tcp"), "it listens");
    address = await until(
      () => /admin gRPC address: (127\.0\.0\.1:\d+)/.exec(proxy.log)?.[1],
      "the service is up",
    );
    client = open.adopt(newClient(), (it) => it.close());
  });

  after(() => open.disposeAsync());

  afterEach(async () => {
    for (const socket of sockets) socket.destroy();
    await until(async () => (await proxy.stat("sluice.drain.active")) === 0, "nothing drains");
    await until(async () => (await proxy.stat("sluice.drain.watchers")) === 0, "nobody watches");
  });

  function newClient(): Client {
    // A channel of its own: calls at once on one connection are limited, too.
    const channel = { "grpc.use_local_subchannel_pool": 1 };
    return new Client(address, credentials.createInsecure(), channel);
  }

  async function connected(): Promise<Socket> {
    const socket = connect(port, "127.0.0.1").on("error", () => {});
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.write("ping");
    await once(socket, "data");
    return socket;
  }

  function unary<Request extends Message, Response extends Message>(
    method: string,
    init: MessageInitShape<GenMessage<Request>>,
  ): Promise<Response> {
    const { write, read, request } = wire<Request, Response>(method, init);
    const { promise, resolve, reject } = Promise.withResolvers<Response>();
    client.makeUnaryRequest(`/${service}/${method}`, write, read, request, (error, value) => {
      if (error || !value) reject(error ?? new Error("no answer"));
      else resolve(value);
    });
    return promise;
  }

  function watch(id: bigint, by = client): Watch {
    const { write, read, request } = wire<WatchDrainsRequest, WatchDrainsResponse>("WatchDrains", {
      id,
    });
    return new Watch(by.makeServerStreamRequest(`/${service}/WatchDrains`, write, read, request));
  }

  const list = () => unary<ListDrainsRequest, ListDrainsResponse>("ListDrains", {});
  const get = (init: MessageInitShape<GenMessage<GetDrainRequest>>) =>
    unary<GetDrainRequest, GetDrainResponse>("GetDrain", init);
  const wait = (init: MessageInitShape<GenMessage<WaitDrainRequest>>) =>
    unary<WaitDrainRequest, WaitDrainResponse>("WaitDrain", init);
  const cancel = (id: bigint) =>
    unary<CancelDrainRequest, CancelDrainResponse>("CancelDrain", { id });
  const extend = (init: MessageInitShape<GenMessage<ExtendDrainRequest>>) =>
    unary<ExtendDrainRequest, ExtendDrainResponse>("ExtendDrain", init);
  const end = (id: bigint) => unary<EndDrainRequest, EndDrainResponse>("EndDrain", { id });
  const start = (init: MessageInitShape<GenMessage<StartDrainRequest>>) =>
    unary<StartDrainRequest, StartDrainResponse>("StartDrain", init);

  /** Of the listener, for ten minutes. */
  async function startDrain(): Promise<Drain> {
    const { drain } = await start({
      scope: { case: "listener", value: { name: "tcp" } },
      time: { seconds: 600n },
      strategy: 2,
    });
    assert(drain);
    return drain;
  }

  test("a drain is started, listed, and shown with the connections that remain", async () => {
    const socket = await connected();
    const started = await startDrain();
    assert.equal(started.state, states.draining);
    assert.equal(started.cause, adminCause);
    assert.equal(started.listener?.name, "tcp");
    assert.equal(started.policy?.time?.seconds, 600n);
    assert.equal(started.policy.strategy, 2);
    assert.equal(started.endTime, undefined);
    const lasts = Number((started.deadline?.seconds ?? 0n) - (started.startTime?.seconds ?? 0n));
    assert(lasts >= 599 && lasts <= 601, `${lasts}`);
    await until(
      async () => (await get({ id: started.id })).drain?.connections?.atStart === 1n,
      "the worker has reported",
    );
    const { drain, connections, silentWorkers } = await get({ id: started.id });
    assert.deepEqual(silentWorkers, []);
    assert.deepEqual(
      drain?.byProtocol.map(({ protocol, connections: counts }) => [protocol, counts?.remaining]),
      [[tcpProtocol, 1n]],
    );
    const [connection] = connections;
    assert.equal(connections.length, 1);
    assert.equal(connection?.peerAddress, `127.0.0.1:${socket.localPort}`);
    assert.equal(connection.protocol, tcpProtocol);
    assert.equal(connection.bytesReceived, 4n);
    assert.equal(connection.cluster, "upstream");
    assert((await list()).drains.some(({ id, state }) => id === started.id && state === 1));
  });

  test("WaitDrain answers at the end, or with what drains still when the time is up", async () => {
    const socket = await connected();
    const { id } = await startDrain();
    const early = await wait({ id, timeout: { nanos: 1_000_000 } });
    assert.equal(early.drain?.state, states.draining);
    const waiting = wait({ id });
    await until(async () => (await proxy.stat("sluice.drain.watchers")) === 1, "it waits");
    socket.destroy();
    const { drain } = await waiting;
    assert.equal(drain?.state, states.complete);
    assert.equal(drain.endedBy, endedBy.empty);
    assert.equal(drain.connections?.closedByPeer, 1n);
    assert(drain.endTime);
    // Of one that has ended: at once.
    assert.equal((await wait({ id })).drain?.state, states.complete);
  });

  test("the deadline is moved, the drain is ended by order, and what remained is cut", async () => {
    const socket = await connected();
    const { id, deadline } = await startDrain();
    const by = await extend({ id, extension: { case: "by", value: { seconds: 60n } } });
    assert.equal(by.drain?.deadline?.seconds, (deadline?.seconds ?? 0n) + 60n);
    const seconds = (deadline?.seconds ?? 0n) + 120n;
    const until_ = await extend({ id, extension: { case: "until", value: { seconds } } });
    const moved = Number((until_.drain?.deadline?.seconds ?? 0n) - seconds);
    assert(Math.abs(moved) <= 1, `${moved}`);
    const closed = once(socket, "close");
    const { drain } = await end(id);
    assert.equal(drain?.state, states.forced);
    assert.equal(drain.endedBy, endedBy.order);
    assert.equal(drain.connections?.forced, 1n);
    await closed;
    await refuses(end(id), status.FAILED_PRECONDITION, /ended already/);
    await refuses(cancel(id), status.FAILED_PRECONDITION, /ended already/);
  });

  test("a drain is taken back, and its connections live on", async () => {
    const socket = await connected();
    const { drain: started } = await start({
      scope: { case: "listener", value: { name: "tcp", percent: 100 } },
      strategy: 1,
    });
    assert.equal(started?.percent, 100);
    const { drain, note } = await cancel(started.id);
    assert.equal(drain?.state, states.cancelled);
    assert.equal(typeof note, "string");
    socket.write("ping");
    await once(socket, "data");
  });

  test("WatchDrains of one drain tells each change and ends with it", async () => {
    const [first, second] = [await connected(), await connected()];
    const { id } = await startDrain();
    const watching = watch(id);
    await until(() => watching.remaining(id) === 2n, "both are counted");
    first.destroy();
    await until(() => watching.remaining(id) === 1n, "one has gone");
    second.destroy();
    await watching.ended;
    assert.deepEqual(
      watching.latest?.drains.map(({ state }) => state),
      [states.complete],
    );
    const late = watch(id);
    await late.ended;
    assert.deepEqual(
      late.latest?.drains.map(({ id: of, state }) => [of, state]),
      [[id, states.complete]],
    );
  });

  test("WatchDrains of all goes on, and tells an end once", async () => {
    const socket = await connected();
    const watching = watch(0n);
    await until(() => watching.latest !== undefined, "what there is at first");
    const { id } = await startDrain();
    await until(() => watching.remaining(id) === 1n, "it is told");
    socket.destroy();
    await until(() => watching.latest?.drains[0]?.state === states.complete, "it has ended");
    const other = await connected();
    const next = await startDrain();
    await until(() => watching.remaining(next.id) === 1n, "the next one");
    assert.deepEqual(
      watching.latest?.drains.map((drain) => drain.id),
      [next.id],
    );
    other.destroy();
    watching.stream.cancel();
  });

  test("so many watch at once, over both doors together", async () => {
    await connected();
    const { id } = await startDrain();
    const clients = Array.from({ length: drainWatchersMax / 16 }, () => newClient());
    using _closed = { [Symbol.dispose]: () => clients.forEach((each) => each.close()) };
    const all = clients.flatMap((each) => Array.from({ length: 16 }, () => watch(0n, each)));
    await until(() => all.every(({ latest }) => latest), "every one of them is told");
    const late = watch(0n);
    await refuses(late.ended, status.RESOURCE_EXHAUSTED, /64 clients are watching/);
    await refuses(wait({ id }), status.RESOURCE_EXHAUSTED, /64 clients are watching/);
    await assert.rejects(proxy.admin("/drains?watch"), /503 64 clients are watching/);
    for (const { stream } of all) stream.cancel();
  });

  test("what cannot be is refused by its code and a sentence, and changes nothing", async () => {
    const before = await proxy.stat("sluice.drain.started");
    // Of a client whose protos know more.
    const newer: number = 9;
    const ofTcp = { case: "listener", value: { name: "tcp" } } as const;
    await refuses(start({}), status.INVALID_ARGUMENT, /say what is to drain/);
    await refuses(
      start({ scope: { case: "listener", value: { name: "nobody" } } }),
      status.NOT_FOUND,
      /no active listener 'nobody'/,
    );
    await refuses(
      start({ scope: { case: "listener", value: { name: "tcp", filterChain: "x" } } }),
      status.NOT_FOUND,
      /no filter chain 'x'/,
    );
    await refuses(
      start({ scope: { case: "listener", value: { name: "tcp", percent: 0 } } }),
      status.INVALID_ARGUMENT,
      /percent must be/,
    );
    await refuses(start({ scope: ofTcp, strategy: newer }), status.INVALID_ARGUMENT, /strategy 9/);
    await refuses(
      start({ scope: { case: "server", value: { accepting: newer } } }),
      status.INVALID_ARGUMENT,
      /accepting 9/,
    );
    await refuses(
      start({ scope: ofTcp, time: { seconds: -1n } }),
      status.INVALID_ARGUMENT,
      /time must be/,
    );
    for (const order of [get({ id: 999n }), cancel(999n), end(999n), wait({ id: 999n })])
      await refuses(order, status.NOT_FOUND, /no drain 999/);
    await refuses(watch(2n ** 64n - 1n).ended, status.NOT_FOUND, /no drain/);
    await refuses(extend({ id: 1n }), status.INVALID_ARGUMENT, /by how much, or until when/);
    await refuses(
      wait({ id: 1n, timeout: { seconds: 3601n } }),
      status.INVALID_ARGUMENT,
      /timeout must be/,
    );
    assert.equal(await proxy.stat("sluice.drain.started"), before);
  });

  test("bytes that are no message are the client's fault", async () => {
    const { promise, resolve } = Promise.withResolvers<ServiceError | null>();
    const same = (bytes: Buffer): Buffer => bytes;
    const path = `/${service}/GetDrain`;
    client.makeUnaryRequest(path, same, same, Buffer.of(0xff), (error) => resolve(error));
    assert.equal((await promise)?.code, status.INVALID_ARGUMENT);
  });

  test("reflection lists it beside the client status service", async () => {
    const requestSchema = protos.schema<ServerReflectionRequest>(
      "grpc.reflection.v1.ServerReflectionRequest",
    );
    const responseSchema = protos.schema<ServerReflectionResponse>(
      "grpc.reflection.v1.ServerReflectionResponse",
    );
    const stream = client.makeBidiStreamRequest(
      "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
      (message: ServerReflectionRequest) => Buffer.from(toBinary(requestSchema, message)),
      (bytes: Buffer) => fromBinary(responseSchema, bytes),
    );
    for (const messageRequest of [
      { case: "listServices", value: "" } as const,
      { case: "fileContainingSymbol", value: `${service}.StartDrain` } as const,
    ])
      stream.write(create(requestSchema, { messageRequest }));
    stream.end();
    const answers: ServerReflectionResponse["messageResponse"][] = [];
    for await (const answer of stream)
      answers.push((answer as ServerReflectionResponse).messageResponse);
    const [services, file] = answers;
    assert(services?.case === "listServicesResponse");
    const names = services.value.service.map(({ name }) => name);
    assert(names.includes(service));
    assert(names.includes("envoy.service.status.v3.ClientStatusDiscoveryService"));
    assert(file?.case === "fileDescriptorResponse");
  });
});

class Watch {
  readonly stream: ClientReadableStream<WatchDrainsResponse>;
  /** Rejects with the status of a call that is refused. */
  readonly ended: Promise<void>;
  latest: WatchDrainsResponse | undefined;

  constructor(stream: ClientReadableStream<WatchDrainsResponse>) {
    this.stream = stream;
    stream.on("data", (message: WatchDrainsResponse) => (this.latest = message));
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    stream.on("end", resolve);
    stream.on("error", reject);
    // A test that cancels its stream does not look at its end.
    promise.catch(() => {});
    this.ended = promise;
  }

  remaining(id: bigint): bigint | undefined {
    return this.latest?.drains.find((drain) => drain.id === id)?.connections?.remaining;
  }
}

function wire<Request extends Message, Response extends Message>(
  method: string,
  init: MessageInitShape<GenMessage<Request>>,
) {
  const requestSchema = protos.schema<Request>(`sluice.drain.v1.${method}Request`);
  const responseSchema = protos.schema<Response>(`sluice.drain.v1.${method}Response`);
  return {
    request: create(requestSchema, init) as Request,
    write: (message: Request) => Buffer.from(toBinary(requestSchema, message)),
    read: (bytes: Buffer) => fromBinary(responseSchema, bytes) as Response,
  };
}

async function refuses(call: Promise<unknown>, code: status, details: RegExp): Promise<void> {
  await assert.rejects(call, (error: ServiceError) => {
    assert.equal(status[error.code], status[code], error.details);
    assert.match(error.details, details);
    return true;
  });
}
