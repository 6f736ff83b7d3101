/**
 * Connections that go on in another process: idle HTTP/1 in plain text, of listeners that are the same there. On the side
 * that gives, asked for again and again while it drains, for a connection that is busy now is idle later; on the side that
 * takes, spread over the workers as if they had just been accepted.
 *
 * What a newcomer would get wrong: a connection that was given is nobody's until the other process has it. If that fails
 * it goes back to the worker that it came from.
 */
import { formatAddress, type SocketAddress } from "../../shared/common/address.ts";
import type { Clock } from "../../shared/common/clock.ts";
import type { WorkerPool } from "../workers/worker-pool.ts";
import type { BoundListener, ListenerManager } from "./listener-manager.ts";

const firstRoundMs = 50;
const roundMsMax = 1_000;

export interface ConnectionMovesContext {
  readonly pool: Pick<WorkerPool, "subscribe" | "post" | "postTo" | "concurrency">;
  readonly manager: Pick<ListenerManager, "boundListeners">;
  readonly clock: Clock;
}

/** The process that takes them. */
export interface ConnectionTaker {
  /** What its listener at the address is; undefined: it has none, or takes no connections. */
  hashAt(address: SocketAddress): string | undefined;
  /** How many, the first ones, are its own; the others are still open here. */
  send(address: SocketAddress, descriptors: readonly number[]): Promise<number>;
}

export interface Giving extends Disposable {
  /** What workers have given by now is the other process's, or back. A process that ended before would cut it. */
  settled(): Promise<void>;
}

export class ConnectionMoves {
  readonly #context: ConnectionMovesContext;
  #nextWorker = 0;

  constructor(context: ConnectionMovesContext) {
    this.#context = context;
  }

  /** Whose connections this process could serve on. */
  boundListeners(): readonly BoundListener[] {
    return this.#context.manager.boundListeners();
  }

  /** Until it is disposed. */
  give(taker: ConnectionTaker): Giving {
    const { pool, manager, clock } = this.#context;
    // Where they are bound now: soon they are bound nowhere.
    const bound = manager
      .boundListeners()
      .filter(({ localAddress, hash }) => taker.hashAt(localAddress) === hash);
    const addresses = new Map(bound.map(({ tag, localAddress }) => [tag, localAddress]));
    let sent: Promise<unknown> = Promise.resolve();
    const subscription = pool.subscribe({
      onEvent: (worker, event) => {
        if (event.kind !== "connectionsGiven") return;
        const { tag, descriptors } = event;
        const back = (kept: readonly number[]): void =>
          pool.postTo(worker, { kind: "adoptConnections", tag, descriptors: kept });
        const address = addresses.get(tag);
        if (!address) return back(descriptors);
        sent = Promise.all([
          sent,
          taker.send(address, descriptors).then((count) => {
            if (count < descriptors.length) back(descriptors.slice(count));
          }),
        ]);
      },
    });
    let everyMs = firstRoundMs;
    let timer: Disposable;
    const round = (): void => {
      for (const [tag, address] of addresses)
        if (taker.hashAt(address) !== undefined) pool.post({ kind: "giveConnections", tag });
      timer = clock.startTimer(everyMs, round);
      everyMs = Math.min(everyMs * 2, roundMsMax);
    };
    round();
    return {
      settled: async () => void (await sent),
      [Symbol.dispose]: () => {
        timer[Symbol.dispose]();
        subscription[Symbol.dispose]();
      },
    };
  }

  /** False: no listener is there any more. */
  adopt(address: SocketAddress, descriptors: readonly number[]): boolean {
    const { pool, manager } = this.#context;
    const wanted = formatAddress(address);
    const listener = manager
      .boundListeners()
      .find(({ localAddress }) => formatAddress(localAddress) === wanted);
    if (!listener) return false;
    const worker = this.#nextWorker++ % pool.concurrency;
    pool.postTo(worker, { kind: "adoptConnections", tag: listener.tag, descriptors });
    return true;
  }
}
