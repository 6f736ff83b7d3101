/**
 * Who serves an accepted connection. A shared listening socket alone does not spread connections: sent one
 * after the other they all wake the same worker. So whoever accepts hands the descriptor to the worker with
 * the fewest open connections when it is itself ahead (docs: Listener.ConnectionBalanceConfig.ExactBalance).
 *
 * All workers are equal; they talk over one port a pair, and messages on one port keep their order.
 */
import type { MessagePort } from "node:worker_threads";
import type {
  HandedConnection,
  PeerMessage,
  WorkerInit,
} from "../../shared/protocol/worker-init.ts";

export interface HandedConnectionHandler {
  /** Returns false when it does not know the listener (yet): the connection goes back. */
  onHanded(connection: HandedConnection): boolean;
}

export class ConnectionBalancer {
  readonly #own: number;
  readonly #peers: (MessagePort | undefined)[];
  /** Open connections by worker, shared: whoever gives a connection away counts it at once. */
  readonly #open: Int32Array;
  /** How many this worker gave to each, itself included: settles ties, so that short connections alternate. */
  readonly #given: number[];
  readonly #handler: HandedConnectionHandler;
  readonly #syncs = new Map<
    number,
    { readonly missing: Set<number>; readonly onSynced: () => void }
  >();
  #nextSync = 1;

  constructor(init: WorkerInit, limits: Int32Array, handler: HandedConnectionHandler) {
    this.#own = init.index;
    this.#peers = [...init.peers];
    this.#open = limits.subarray(0, init.concurrency);
    this.#given = Array.from({ length: init.concurrency }, () => 0);
    this.#handler = handler;
    for (const [index, peer] of init.peers.entries()) {
      peer?.on("message", (message: PeerMessage) => this.#onMessage(index, peer, message));
    }
  }

  /** Hands the connection on; false: this worker is to serve it, and it is counted as its own. */
  handOver(connection: Omit<HandedConnection, "isReturned">): boolean {
    const target = this.#choose();
    Atomics.add(this.#open, target, 1);
    this.#given[target] = (this.#given[target] as number) + 1;
    const peer = this.#peers[target];
    peer?.postMessage({ ...connection, isReturned: false } satisfies PeerMessage);
    return peer !== undefined;
  }

  /** Counts a connection that this worker serves without asking for balance. */
  opened(): void {
    Atomics.add(this.#open, this.#own, 1);
  }

  closed(): void {
    Atomics.sub(this.#open, this.#own, 1);
  }

  /** Calls when every connection handed over so far was taken or has come back. */
  whenTaken(onTaken: () => void): void {
    const missing = new Set(this.#peers.flatMap((peer, index) => (peer ? [index] : [])));
    if (missing.size === 0) return onTaken();
    const sync = this.#nextSync++;
    this.#syncs.set(sync, { missing, onSynced: onTaken });
    for (const peer of this.#peers) peer?.postMessage({ sync } satisfies PeerMessage);
  }

  /** The worker has died or hangs: what was handed to it is lost, and no more is. */
  lose(worker: number): void {
    this.#peers[worker]?.close();
    this.#peers[worker] = undefined;
    for (const sync of this.#syncs.keys()) this.#onSynced(sync, worker);
  }

  [Symbol.dispose](): void {
    for (const peer of this.#peers) peer?.close();
  }

  #choose(): number {
    let best = this.#own;
    let fewest = Atomics.load(this.#open, best);
    for (let index = 0; index < this.#open.length; index++) {
      const open = Atomics.load(this.#open, index);
      if (open > fewest || (open === fewest && !this.#gaveLess(index, best))) continue;
      if (this.#peers[index] === undefined && index !== this.#own) continue;
      best = index;
      fewest = open;
    }
    return best;
  }

  #gaveLess(index: number, than: number): boolean {
    return (this.#given[index] as number) < (this.#given[than] as number);
  }

  #onMessage(from: number, peer: MessagePort, message: PeerMessage): void {
    if ("sync" in message) return peer.postMessage({ synced: message.sync } satisfies PeerMessage);
    if ("synced" in message) return this.#onSynced(message.synced, from);
    if (this.#handler.onHanded(message)) return;
    Atomics.sub(this.#open, this.#own, 1);
    Atomics.add(this.#open, from, 1);
    peer.postMessage({ ...message, isReturned: true } satisfies PeerMessage);
  }

  #onSynced(sync: number, from: number): void {
    const waiting = this.#syncs.get(sync);
    if (!waiting?.missing.delete(from) || waiting.missing.size > 0) return;
    this.#syncs.delete(sync);
    waiting.onSynced();
  }
}
