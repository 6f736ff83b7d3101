/** A worker thread of `exit-process.ts`: two sockets that send each other bytes for ever. */
import { parentPort } from "node:worker_threads";
import { createEpollListenSockets } from "../../../src/shared/io/epoll-listen-sockets.ts";
import { createEpollReactor } from "../../../src/shared/io/epoll-reactor.ts";
import { loopback, plainListen } from "../../support/reactors.ts";
import { Recorder } from "../../support/recorder.ts";

const reactor = createEpollReactor({
  arenaBytesMax: 1024 * 1024,
  onBug: (error) => console.log("bug", error),
  onArenaFull: () => {},
});
const options = { bufferLimitBytes: 0, noDelay: true };
const opened = await createEpollListenSockets().openListenSocket(loopback, plainListen);
if (!opened.ok) throw new Error(opened.error);
opened.socket.startListening();

let bounced = 0;

/** Sends back what comes. */
function bounce(make: (handler: Recorder) => ReturnType<typeof reactor.connect>): void {
  const recorder: Recorder = new Recorder(reactor, {
    onConnected: () => socket.write(0, 1),
    onData: (start, end) => {
      bounced += 1;
      if (bounced === 100) parentPort?.postMessage("busy");
      socket.write(start, end);
    },
  }).countOnly();
  const socket = make(recorder);
}
reactor.listen(opened.socket.ref, {
  acceptsPerEventMax: 1,
  onAccepted: (descriptor) => bounce((handler) => reactor.adopt(descriptor, handler, options)),
  onBatch: () => {},
  onExhausted: () => {},
});
bounce((handler) => reactor.connect(opened.socket.ref.localAddress, handler, options));

parentPort?.on("message", (how: "stop" | "exit") => {
  reactor[Symbol.dispose]();
  opened.socket.close();
  if (how === "exit") process.exit(5);
  parentPort?.close();
});
