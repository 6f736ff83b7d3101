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

export class Handover implements SocketTransfer, Disposable {
  readonly parent: SocketHolder = holderWhile(() => this.hasParent);
  readonly #parts: HandoverParts;
  readonly #taker: HandoverTaker;
  #giver: HandoverGiver | undefined;

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
    const giver = HandoverGiver.open(this.#parts, duties, true);
    this.#taker.endStart();
    if (typeof giver === "string")
      return this.#parts.log.error(`hand-over: nobody can take over: ${giver}`);
    this.#giver = giver;
  }

  [Symbol.dispose](): void {
    this.#giver?.[Symbol.dispose]();
    this.#taker[Symbol.dispose]();
  }
}
