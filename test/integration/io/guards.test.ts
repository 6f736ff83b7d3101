/** What a bug above may do to the reactor: nothing but lose its own connection. */
import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import type { Socket, SocketHandler } from "../../../src/shared/io/reactor.ts";
import { TimerSlot } from "../../../src/shared/io/timer-wheel.ts";
import { forEachReactor, type TestReactor } from "../../support/reactors.ts";
import { Recorder, inScratch } from "../../support/recorder.ts";

const options = { bufferLimitBytes: 1024, noDelay: true };

interface Connected {
  readonly client: net.Socket;
  readonly socket: Socket;
  readonly recorder: Recorder;
}

/** Connects clients one by one to a listener whose sockets get `hooks`. */
async function startServer(
  { reactor, ...context }: TestReactor,
  hooks: (socket: () => Socket) => Partial<SocketHandler>,
): Promise<() => Promise<Connected>> {
  const { ref } = await context.listenSocket();
  let accepted: (connected: Omit<Connected, "client">) => void = () => {};
  reactor.listen(ref, {
    acceptsPerEventMax: 1,
    onAccepted: (descriptor) => {
      const recorder: Recorder = new Recorder(
        reactor,
        hooks(() => socket),
      );
      const socket = reactor.adopt(descriptor, recorder, options);
      accepted({ socket, recorder });
    },
    onBatch: () => {},
    onExhausted: () => {},
  });
  return async () => {
    const pending = new Promise<Omit<Connected, "client">>((resolve) => (accepted = resolve));
    assert(ref.localAddress.kind === "ip");
    const client = net.connect({ port: ref.localAddress.port, host: "127.0.0.1" });
    client.on("error", () => {});
    return { client, ...(await pending) };
  };
}

const onPurpose = (): never => {
  throw new Error("on purpose");
};

forEachReactor("a handler that throws loses its own connection only", {}, async (context) => {
  const connect = await startServer(context, (socket) => ({
    onData: (start, end) => {
      if (context.reactor.arena.bytes[start] === "!".charCodeAt(0)) onPurpose();
      socket().write(start, end);
    },
  }));
  const good = await connect();
  const bad = await connect();
  const failed = new Promise((resolve) => bad.client.once("close", resolve));
  bad.client.write("!");
  await bad.recorder.closed();
  await failed;
  assert.deepEqual(bad.recorder.events, ["closed bug"]);
  good.client.write("ok");
  const [echoed] = (await once(good.client, "data")) as [Buffer];
  assert.equal(echoed.toString(), "ok");
  assert.match(String(context.bugs.splice(0)), /on purpose/);
  good.client.destroy();
});

forEachReactor("a throw in every other callback is caught too", {}, async (context) => {
  const { reactor, bugs } = context;
  const connect = await startServer(context, () => ({
    onEnd: onPurpose,
    onAboveHighWatermark: onPurpose,
    onClosed: onPurpose,
  }));
  const atEnd = await connect();
  atEnd.client.end();
  await atEnd.recorder.closed();
  assert.deepEqual(atEnd.recorder.events, ["end", "closed bug"]);
  assert.equal(bugs.splice(0).length, 2);

  const above = await connect();
  above.client.pause();
  while (above.socket.isOpen) {
    above.socket.write(reactor.arena.scratchStart, reactor.arena.scratchEnd);
  }
  await above.recorder.closed();
  assert.deepEqual(above.recorder.events, ["above", "closed bug"]);
  assert.equal(bugs.splice(0).length, 2);

  let tasks = 0;
  reactor.atRoundEnd(onPurpose);
  reactor.atRoundEnd(() => (tasks += 1));
  while (tasks === 0) await new Promise(setImmediate);
  assert.equal(bugs.splice(0).length, 1);

  await new Promise<void>((resolve) => {
    reactor.timers.arm(new TimerSlot({ onTimer: onPurpose }), 0);
    reactor.timers.arm(new TimerSlot({ onTimer: resolve }), 0);
  });
  assert.equal(bugs.splice(0).length, 1);
});

forEachReactor("an accept handler that throws does not stop accepting", {}, async (context) => {
  const { reactor, bugs } = context;
  const { ref } = await context.listenSocket();
  let count = 0;
  reactor.listen(ref, {
    acceptsPerEventMax: 1,
    onAccepted: (descriptor) => {
      reactor.discard(descriptor);
      count += 1;
      if (count === 1) onPurpose();
    },
    onBatch: () => {},
    onExhausted: () => {},
  });
  assert(ref.localAddress.kind === "ip");
  for (let i = 0; i < 2; i++) {
    const client = net.connect({ port: ref.localAddress.port, host: "127.0.0.1" });
    client.on("error", () => {}).resume();
    await once(client, "close");
  }
  assert.equal(count, 2);
  assert.equal(bugs.splice(0).length, 1);
});

forEachReactor("a range outside the windows is refused at the door", {}, async (context) => {
  const connect = await startServer(context, () => ({}));
  const { client, socket } = await connect();
  const size = context.reactor.arena.bytes.length;
  for (const [start, end] of [
    [-1, 10],
    [0, size + 1],
    [10, 9],
    [size, size + 4096],
    [Number.NaN, 10],
    [0, Number.NaN],
    [0.5, 10],
    [0, 2 ** 40],
    [-(2 ** 31), -(2 ** 31) + 1],
  ] as const) {
    assert.throws(() => socket.write(start, end), RangeError, `[${start}, ${end})`);
  }
  assert(socket.isOpen);
  socket.write(size - 2, size);
  await once(client, "data");
  client.destroy();
});

forEachReactor("everything on a closed socket is a no-op", {}, async (context) => {
  const { reactor } = context;
  const connect = await startServer(context, () => ({}));
  const use = ({ socket }: Connected): void => {
    socket.write(...inScratch(reactor, "late"));
    socket.setReading(false);
    socket.setReading(true);
    socket.shutdownWrite();
    socket.close("flush");
    socket.close("now");
    socket.close("reset");
    assert.equal(socket.hasUnreadBytes(), false);
    assert.equal(socket.queuedBytes, 0);
    assert.equal(socket.isOpen, false);
  };
  const first = await connect();
  first.socket.close("now");
  use(first);
  await first.recorder.closed();
  // Another connection may have the number by now: it must not be touched.
  const second = await connect();
  use(first);
  second.client.write("still here");
  await second.recorder.until(({ text }) => text === "still here");
  assert.deepEqual(first.recorder.events, ["closed local"]);
  first.client.destroy();
  second.client.destroy();
});

forEachReactor(
  "at the cap of the arena a socket is closed, then new ones are refused",
  { arenaBytesMax: 1024 * 1024 },
  async (context) => {
    const { reactor, arenaFull } = context;
    const connect = await startServer(context, () => ({}));
    const first = await connect();
    first.client.pause();
    while (first.socket.isOpen)
      first.socket.write(reactor.arena.scratchStart, reactor.arena.scratchEnd);
    await first.recorder.closed();
    assert.equal(first.recorder.events.at(-1), "closed reset ENOMEM");
    assert.deepEqual(arenaFull.splice(0), ["queue"]);
    assert.equal(reactor.arenaBytesInUse, 0);
    // All is free again; now filled to the brim, and held.
    const second = await connect();
    second.client.pause();
    const room = (): number => 1024 * 1024 - second.socket.queuedBytes;
    const { scratchStart, scratchEnd } = reactor.arena;
    while (room() > 0) {
      second.socket.write(scratchStart, scratchStart + Math.min(room(), scratchEnd - scratchStart));
    }
    assert.equal(reactor.arenaBytesInUse, 1024 * 1024);
    const third = connect();
    void third;
    while (arenaFull.length === 0) await new Promise(setImmediate);
    assert.deepEqual(arenaFull, ["accept"]);
    assert(second.socket.isOpen);
    second.client.destroy();
    first.client.destroy();
  },
);
