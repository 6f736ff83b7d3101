/** Bytes: exact in both directions, bounded in memory, in order, whatever the pace of the other side. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import net from "node:net";
import type { Reactor, Socket, SocketOptions } from "../../../src/shared/io/reactor.ts";
import { forEachReactor, type TestReactor } from "../../support/reactors.ts";
import { Recorder, inScratch } from "../../support/recorder.ts";

const unlimited: SocketOptions = { bufferLimitBytes: 0, noDelay: true };

/** Noise that compresses to no pattern, so that a block out of order shows. */
function noise(bytes: number, seed = 1): Buffer {
  const buffer = Buffer.alloc(bytes);
  let state = seed;
  for (let i = 0; i < bytes; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    buffer[i] = state >>> 24;
  }
  return buffer;
}

const sha = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/** A server on the reactor whose one connection is given to `onSocket`; the client's socket. */
async function connectClient(
  context: TestReactor,
  accept: (descriptor: number) => void,
): Promise<net.Socket> {
  const { ref } = await context.listenSocket();
  context.reactor.listen(ref, {
    acceptsPerEventMax: 16,
    onAccepted: accept,
    onBatch: () => {},
    onExhausted: () => assert.fail("out of descriptors"),
  });
  assert(ref.localAddress.kind === "ip");
  const client = net.connect({
    port: ref.localAddress.port,
    host: ref.localAddress.ip,
    allowHalfOpen: true,
  });
  await once(client, "connect");
  return client;
}

/** Echoes with back-pressure: above the high watermark nothing more is read. */
function echo(reactor: Reactor, descriptor: number, options: SocketOptions): EchoState {
  const state: EchoState = { queuedBytesMax: 0, recorder: new Recorder(reactor) };
  const recorder = new Recorder(reactor, {
    onData: (start, end) => {
      socket.write(start, end);
      state.queuedBytesMax = Math.max(state.queuedBytesMax, socket.queuedBytes);
    },
    onEnd: () => socket.shutdownWrite(),
    onAboveHighWatermark: () => socket.setReading(false),
    onBelowLowWatermark: () => socket.setReading(true),
  }).countOnly();
  state.recorder = recorder;
  const socket: Socket = reactor.adopt(descriptor, recorder, options);
  return state;
}

interface EchoState {
  queuedBytesMax: number;
  recorder: Recorder;
}

forEachReactor("an echo returns every byte and both FINs", {}, async (context) => {
  let state: EchoState | undefined;
  const client = await connectClient(context, (descriptor) => {
    state = echo(context.reactor, descriptor, { bufferLimitBytes: 1 << 20, noDelay: true });
  });
  const sent = noise(20 * 1024 * 1024);
  const received: Buffer[] = [];
  client.on("data", (chunk) => received.push(chunk));
  client.end(sent);
  await once(client, "end");
  assert.equal(sha(Buffer.concat(received)), sha(sent));
  await state?.recorder.closed();
  assert.deepEqual(state?.recorder.events.at(-1), "closed remote");
});

forEachReactor("a reader that stops is met by bounded memory", {}, async (context) => {
  const limit = 256 * 1024;
  let state: EchoState | undefined;
  const client = await connectClient(context, (descriptor) => {
    state = echo(context.reactor, descriptor, { bufferLimitBytes: limit, noDelay: true });
  });
  const sent = noise(24 * 1024 * 1024, 2);
  client.pause();
  client.end(sent);
  // Nobody reads: everything fills up until the echo has stopped reading too.
  await new Promise<void>((resolve) => {
    const look = (): void => {
      if (state?.recorder.events.includes("above")) resolve();
      else setImmediate(look);
    };
    look();
  });
  const received: Buffer[] = [];
  client.on("data", (chunk) => received.push(chunk));
  client.resume();
  await once(client, "end");
  assert.equal(sha(Buffer.concat(received)), sha(sent));
  assert(state);
  // One read may come on top of the limit.
  assert(state.queuedBytesMax <= limit + 64 * 1024, `${state.queuedBytesMax} bytes were queued`);
  assert(state.recorder.events.includes("below"));
});

forEachReactor("writes before the connection are sent in order after it", {}, async (context) => {
  const { reactor } = context;
  const server = net.createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as net.AddressInfo;
  const accepted = once(server, "connection");
  const recorder = new Recorder(reactor);
  const address = { kind: "ip", ip: "127.0.0.1", port } as const;
  const socket = reactor.connect(address, recorder, unlimited);
  socket.write(...inScratch(reactor, "one "));
  socket.write(...inScratch(reactor, "two"));
  assert.equal(socket.queuedBytes, 7);
  socket.shutdownWrite();
  const [peer] = (await accepted) as [net.Socket];
  let text = "";
  peer.on("data", (chunk) => (text += chunk.toString()));
  await once(peer, "end");
  assert.equal(text, "one two");
  await recorder.closed();
  assert.deepEqual(recorder.events.slice(0, 2), ["connected", "below"]);
  assert.equal(socket.queuedBytes, 0);
  assert.deepEqual(socket.remoteAddress, address);
  server.close();
});

forEachReactor(
  "nothing is delivered while reading is off, all of it after",
  {},
  async (context) => {
    const { reactor } = context;
    const bytes = noise(1024 * 1024, 3);
    let socket: Socket | undefined;
    const recorder = new Recorder(reactor, {
      onData: () => {
        // Off after every piece; on again in a later turn.
        socket?.setReading(false);
        const seen = recorder.receivedBytes;
        setImmediate(() => {
          assert.equal(recorder.receivedBytes, seen, "delivered while off");
          socket?.setReading(true);
        });
      },
    });
    const client = await connectClient(context, (descriptor) => {
      socket = reactor.adopt(descriptor, recorder, unlimited);
    });
    client.end(bytes);
    await recorder.until(({ events }) => events.includes("end"));
    assert.equal(sha(Buffer.concat(recorder.chunks)), sha(bytes));
    socket?.close("now");
    await recorder.closed();
  },
);

forEachReactor("a handler may change the read window and write from it", {}, async (context) => {
  const { reactor } = context;
  const recorder: Recorder = new Recorder(reactor, {
    onData: (start, end) => {
      // In place, with a prefix in the headroom and a suffix in the tailroom: one write.
      reactor.arena.buffer.write("<", start - 1, "latin1");
      reactor.arena.buffer.write(">", end, "latin1");
      socket.write(start - 1, end + 1);
    },
  });
  let socket: Socket;
  const client = await connectClient(context, (descriptor) => {
    socket = reactor.adopt(descriptor, recorder, unlimited);
  });
  client.write("hello");
  const [answer] = (await once(client, "data")) as [Buffer];
  assert.equal(answer.toString(), "<hello>");
  client.destroy();
  await recorder.until(({ events }) => events.includes("end"));
});
