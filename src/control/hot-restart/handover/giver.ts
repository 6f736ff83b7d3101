/**
 * The process that serves, waiting for the one that shall take over (MOSN: `reconfigure`'s old side).
 *
 *     idle ──dialed──▶ giving ──it serves──▶ given
 *       ▲                 │                    │
 *       │                 └── it is gone, late, or talks nonsense: nothing has happened
 *       └── it is gone, and this one has not ended yet: what was given is taken back
 *
 * What a newcomer would get wrong: sockets that were sent are taken from nobody. This process accepts on them until the new
 * one says that it serves, and for good if it never does.
 */
import {
  DescriptorServer,
  type DescriptorStream,
  type StreamPeer,
} from "../../../shared/io/descriptor-stream.ts";
import { closeDescriptors } from "../../../shared/io/descriptor-socket.ts";
import { type SocketHolder, holderWhile } from "../../../shared/io/listen-sockets.ts";
import { strerror } from "../../../shared/io/syscalls.ts";
import {
  type HandoverParts,
  greeting,
  handoverSocketMode,
  isTrusted,
  listenPath,
  reconfigPath,
  servesByte,
  takeOverMsMax,
} from "./directory.ts";
import { isDeserted } from "./deserted.ts";
import { Leftover } from "./leftover.ts";
import { encodeMessage } from "./messages.ts";
import { type OwnSocket, framesOf } from "./socket-frames.ts";
import { ConnectionSender } from "../moves/connection-sender.ts";
import { sendAll } from "../patient-sender.ts";

/** What the server does for its successor. */
export interface GiverDuties {
  /** All that it listens on, which `holder` has from then on, too. */
  sockets(holder: SocketHolder): readonly OwnSocket[];
  /** The new process is about to have its own. */
  closeAdmin(): Promise<void>;
  /** The new process serves: pause accepting, finish what is under way, end. */
  drainAndEnd(successor: ConnectionSender, pid: number): void;
  /** A new process has come. */
  takeOverBegins(): void;
  /** It does not come to take over: nothing has changed. */
  servesOn(): void;
  /** A third process serves: nothing is taken back any more. */
  letGo(): void;
  /** Nobody serves any more: accept again, with the admin. */
  takeBack(): void;
}

interface Successor {
  readonly stream: DescriptorStream;
  readonly successor: ConnectionSender;
  readonly pid: number;
}

/** What belongs to one try. */
interface Giving {
  readonly kind: "giving";
  readonly owned: DisposableStack;
  readonly leftover: Leftover;
}

type GiverState =
  | { readonly kind: "idle" }
  | Giving
  /**
   * Connections may go on to the new process for as long as this one drains; once that one is `succeeded` by a third,
   * nothing is taken back, whatever is in the directory when it ends.
   */
  | {
      readonly kind: "given" | "succeeded";
      readonly owned: DisposableStack;
      readonly leftover: Leftover;
    };

export class HandoverGiver implements Disposable {
  readonly #parts: HandoverParts;
  readonly #duties: GiverDuties;
  #server: DescriptorServer;
  #state: GiverState = { kind: "idle" };

  private constructor(parts: HandoverParts, duties: GiverDuties, server: DescriptorServer) {
    this.#parts = parts;
    this.#duties = duties;
    this.#server = server;
  }

  /** `takes`: what another process has at reconfig.sock is ours now. A text: why nobody can take over. */
  static open(parts: HandoverParts, duties: GiverDuties, takes: boolean): HandoverGiver | string {
    const path = reconfigPath(parts.options);
    const server = DescriptorServer.listen(path, handoverSocketMode, takes);
    if (typeof server === "number") return `cannot bind '${path}': ${strerror(server)}`;
    const giver = new HandoverGiver(parts, duties, server);
    giver.#listen(server);
    return giver;
  }

  [Symbol.dispose](): void {
    if (this.#state.kind !== "idle") this.#become({ kind: "idle" });
    this.#server[Symbol.dispose]();
  }

  #listen(server: DescriptorServer): void {
    this.#server = server;
    server.onStream((stream) => {
      void this.#answer(stream).catch((error: unknown) => this.#giveUp(String(error)));
    });
  }

  /** The one door: what belongs to a try that was given up ends with it. */
  #become(next: GiverState): void {
    const last = this.#state;
    this.#state = next;
    if (last.kind !== "idle" && next.kind === "idle") last.owned.dispose();
  }

  async #answer(caller: DescriptorStream): Promise<void> {
    const { peer } = caller;
    if (!isTrusted(peer, this.#parts.uid)) {
      this.#parts.log.warning(`hand-over: refused user ${peer?.uid ?? "unknown"}`);
      return caller[Symbol.dispose]();
    }
    const isFree = this.#state.kind === "idle";
    caller.send(Uint8Array.of(isFree ? greeting.yours : greeting.taken));
    if (!isFree || !peer) return caller[Symbol.dispose]();
    const owned = new DisposableStack();
    const leftover = new Leftover(listenPath(this.#parts.options), peer.pid);
    const giving: Giving = { kind: "giving", owned, leftover };
    this.#become(giving);
    owned.use(caller);
    caller.onPiece((piece) => {
      if (piece.kind === "bytes") closeDescriptors(piece.descriptors);
    });
    owned.use(
      this.#parts.clock.startTimer(takeOverMsMax, () =>
        this.#giveUp(`it does not serve after ${takeOverMsMax / 1000} s`),
      ),
    );
    this.#parts.log.info(`hand-over: process ${peer.pid} takes over`);
    this.#duties.takeOverBegins();
    const refused = await this.#give(giving, peer);
    if (refused !== undefined && this.#state === giving) this.#giveUp(refused);
  }

  /** Sends all sockets; a text: why it cannot. */
  async #give(giving: Giving, peer: StreamPeer): Promise<string | undefined> {
    const { clock, uid, options } = this.#parts;
    const stream = this.#server.connect(listenPath(options));
    if (typeof stream === "number") return `cannot dial listen.sock: ${strerror(stream)}`;
    giving.owned.use(stream);
    // Another one than has dialed may have put its socket there.
    if (!isTrusted(stream.peer, uid) || stream.peer?.pid !== peer.pid)
      return `listen.sock is not process ${peer.pid}'s`;
    const successor = new ConnectionSender(stream, clock, {
      onSucceeded: () => this.#succeed(giving),
    });
    let finished = Promise.resolve();
    stream.onPiece((piece) => {
      if (this.#hasGiven) {
        successor.read(piece);
        if (piece.kind === "end") void finished.then(() => this.#return(peer.pid));
        return;
      }
      if (this.#state !== giving) return;
      if (piece.kind === "end") return this.#giveUp("it has ended before it served");
      closeDescriptors(piece.descriptors);
      if (piece.bytes[0] !== servesByte) return this.#giveUp("what it said is no acknowledgement");
      successor.read({ ...piece, bytes: piece.bytes.subarray(1), descriptors: [] });
      finished = this.#finish(giving, { stream, successor, pid: peer.pid }).catch(
        (error: unknown) => this.#parts.log.error(`hand-over: ${String(error)}`),
      );
    });
    const isThere = (): boolean => this.#state === giving || this.#hasGiven;
    const sockets = this.#duties.sockets(holderWhile(isThere));
    for (const frame of framesOf(sockets)) {
      const error = await sendAll(stream, frame.bytes, frame.descriptors, clock);
      if (error !== 0) return strerror(error);
    }
    return undefined;
  }

  /** From here on the new process has it all. Its name goes first: the new one puts its own there. */
  async #finish({ owned, leftover }: Giving, { stream, successor, pid }: Successor): Promise<void> {
    const { log, clock } = this.#parts;
    this.#become({ kind: "given", owned, leftover });
    this.#server[Symbol.dispose]();
    await this.#duties.closeAdmin();
    await sendAll(stream, encodeMessage({ kind: "released" }), [], clock);
    log.info("hand-over: the new process serves");
    await successor.whenMarked();
    // An empty process would end at once, and nobody be left.
    if (!stream.isClosed) this.#duties.drainAndEnd(successor, pid);
  }

  get #hasGiven(): boolean {
    return this.#state.kind === "given" || this.#state.kind === "succeeded";
  }

  #succeed({ owned, leftover }: Giving): void {
    if (this.#state.kind === "given") this.#become({ kind: "succeeded", owned, leftover });
    this.#duties.letGo();
  }

  /** The line to process `pid`, which took over, has ended. */
  async #return(pid: number): Promise<void> {
    const { log, clock, options } = this.#parts;
    if (this.#state.kind !== "given") return;
    void this.#state.leftover.remove(clock);
    if (!(await isDeserted(this.#parts, pid))) return this.#duties.letGo();
    const path = reconfigPath(options);
    const server = DescriptorServer.listen(path, handoverSocketMode);
    if (typeof server === "number")
      return log.error(`hand-over: not taken back: cannot bind '${path}': ${strerror(server)}`);
    this.#become({ kind: "idle" });
    this.#listen(server);
    this.#duties.takeBack();
  }

  #giveUp(reason: string): void {
    if (this.#state.kind !== "giving") return;
    const { log, clock } = this.#parts;
    const { leftover } = this.#state;
    log.warning(`hand-over: given up, this process serves on: ${reason}`);
    this.#become({ kind: "idle" });
    void leftover.remove(clock);
    this.#duties.servesOn();
  }
}
