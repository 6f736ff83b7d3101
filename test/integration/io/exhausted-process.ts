/** A process of `exhausted.test.ts`: serves with few descriptors to have, and says on stdout what happens. */
import { createEpollListenSockets } from "../../../src/shared/io/epoll-listen-sockets.ts";
import { createEpollReactor } from "../../../src/shared/io/epoll-reactor.ts";
import { loopback, plainListen } from "../../support/reactors.ts";
import { Recorder } from "../../support/recorder.ts";

const reactor = createEpollReactor({
  arenaBytesMax: 1024 * 1024,
  onBug: (error) => console.log("bug", error),
  onArenaFull: () => {},
});
const opened = await createEpollListenSockets().openListenSocket(loopback, plainListen);
if (!opened.ok) throw new Error(opened.error);
opened.socket.startListening();
let accepted = 0;
let exhausted = 0;
reactor.listen(opened.socket.ref, {
  acceptsPerEventMax: 16,
  onAccepted: (descriptor) => {
    accepted += 1;
    const recorder: Recorder = new Recorder(reactor, { onEnd: () => socket.close("now") });
    const socket = reactor.adopt(descriptor, recorder, { bufferLimitBytes: 0, noDelay: true });
    socket.write(reactor.arena.scratchStart, reactor.arena.scratchStart + 1);
  },
  onBatch: () => {},
  onExhausted: () => {
    exhausted += 1;
    const error = new Recorder(reactor);
    reactor.connect(opened.socket.ref.localAddress, error, { bufferLimitBytes: 0, noDelay: true });
    void error
      .closed()
      .then(() => console.log("exhausted", accepted, exhausted, error.events.join()));
  },
});
const { localAddress } = opened.socket.ref;
console.log("port", localAddress.kind === "ip" ? localAddress.port : 0);
