/** How connections under TLS end, and what is owed when reading was off: as on plain sockets (`closing.test.ts`). */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import net from "node:net";
import { after, before } from "node:test";
import type tls from "node:tls";
import type { Socket, SocketHandler } from "../../../src/shared/io/reactor.ts";
import { TestAuthority, type TestCertificate } from "../../support/certificates.ts";
import { forEachReactor, type TestReactor } from "../../support/reactors.ts";
import { seededRandom } from "../../support/seeded-random.ts";
import { inScratch, Recorder } from "../../support/recorder.ts";
import { connectSecured, serverTls } from "../../support/tls-peers.ts";
import { identityOf } from "../../support/tls-identities.ts";

let authority: TestAuthority;
let own: TestCertificate;
before(() => {
  authority = new TestAuthority();
  own = authority.issue(["DNS:one.example"]);
});
after(() => authority[Symbol.dispose]());

interface Served {
  readonly socket: Socket;
  readonly recorder: Recorder;
}

interface Pair extends Served {
  readonly client: tls.TLSSocket;
  /** What it runs on. */
  readonly raw: net.Socket;
}

/** A listener that secures each connection; resolves with the port and the next one that is accepted. */
async function listen(
  test: TestReactor,
  hooks: Partial<SocketHandler> = {},
  bufferLimitBytes = 0,
): Promise<{ readonly port: number; readonly accepted: Promise<Served> }> {
  const { reactor } = test;
  const context = reactor.createServerTls(serverTls({ identities: [identityOf(own)] }));
  const { ref } = await test.listenSocket();
  assert(ref.localAddress.kind === "ip");
  const { promise: accepted, resolve } = Promise.withResolvers<Served>();
  reactor.listen(ref, {
    acceptsPerEventMax: 1,
    onAccepted: (descriptor) => {
      const recorder = new Recorder(reactor, hooks);
      const socket = reactor.adopt(descriptor, recorder, { bufferLimitBytes, noDelay: true });
      socket.startTls({ context });
      resolve({ socket, recorder });
    },
    onBatch: () => {},
    onExhausted: () => {},
  });
  return { port: ref.localAddress.port, accepted };
}

async function connectPair(
  test: TestReactor,
  hooks: Partial<SocketHandler> = {},
  bufferLimitBytes = 0,
): Promise<Pair> {
  const { port, accepted } = await listen(test, hooks, bufferLimitBytes);
  const raw = net.connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  await once(raw, "connect");
  const [served, client] = await Promise.all([accepted, connectSecured(port, { socket: raw })]);
  client.on("error", () => {});
  await served.recorder.until(({ events }) => events.includes("connected"));
  return { client, raw, ...served };
}

forEachReactor("after the peer's close_notify the socket stays writable", {}, async (test) => {
  const { client, socket, recorder } = await connectPair(test);
  client.end("question");
  await recorder.until(({ events }) => events.includes("end"));
  assert.equal(recorder.text, "question");
  assert(socket.isOpen);
  socket.write(...inScratch(test.reactor, "answer"));
  socket.shutdownWrite();
  const [answer] = (await once(client, "data")) as [Buffer];
  assert.equal(answer.toString(), "answer");
  await recorder.closed();
  const events = recorder.events.filter((event) => event !== "below");
  assert.deepEqual(events, ["connected", "end", "closed remote"]);
});

forEachReactor("after our close_notify reading goes on", {}, async (test) => {
  const { client, socket, recorder } = await connectPair(test);
  socket.shutdownWrite();
  client.resume();
  await once(client, "end");
  client.end("late");
  await recorder.closed();
  assert.equal(recorder.text, "late");
  const events = recorder.events.filter((event) => event !== "below");
  assert.deepEqual(events, ["connected", "end", "closed remote"]);
});

forEachReactor("a FIN without close_notify is an end too", {}, async (test) => {
  const { client, raw, socket, recorder } = await connectPair(test);
  raw.end();
  await recorder.until(({ events }) => events.includes("end"));
  assert(socket.isOpen);
  socket.close("now");
  await recorder.closed();
  client.destroy();
});

forEachReactor("close('flush') sends the queue first", {}, async (test) => {
  const { client, socket, recorder } = await connectPair(test);
  client.pause();
  const { scratchStart, scratchEnd } = test.reactor.arena;
  let written = 0;
  while (socket.queuedBytes < 1024 * 1024) {
    socket.write(scratchStart, scratchEnd);
    written += scratchEnd - scratchStart;
  }
  socket.close("flush");
  assert(!recorder.isClosed);
  let received = 0;
  client.on("data", (chunk: Buffer) => (received += chunk.length)).resume();
  await once(client, "end");
  assert.equal(received, written);
  await recorder.closed();
  assert.equal(test.reactor.arenaBytesInUse, 0);
});

forEachReactor(
  "what waits for the kernel goes out in order, however it was cut",
  {},
  async (test) => {
    const { client, socket, recorder } = await connectPair(test);
    const { reactor } = test;
    client.pause();
    const sent: Buffer[] = [];
    for (let i = 0; i < 400; i++) {
      const part = randomBytes(1 + ((i * 7919) % 20_000));
      sent.push(part);
      socket.write(...inScratch(reactor, part));
    }
    socket.shutdownWrite();
    const received: Buffer[] = [];
    client.on("data", (chunk: Buffer) => received.push(chunk)).resume();
    await once(client, "end");
    assert(Buffer.concat(received).equals(Buffer.concat(sent)));
    client.end();
    await recorder.closed();
    assert.equal(recorder.events.at(-1), "closed remote");
  },
);

forEachReactor(
  "while reading is off nothing is delivered, and nothing is lost",
  {},
  async (test) => {
    const { client, socket, recorder } = await connectPair(test, {
      onData: () => socket.setReading(false),
    });
    const sent = randomBytes(300_000);
    client.end(sent);
    let turns = 0;
    while (recorder.receivedBytes < sent.length) {
      const before = recorder.receivedBytes;
      await recorder.until(({ receivedBytes }) => receivedBytes > before);
      const held = recorder.receivedBytes;
      await new Promise(setImmediate);
      assert.equal(recorder.receivedBytes, held);
      turns += 1;
      socket.setReading(true);
    }
    assert(turns > 1);
    await recorder.until(({ events }) => events.includes("end"));
    assert(Buffer.concat(recorder.chunks).equals(sent));
    socket.close("now");
    await recorder.closed();
  },
);

forEachReactor("records that come in pieces all arrive, whatever the pieces", {}, async (test) => {
  const { port, accepted } = await listen(test);
  const relay = net.createServer().listen(0, "127.0.0.1");
  await once(relay, "listening");
  const through = once(relay, "connection") as Promise<[net.Socket]>;
  const client = connectSecured((relay.address() as net.AddressInfo).port);
  const [near] = await through;
  const far = net.connect({ port, host: "127.0.0.1", noDelay: true });
  far.pipe(near);
  const pieces: Buffer[] = [];
  near.on("data", (chunk: Buffer) => pieces.push(chunk));
  const random = seededRandom(7);
  const stop = new AbortController();
  const passOn = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      let waiting = Buffer.concat(pieces.splice(0));
      while (waiting.length > 0) {
        const length = Math.ceil(random.next() ** 4 * 20_000);
        far.write(waiting.subarray(0, length));
        waiting = waiting.subarray(length);
        await new Promise(setImmediate);
      }
      await new Promise(setImmediate);
    }
  };
  const passing = passOn();
  const { recorder, socket } = await accepted;
  const sent = randomBytes(600_000);
  (await client).write(sent);
  await recorder.until(({ receivedBytes }) => receivedBytes === sent.length);
  assert(Buffer.concat(recorder.chunks).equals(sent));
  stop.abort();
  await passing;
  socket.close("now");
  await recorder.closed();
  for (const open of [await client, near, far]) open.destroy();
  relay.close();
});

forEachReactor("bytes that TLS holds are told as unread", {}, async (test) => {
  const { client, socket, recorder } = await connectPair(test);
  socket.setReading(false);
  assert.equal(socket.hasUnreadBytes(), false);
  client.write("hello");
  while (!socket.hasUnreadBytes()) await new Promise(setImmediate);
  assert.equal(recorder.receivedBytes, 0);
  socket.setReading(true);
  await recorder.until(({ receivedBytes }) => receivedBytes === 5);
  socket.close("now");
  await recorder.closed();
  client.destroy();
});

forEachReactor("close('reset') resets, close('now') says goodbye", {}, async (test) => {
  const reset = await connectPair(test);
  const code = new Promise((resolve) => {
    reset.client.on("error", (error: NodeJS.ErrnoException) => resolve(error.code));
    reset.client.on("end", () => resolve("end"));
  });
  reset.client.resume();
  reset.socket.close("reset");
  await reset.recorder.closed();
  // Node's TLS has no way to reset.
  assert.equal(await code, test.reactor.kind === "epoll" ? "ECONNRESET" : "end");
  assert.equal(reset.recorder.events.at(-1), "closed local");
  const now = await connectPair(test);
  now.client.resume();
  const ended = once(now.client, "end");
  now.socket.close("now");
  await Promise.all([now.recorder.closed(), ended]);
  assert.equal(now.recorder.events.at(-1), "closed local");
});

forEachReactor("a peer's reset is told as one", {}, async (test) => {
  const { client, raw, recorder } = await connectPair(test);
  client.write("x");
  await recorder.until(({ receivedBytes }) => receivedBytes === 1);
  raw.resetAndDestroy();
  await recorder.closed();
  assert.match(recorder.events.at(-1) ?? "", /^closed reset/);
});

for (const where of ["onConnected", "onData", "onEnd"] as const)
  forEachReactor(`${where} that throws costs its own connection`, {}, async (test) => {
    const bug = new Error("thrown by the test");
    const { port, accepted } = await listen(test, {
      [where]: () => {
        throw bug;
      },
    });
    const [{ recorder }, client] = await Promise.all([accepted, connectSecured(port)]);
    client.on("error", () => {});
    client.end("hello");
    client.resume();
    await recorder.closed();
    assert.equal(recorder.events.at(-1), "closed bug");
    assert.deepEqual(test.bugs.splice(0), [bug]);
    const other = await connectPair(test);
    other.socket.close("now");
    await other.recorder.closed();
    other.client.destroy();
  });

forEachReactor("closed from within each of its own callbacks, it ends once", {}, async (test) => {
  for (const where of ["onConnected", "onData", "onEnd"] as const)
    for (const how of ["now", "flush", "reset"] as const) {
      const { port, accepted } = await listen(test, { [where]: () => closing.socket.close(how) });
      const closingOf = accepted;
      let closing: Awaited<typeof accepted>;
      void closingOf.then((served) => (closing = served));
      const client = await connectSecured(port).catch(() => undefined);
      client?.on("error", () => {});
      client?.end("hello");
      client?.resume();
      const { recorder } = await closingOf;
      await recorder.closed();
      const ends = recorder.events.filter((event) => event.startsWith("closed"));
      assert.deepEqual(ends, ["closed local"], `${where} ${how}`);
    }
});

forEachReactor("used after it was closed, a socket does nothing", {}, async (test) => {
  const { client, socket, recorder } = await connectPair(test);
  const { tlsSession: session } = socket;
  socket.close("now");
  socket.write(...inScratch(test.reactor, "late"));
  socket.shutdownWrite();
  socket.setReading(false);
  socket.setReading(true);
  socket.close("reset");
  socket.startTls({
    context: test.reactor.createServerTls(serverTls({ identities: [identityOf(own)] })),
  });
  assert.equal(socket.hasUnreadBytes(), false);
  await recorder.closed();
  // What logs of the end ask for is there.
  assert.equal(session?.version, "TLSv1.3");
  assert.equal(session.peerChain, undefined);
  assert.equal(typeof session.serverName, "string");
  client.destroy();
});
