/** `pipeTo`: two sockets joined; every byte, both FINs, back-pressure, and ends that are no FIN. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import net from "node:net";
import type { Reactor, Socket } from "../../../src/shared/io/reactor.ts";
import { forEachReactor, type TestReactor } from "../../support/reactors.ts";
import { Recorder } from "../../support/recorder.ts";

const options = { bufferLimitBytes: 0, noDelay: true };

interface Relay {
  readonly client: net.Socket;
  readonly upstream: net.Socket;
  readonly down: Recorder;
  readonly up: Recorder;
  readonly downSocket: Socket;
  readonly upSocket: Socket;
}

/** client → reactor → upstream; piped once both are connected, `greeting` having been read before. */
async function startRelay(context: TestReactor, greeting = ""): Promise<Relay> {
  const { reactor } = context;
  const server = net.createServer({ allowHalfOpen: true });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address() as net.AddressInfo;
  const upstreamAccepted = once(server, "connection") as Promise<[net.Socket]>;
  const { ref } = await context.listenSocket();
  const sockets = new Promise<Omit<Relay, "client" | "upstream">>((resolve) => {
    const up = new Recorder(reactor);
    const down: Recorder = new Recorder(reactor, {
      // What came before the upstream was there is queued on it.
      onData: (start, end) => {
        upSocket.write(start, end);
        if (down.receivedBytes < greeting.length) return;
        downSocket.pipeTo(upSocket);
        resolve({ up, down, upSocket, downSocket });
      },
    });
    let downSocket: Socket;
    let upSocket: Socket;
    reactor.listen(ref, {
      acceptsPerEventMax: 1,
      onAccepted: (descriptor) => {
        downSocket = reactor.adopt(descriptor, down, options);
        const to = { kind: "ip", ip: "127.0.0.1", port: address.port } as const;
        upSocket = reactor.connect(to, up, options);
        if (greeting !== "") return;
        downSocket.pipeTo(upSocket);
        resolve({ up, down, upSocket, downSocket });
      },
      onBatch: () => {},
      onExhausted: () => {},
    });
  });
  assert(ref.localAddress.kind === "ip");
  const client = net.connect({
    port: ref.localAddress.port,
    allowHalfOpen: true,
    host: "127.0.0.1",
  });
  client.on("error", () => {});
  if (greeting !== "") client.write(greeting);
  const joined = await sockets;
  const [upstream] = await upstreamAccepted;
  upstream.on("error", () => {});
  server.close();
  return { client, upstream, ...joined };
}

/** Sends pseudo-random bytes at the pace of the receiver, then FIN; their hash. */
async function send(socket: net.Socket, bytes: number): Promise<string> {
  const hash = createHash("sha256");
  let left = bytes;
  let seed = bytes;
  while (left > 0) {
    const chunk = Buffer.alloc(Math.min(left, 100_003));
    for (let i = 0; i < chunk.length; i++)
      chunk[i] = (seed = (seed * 1_103_515_245 + 12_345) | 0) >> 16;
    hash.update(chunk);
    left -= chunk.length;
    if (!socket.write(chunk)) await once(socket, "drain");
  }
  socket.end();
  return hash.digest("hex");
}

async function receive(socket: net.Socket): Promise<{ hash: string; bytes: number }> {
  const hash = createHash("sha256");
  let bytes = 0;
  socket.on("data", (chunk) => {
    hash.update(chunk);
    bytes += chunk.length;
  });
  await once(socket, "end");
  return { hash: hash.digest("hex"), bytes };
}

forEachReactor("both directions at once, to the last byte and FIN", {}, async (context) => {
  const relay = await startRelay(context);
  const [sentUp, sentDown, atUpstream, atClient] = await Promise.all([
    send(relay.client, 9_000_001),
    send(relay.upstream, 5_000_003),
    receive(relay.upstream),
    receive(relay.client),
  ]);
  assert.deepEqual(atUpstream, { hash: sentUp, bytes: 9_000_001 });
  assert.deepEqual(atClient, { hash: sentDown, bytes: 5_000_003 });
  await Promise.all([relay.down.closed(), relay.up.closed()]);
  for (const recorder of [relay.down, relay.up]) {
    assert.equal(recorder.events.at(-1), "closed remote");
    assert.equal(recorder.receivedBytes, 0, "no bytes in user space");
  }
  assert.deepEqual([relay.down.splicedIn, relay.down.splicedOut], [9_000_001, 5_000_003]);
  assert.deepEqual([relay.up.splicedIn, relay.up.splicedOut], [5_000_003, 9_000_001]);
});

forEachReactor("what was read before goes first", {}, async (context) => {
  const relay = await startRelay(context, "hello, ");
  relay.client.end("world");
  let text = "";
  relay.upstream.on("data", (chunk) => (text += chunk.toString()));
  await once(relay.upstream, "end");
  assert.equal(text, "hello, world");
  relay.upstream.end();
  await Promise.all([relay.down.closed(), relay.up.closed()]);
});

forEachReactor("half-close: an answer after the question's FIN", {}, async (context) => {
  const relay = await startRelay(context);
  relay.client.end("question");
  relay.upstream.resume();
  await once(relay.upstream, "end");
  assert(!relay.down.isClosed);
  relay.upstream.end("answer");
  const [answer] = (await once(relay.client, "data")) as [Buffer];
  assert.equal(answer.toString(), "answer");
  await Promise.all([relay.down.closed(), relay.up.closed()]);
});

forEachReactor("a receiver that stops stops the sender", {}, async (context) => {
  const relay = await startRelay(context);
  relay.client.pause();
  const total = 64 * 1024 * 1024;
  const sending = send(relay.upstream, total);
  // Until the sender's own queue has not moved for some turns of the loop.
  let still = 0;
  for (let before = -1; still < 200; before = relay.up.splicedIn) {
    still = before === relay.up.splicedIn && relay.up.splicedIn > 0 ? still + 1 : 0;
    await new Promise(setImmediate);
  }
  const [received, hash] = await Promise.all([receive(relay.client.resume()), sending]);
  assert.deepEqual(received, { hash, bytes: total });
  relay.client.end();
  await Promise.all([relay.down.closed(), relay.up.closed()]);
});

forEachReactor(
  "a relay is left and joined again, any number of times, and not a byte is lost",
  { needs: ["descriptorPassing"] },
  async ({ reactor, ...context }) => {
    const relay = await startRelay({ reactor, ...context });
    let { downSocket, upSocket, down, up } = relay;
    const moves = (async () => {
      for (let count = 0; ; count++) {
        await new Promise(setImmediate);
        if (down.splicedIn === 9_000_001 || down.isClosed || up.isClosed) return count;
        const pair = await leave(reactor, [downSocket, upSocket], true);
        if (!pair) return count;
        await Promise.all([down.closed(), up.closed()]);
        down = new Recorder(reactor);
        up = new Recorder(reactor);
        downSocket = reactor.adopt(pair[0], down, options);
        upSocket = reactor.adopt(pair[1], up, options);
        downSocket.pipeTo(upSocket);
      }
    })();
    const [sentUp, sentDown, atUpstream, atClient] = await Promise.all([
      send(relay.client, 9_000_001),
      send(relay.upstream, 5_000_003),
      receive(relay.upstream),
      receive(relay.client),
    ]);
    assert.deepEqual(atUpstream, { hash: sentUp, bytes: 9_000_001 });
    assert.deepEqual(atClient, { hash: sentDown, bytes: 5_000_003 });
    const moved = await moves;
    assert(moved >= 2, `it has moved in the middle: ${moved}`);
    await Promise.all([down.closed(), up.closed()]);
  },
);

forEachReactor(
  "whoever does not read is waited for, and the other direction goes on meanwhile",
  { needs: ["descriptorPassing"] },
  async ({ reactor, ...context }) => {
    const relay = await startRelay({ reactor, ...context });
    relay.client.pause();
    const sending = send(relay.upstream, 32 * 1024 * 1024);
    let still = 0;
    for (let before = -1; still < 50; before = relay.up.splicedIn) {
      still = before === relay.up.splicedIn && before > 0 ? still + 1 : 0;
      await new Promise(setImmediate);
    }
    const left = leave(reactor, [relay.downSocket, relay.upSocket], false);
    assert.equal(relay.downSocket.detachWith(relay.upSocket), undefined);
    relay.client.write("x".repeat(300_000));
    await relay.down.until((recorder) => recorder.splicedIn === 300_000);
    relay.client.resume();
    const pair = await left;
    assert(pair, "it is left once the client has read");
    await Promise.all([relay.down.closed(), relay.up.closed()]);
    for (const fd of pair) reactor.discard(fd);
    relay.client.destroy();
    relay.upstream.destroy();
    await Promise.race([sending, once(relay.upstream, "close")]);
  },
);

/** Undefined: it has ended, or is ending. */
function leave(
  reactor: Reactor,
  [down, up]: readonly [Socket, Socket],
  holds: boolean,
): Promise<readonly [number, number] | undefined> {
  return new Promise((resolve) => {
    const onEmpty = (): void =>
      reactor.atRoundEnd(() => {
        const pair = down.detachWith(up);
        if (!pair) down.leaveRelay(undefined);
        resolve(pair);
      });
    down.leaveRelay({ holds, onEmpty });
  });
}

forEachReactor("a reset on one side leaves the other to its owner", {}, async (context) => {
  const relay = await startRelay(context);
  relay.client.write("x");
  await relay.up.until((recorder) => recorder.splicedOut === 1);
  relay.client.resetAndDestroy();
  await relay.down.closed();
  assert.equal(relay.down.events.at(-1), "closed reset ECONNRESET");
  assert(relay.upSocket.isOpen);
  relay.upSocket.close("flush");
  await relay.up.closed();
  relay.upstream.destroy();
});

forEachReactor("an owner may close either side at any time", {}, async (context) => {
  for (const how of ["now", "flush", "reset"] as const) {
    const relay = await startRelay(context);
    relay.client.write("x");
    await relay.up.until((recorder) => recorder.splicedOut === 1);
    relay.upSocket.close(how);
    relay.downSocket.close(how);
    await Promise.all([relay.down.closed(), relay.up.closed()]);
    assert.equal(relay.up.events.at(-1), "closed local");
    relay.client.destroy();
    relay.upstream.destroy();
  }
});

forEachReactor(
  "close('flush') sends what is in the pipe",
  { needs: ["splice"] },
  async (context) => {
    const relay = await startRelay(context);
    relay.client.pause();
    relay.upstream.write(Buffer.alloc(32 * 1024 * 1024));
    // The client's window and the pipe are full when no more is read from the upstream.
    let still = 0;
    for (let before = -1; still < 50; before = relay.up.splicedIn) {
      still = before === relay.up.splicedIn && before > 0 ? still + 1 : 0;
      await new Promise(setImmediate);
    }
    const read = relay.up.splicedIn;
    assert(relay.down.splicedOut < read, "nothing is in the pipe");
    relay.downSocket.close("flush");
    const received = await receive(relay.client.resume());
    assert.equal(received.bytes, read);
    await relay.down.closed();
    relay.upSocket.close("now");
    relay.upstream.destroy();
    relay.client.destroy();
  },
);

forEachReactor("idle relays hold no pipes", { needs: ["splice"] }, async (context) => {
  const before = await startRelay(context);
  before.client.write("x");
  await before.up.until((recorder) => recorder.splicedOut === 1);
  const pipes = (): number => readdirSync("/proc/self/fd").length;
  const descriptors = pipes();
  const relays: Relay[] = [];
  for (let i = 0; i < 20; i++) {
    const relay = await startRelay(context);
    relay.client.write("x");
    await relay.up.until((recorder) => recorder.splicedOut === 1);
    relays.push(relay);
  }
  // Five a relay: client, two of the reactor, upstream, and the listening socket of the reactor.
  assert.equal(pipes() - descriptors, 20 * 5);
  for (const { client, upstream } of [before, ...relays]) {
    client.destroy();
    upstream.destroy();
  }
});
