/** How sockets end: who did it, what still arrives, and that `onClosed` comes once and last. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import type { SocketAddress } from "../../../src/shared/common/address.ts";
import type { Socket, SocketHandler } from "../../../src/shared/io/reactor.ts";
import { forEachReactor, loopback, type TestReactor } from "../../support/reactors.ts";
import { Recorder, inScratch } from "../../support/recorder.ts";

const options = { bufferLimitBytes: 0, noDelay: true };

interface Pair {
  readonly client: net.Socket;
  readonly socket: Socket;
  readonly recorder: Recorder;
}

/** A Node client connected to a socket of the reactor. */
async function connectPair(
  context: TestReactor,
  hooks: Partial<SocketHandler> = {},
  address: SocketAddress = loopback,
): Promise<Pair> {
  const { reactor } = context;
  const { ref } = await context.listenSocket(address);
  const recorder = new Recorder(reactor, hooks);
  const accepted = new Promise<Socket>((resolve) => {
    reactor.listen(ref, {
      acceptsPerEventMax: 1,
      onAccepted: (descriptor) => resolve(reactor.adopt(descriptor, recorder, options)),
      onBatch: () => {},
      onExhausted: () => {},
    });
  });
  const local = ref.localAddress;
  const client =
    local.kind === "ip"
      ? net.connect({ port: local.port, host: local.ip, allowHalfOpen: true })
      : net.connect({ path: local.path.replace(/^@/, "\0"), allowHalfOpen: true });
  client.on("error", () => {});
  await once(client, "connect");
  return { client, socket: await accepted, recorder };
}

forEachReactor("after the peer's FIN the socket stays writable", {}, async (context) => {
  const { client, socket, recorder } = await connectPair(context);
  client.end("question");
  await recorder.until(({ events }) => events.includes("end"));
  assert.equal(recorder.text, "question");
  assert(socket.isOpen);
  socket.write(...inScratch(context.reactor, "answer"));
  socket.shutdownWrite();
  const [answer] = (await once(client, "data")) as [Buffer];
  assert.equal(answer.toString(), "answer");
  await recorder.closed();
  assert.equal(recorder.events.at(-1), "closed remote");
  assert(!socket.isOpen);
});

forEachReactor("after our FIN reading goes on", {}, async (context) => {
  const { client, socket, recorder } = await connectPair(context);
  socket.shutdownWrite();
  client.resume();
  await once(client, "end");
  client.end("late");
  await recorder.closed();
  assert.equal(recorder.text, "late");
  assert.deepEqual(recorder.events, ["end", "closed remote"]);
});

forEachReactor("close('flush') sends the queue first", {}, async (context) => {
  const { client, socket, recorder } = await connectPair(context);
  client.pause();
  const { scratchStart, scratchEnd } = context.reactor.arena;
  let written = 0;
  while (socket.queuedBytes < 1024 * 1024) {
    socket.write(scratchStart, scratchEnd);
    written += scratchEnd - scratchStart;
  }
  socket.close("flush");
  socket.write(scratchStart, scratchEnd);
  assert(!recorder.isClosed);
  let received = 0;
  client.on("data", (chunk) => (received += chunk.length)).resume();
  await once(client, "end");
  assert.equal(received, written);
  await recorder.closed();
  assert.equal(recorder.events.at(-1), "closed local");
  client.destroy();
});

forEachReactor("close('now') drops the queue", {}, async (context) => {
  const { client, socket, recorder } = await connectPair(context);
  client.pause();
  const { scratchStart, scratchEnd } = context.reactor.arena;
  while (socket.queuedBytes < 1024 * 1024) socket.write(scratchStart, scratchEnd);
  socket.close("now");
  assert.equal(socket.queuedBytes, 0);
  assert(!recorder.isClosed, "onClosed comes later");
  await recorder.closed();
  assert.equal(recorder.events.at(-1), "closed local");
  client.destroy();
});

forEachReactor("close('reset') sends RST", {}, async (context) => {
  const { client, socket, recorder } = await connectPair(context);
  const failed = once(client, "error");
  socket.close("reset");
  const [error] = (await failed) as [NodeJS.ErrnoException];
  assert.equal(error.code, "ECONNRESET");
  await recorder.closed();
  assert.deepEqual(recorder.events, ["closed local"]);
});

forEachReactor("the peer's RST is named", {}, async (context) => {
  const { client, recorder } = await connectPair(context);
  client.resetAndDestroy();
  await recorder.closed();
  assert.deepEqual(recorder.events, ["closed reset ECONNRESET"]);
});

forEachReactor(
  "the peer's RST is seen while reading is off",
  { needs: ["splice"] },
  async (context) => {
    const { client, socket, recorder } = await connectPair(context);
    socket.setReading(false);
    client.write("unread");
    while (!socket.hasUnreadBytes()) await new Promise(setImmediate);
    client.resetAndDestroy();
    await recorder.closed();
    assert.deepEqual(recorder.events, ["closed reset ECONNRESET"]);
    assert.equal(recorder.receivedBytes, 0);
  },
);

forEachReactor(
  "an early answer is delivered though our writing has failed",
  { needs: ["splice"] },
  async (context) => {
    const { client, socket, recorder } = await connectPair(context);
    socket.setReading(false);
    client.write("early answer");
    while (!socket.hasUnreadBytes()) await new Promise(setImmediate);
    socket.setReading(true);
    // Within one turn: the RST is in before the answer was read, and the write runs into it.
    client.resetAndDestroy();
    const { scratchStart } = context.reactor.arena;
    for (let i = 0; i < 3; i++) socket.write(scratchStart, scratchStart + 1);
    await recorder.closed();
    assert.equal(recorder.text, "early answer");
    assert.equal(recorder.events.at(-1)?.startsWith("closed reset"), true);
  },
);

forEachReactor("a refused connection is reported later, by name", {}, async ({ reactor }) => {
  const server = net.createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as net.AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  const recorder = new Recorder(reactor);
  reactor.connect({ kind: "ip", ip: "127.0.0.1", port }, recorder, options);
  assert.deepEqual(recorder.events, []);
  await recorder.closed();
  assert.deepEqual(recorder.events, ["closed connectFailed ECONNREFUSED"]);
});

forEachReactor("a Unix path that nobody listens on is reported later", {}, async ({ reactor }) => {
  const recorder = new Recorder(reactor);
  reactor.connect({ kind: "pipe", path: "/nonexistent/socket", mode: 0 }, recorder, options);
  assert.deepEqual(recorder.events, []);
  await recorder.closed();
  assert.deepEqual(recorder.events, ["closed connectFailed ENOENT"]);
});

forEachReactor("a connection that is still being made may be closed", {}, async ({ reactor }) => {
  for (const how of ["flush", "now", "reset"] as const) {
    const recorder = new Recorder(reactor);
    const address = { kind: "ip", ip: "127.0.0.1", port: 1 } as const;
    const socket = reactor.connect(address, recorder, options);
    socket.write(...inScratch(reactor, "never sent"));
    socket.close(how);
    await recorder.closed();
    assert.deepEqual(recorder.events, ["closed local"], how);
  }
});

forEachReactor("closing inside the socket's own callback is safe", {}, async (context) => {
  const inside: { events: string[] } = { events: [] };
  const { client, recorder } = await connectPair(context, {
    onData: () => {
      inside.events = [...recorder.events];
      for (let i = 0; i < 3; i++) recorderSocket().close("now");
      assert.deepEqual(recorder.events, inside.events, "onClosed must not come inside close()");
    },
  }).then((pair) => {
    recorderSocket = () => pair.socket;
    return pair;
  });
  client.write("x");
  await recorder.closed();
  assert.deepEqual(recorder.events, ["closed local"]);
});
let recorderSocket: () => Socket = () => assert.fail("not connected");

forEachReactor("Unix sockets, by path and abstract", {}, async (context) => {
  const folder = mkdtempSync(path.join(os.tmpdir(), "sluice-io-"));
  try {
    for (const socketPath of [path.join(folder, "s"), `@sluice-test-${folder}`]) {
      const address = { kind: "pipe", path: socketPath, mode: 0 } as const;
      if (socketPath.startsWith("@") && process.platform !== "linux") continue;
      const { client, recorder, socket } = await connectPair(context, {}, address);
      client.write("hello");
      await recorder.until(({ text }) => text === "hello");
      if (context.reactor.kind === "epoll") {
        assert.deepEqual(socket.localAddress, { ...address });
      }
      client.end();
      await recorder.until(({ events }) => events.includes("end"));
      socket.close("flush");
      await recorder.closed();
      const upstream = new Recorder(context.reactor);
      const dialled = context.reactor.connect(address, upstream, options);
      await upstream.until(({ events }) => events.includes("connected"));
      dialled.close("now");
      await upstream.closed();
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

forEachReactor("addresses of both ends", {}, async (context) => {
  for (const ip of ["127.0.0.1", "::1"]) {
    const { client, socket, recorder } = await connectPair(
      context,
      {},
      { kind: "ip", ip, port: 0 },
    );
    assert.deepEqual(socket.remoteAddress, { kind: "ip", ip, port: client.localPort });
    assert.deepEqual(socket.localAddress, { kind: "ip", ip, port: client.remotePort });
    client.destroy();
    await recorder.until(({ events }) => events.length > 0);
  }
});
