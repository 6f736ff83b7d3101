/**
 * Hand-over by a directory, without epochs and without a supervisor (MOSN's choreography): whoever starts on a directory
 * takes over from whoever serves there.
 *
 *     new                                   old
 *      │── dials reconfig.sock ────────────▶│
 *      │◀─ one byte: yours, or taken ───────│
 *      │◀─ dials listen.sock, all sockets ──│   both hold them, the old one accepts
 *      │   loads, warms, serves             │
 *      │── one byte: it serves ────────────▶│   gives up reconfig.sock and its admin
 *      │◀─ released ────────────────────────│   drains, ends
 *
 * MOSN's new process acknowledges as soon as it has the sockets, and the old one waits three seconds in the hope that it
 * serves by then; here the acknowledgement is the serving.
 */
import type { SocketAddress } from "../../../shared/common/address.ts";
import { type SocketHolder, holderWhile } from "../../../shared/io/listen-sockets.ts";
import { type HandoverParts, prepareDir } from "./directory.ts";
import { type GiverDuties, HandoverGiver } from "./giver.ts";
import { HandoverTaker } from "./taker.ts";
import type { TakenService } from "../moves/connection-receiver.ts";
import type { SocketTransfer } from "../socket-transfer.ts";

/** Of reconfig.sock, where the disk is full or the directory gone. */
const retryMs = 1_000;

export class Handover implements SocketTransfer, Disposable {
  readonly parent: SocketHolder = holderWhile(() => this.hasParent);
  readonly #parts: HandoverParts;
  readonly #taker: HandoverTaker;
  #giver: HandoverGiver | undefined;
  #timer: Disposable | undefined;

  private constructor(parts: HandoverParts, taker: HandoverTaker) {
    this.#parts = parts;
    this.#taker = taker;
  }

  /** A string: why this process may not start. */
  static async open(parts: HandoverParts): Promise<Handover | string> {
    const unusable = prepareDir(parts.options);
    if (unusable !== undefined) return unusable;
    const result = await HandoverTaker.open(parts);
    return result.ok ? new Handover(parts, result.taker) : `hand-over: ${result.error}`;
  }

  get hasParent(): boolean {
    return this.#taker.hasParent;
  }

  whenAlone(): Promise<void> {
    return this.#taker.whenAlone();
  }

  takeListenSockets(
    address: SocketAddress,
    worker: number,
    isLast: boolean,
  ): Promise<readonly number[]> {
    return this.#taker.takeListenSockets(address, worker, isLast);
  }

  takeAdminSocket(address: SocketAddress): number | undefined {
    return this.#taker.takeAdminSocket(address);
  }

  /** This process serves: the old one drains. A text: why it must end instead. */
  commit(service: TakenService): Promise<string | undefined> {
    return this.#taker.commit(service);
  }

  /** From now on another process may take over. */
  awaitSuccessor(duties: GiverDuties): void {
    const { log } = this.#parts;
    const error = this.#listen(duties);
    this.#taker.endStart();
    if (error === undefined) return;
    log.error(`hand-over: nobody can take over until that is mended: ${error}`);
    this.#retry(duties);
  }

  #listen(duties: GiverDuties): string | undefined {
    const giver = HandoverGiver.open(this.#parts, this.#withWord(duties), true);
    if (typeof giver === "string") return giver;
    this.#giver = giver;
    return undefined;
  }

  #retry(duties: GiverDuties): void {
    this.#timer = this.#parts.clock.startTimer(retryMs, () => {
      if (this.#listen(duties) !== undefined) return this.#retry(duties);
      this.#parts.log.info("hand-over: another process can take over now");
    });
  }

  /** The first of them that cannot be undone tells the process before this one, too. */
  #withWord(duties: GiverDuties): GiverDuties {
    return {
      sockets: (holder) => duties.sockets(holder),
      closeAdmin: () => {
        this.#taker.succeeded();
        return duties.closeAdmin();
      },
      drainAndEnd: (successor, pid) => duties.drainAndEnd(successor, pid),
      servesOn: () => duties.servesOn(),
      letGo: () => duties.letGo(),
      takeBack: () => duties.takeBack(),
    };
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]();
    this.#giver?.[Symbol.dispose]();
    this.#taker[Symbol.dispose]();
  }
}
