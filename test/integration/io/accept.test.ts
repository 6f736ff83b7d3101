/** Accepting: everybody gets in once, nobody is lost at a removal, no descriptor leaks. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import net from "node:net";
import { Worker } from "node:worker_threads";
import type { AcceptHandler, ListenSocketRef, Reactor } from "../../../src/shared/io/reactor.ts";
import { forEachReactor } from "../../support/reactors.ts";
import { Recorder, inScratch } from "../../support/recorder.ts";

const options = { bufferLimitBytes: 0, noDelay: true };

function portOf(ref: ListenSocketRef): number {
  assert(ref.localAddress.kind === "ip");
  return ref.localAddress.port;
}

/** Connects and waits for the one byte that names who accepted. */
async function dial(port: number): Promise<{ client: net.Socket; greeting: string }> {
  const client = net.connect({ port, host: "127.0.0.1" });
  const [greeting] = (await once(client, "data")) as [Buffer];
  return { client, greeting: greeting.toString() };
}

/** Greets with `name`, then closes when the client does. */
function greeter(reactor: Reactor, name: string, acceptsPerEventMax = 16) {
  const recorders: Recorder[] = [];
  const batches: number[] = [];
  const handler: AcceptHandler = {
    acceptsPerEventMax,
    onAccepted: (descriptor) => {
      const recorder: Recorder = new Recorder(reactor, { onEnd: () => socket.close("now") });
      const socket = reactor.adopt(descriptor, recorder, options);
      recorders.push(recorder);
      socket.write(...inScratch(reactor, name));
    },
    onBatch: (count) => batches.push(count),
    onExhausted: () => assert.fail("out of descriptors"),
  };
  return { handler, recorders, batches };
}

forEachReactor("thousands of connections, and no descriptor is left", {}, async (context) => {
  const { reactor } = context;
  const { ref } = await context.listenSocket();
  const { handler, recorders, batches } = greeter(reactor, "a");
  reactor.listen(ref, handler);
  const descriptors = (): number => readdirSync("/proc/self/fd").length;
  (await dial(portOf(ref))).client.destroy();
  await recorders[0]?.closed();
  const before = descriptors();
  for (let round = 0; round < 4; round++) {
    const dialled = await Promise.all(Array.from({ length: 500 }, () => dial(portOf(ref))));
    for (const { client } of dialled) client.destroy();
    await Promise.all(recorders.map((recorder) => recorder.closed()));
    for (const { client } of dialled) if (!client.closed) await once(client, "close");
  }
  assert.equal(recorders.length, 2001);
  assert.equal(
    batches.reduce((sum, count) => sum + count, 0),
    2001,
  );
  assert(Math.max(...batches) <= 16);
  assert.equal(descriptors(), before);
});

forEachReactor("disposing stops at once; a new registration takes over", {}, async (context) => {
  const { reactor } = context;
  const { ref } = await context.listenSocket();
  const first = greeter(reactor, "1");
  const second = greeter(reactor, "2");
  const registration = reactor.listen(ref, first.handler);
  assert.equal((await dial(portOf(ref))).greeting, "1");
  // The newer one wins, and disposing the older one then changes nothing.
  reactor.listen(ref, second.handler);
  assert.equal((await dial(portOf(ref))).greeting, "2");
  registration[Symbol.dispose]();
  registration[Symbol.dispose]();
  assert.equal((await dial(portOf(ref))).greeting, "2");
  assert.equal(first.recorders.length, 1);
});

forEachReactor("what waits in the queue is served after a removal", {}, async (context) => {
  const { reactor } = context;
  const { ref } = await context.listenSocket();
  const { handler, recorders } = greeter(reactor, "q", 1);
  const registration = reactor.listen(ref, handler);
  registration[Symbol.dispose]();
  const waiting = Array.from({ length: 20 }, () => dial(portOf(ref)));
  // They are connected for the kernel, or wait in Node's hands.
  let drained = 0;
  while (drained < 20) {
    assert.equal(recorders.length, drained, "accepted though nobody asked");
    await new Promise(setImmediate);
    drained += registration.drainQueue();
  }
  for (const { client, greeting } of await Promise.all(waiting)) {
    assert.equal(greeting, "q");
    client.destroy();
  }
  assert.equal(registration.drainQueue(), 0);
});

forEachReactor(
  "two threads share one listening descriptor and lose nobody",
  { needs: ["sharedListenSockets"] },
  async (context) => {
    const { ref } = await context.listenSocket();
    const workers = ["a", "b"].map(
      (name) =>
        new Worker(new URL("accept-worker.ts", import.meta.url), { workerData: { ref, name } }),
    );
    await Promise.all(workers.map((worker) => once(worker, "message")));
    const greetings: string[] = [];
    const dialMany = async (count: number): Promise<void> => {
      for (let i = 0; i < count; i++) {
        const { client, greeting } = await dial(portOf(ref));
        greetings.push(greeting);
        client.destroy();
      }
    };
    await Promise.all(Array.from({ length: 20 }, () => dialMany(20)));
    assert.equal(greetings.length, 400);
    // One stops; the other goes on with all.
    workers[0]?.postMessage("stop");
    await once(workers[0] ?? assert.fail(), "exit");
    greetings.length = 0;
    await dialMany(50);
    assert.equal(greetings.join(""), "b".repeat(50));
    workers[1]?.postMessage("stop");
    await once(workers[1] ?? assert.fail(), "exit");
  },
);
