/** A worker thread of `accept.test.ts`: accepts on the descriptor it is given until told to stop. */
import { parentPort, workerData } from "node:worker_threads";
import { createEpollReactor } from "../../../src/shared/io/epoll-reactor.ts";
import type { ListenSocketRef } from "../../../src/shared/io/reactor.ts";
import { Recorder, inScratch } from "../../support/recorder.ts";

const { ref, name } = workerData as { ref: ListenSocketRef; name: string };
const reactor = createEpollReactor({
  arenaBytesMax: 1024 * 1024,
  onBug: (error) => {
    throw error;
  },
  onArenaFull: () => {},
});

const registration = reactor.listen(ref, {
  acceptsPerEventMax: 1,
  onAccepted: (descriptor) => {
    const socket = reactor.adopt(descriptor, new Recorder(reactor), {
      bufferLimitBytes: 0,
      noDelay: true,
    });
    socket.write(...inScratch(reactor, name));
    socket.close("flush");
  },
  onBatch: () => {},
  onExhausted: () => {},
});

parentPort?.on("message", () => {
  registration[Symbol.dispose]();
  reactor[Symbol.dispose]();
  parentPort?.close();
});
parentPort?.postMessage("ready");
