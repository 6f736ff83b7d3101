/**
 * What workers are told of listeners, and in which order.
 *
 * A worker stops the old version before it adds the new one: both may share a descriptor, and an epoll set
 * takes it once. Nothing is lost between the two, the kernel goes on queueing. A socket that is going to
 * be closed is first taken out of every worker but one; that one then accepts until the queue is empty,
 * closes it in the same breath and serves those: a close resets whatever is still queued, so main, a
 * message away, would be too late.
 */
import type { Clock } from "../../shared/common/clock.ts";
import type { Logger } from "../../shared/common/log.ts";
import type { ListenerTag } from "../../shared/common/brand.ts";
import type { WorkerPool } from "../workers/worker-pool.ts";
import type { Listener } from "./listener.ts";
import type { SocketLease } from "./listener-sockets.ts";
import type { ListenerManagerStats } from "./listener-stats.ts";

export type ListenerPool = Pick<
  WorkerPool,
  "concurrency" | "isLost" | "post" | "postTo" | "request" | "broadcast" | "subscribe"
>;

/**
 * A worker takes microseconds for a stop. One that is stuck must not hold back every other listener: what is
 * then closed too early is a queue that nobody empties.
 */
export const stopMsMax = 10_000;

export interface ListenerWorkersContext {
  readonly pool: ListenerPool;
  readonly clock: Clock;
  readonly log: Logger;
}

export class ListenerWorkers {
  readonly #context: ListenerWorkersContext;
  readonly #pool: ListenerPool;
  readonly #stats: ListenerManagerStats;

  constructor(context: ListenerWorkersContext, stats: ListenerManagerStats) {
    this.#context = context;
    this.#pool = context.pool;
    this.#stats = stats;
  }

  /** Every worker accepts on the listener's sockets; `withConfig: false` lets it ask at the first connection. */
  add(listener: Listener, withConfig: boolean): void {
    for (const worker of this.#indexes()) this.#addTo(worker, listener, withConfig);
  }

  /** The new version takes over from the old one; resolves when the old one accepts no more. */
  async replace(old: Listener, next: Listener, withConfig: boolean): Promise<void> {
    const add = (worker: number): void => this.#addTo(worker, next, withConfig);
    if (!isEverySocketShared(old, next)) return this.#stop(old, add);
    for (const worker of this.#indexes()) {
      void this.#stopIn(worker, old.tag, undefined);
      add(worker);
    }
  }

  /** Same tag, same sockets, other filter chains. The configuration goes along at any number of listeners. */
  updateFilterChains(next: Listener): void {
    const { tag, config, holdings } = next;
    const updated = this.#pool.broadcast((reply, worker) => {
      next.provideTo(worker);
      const slots = holdings.slots.slotsFor(worker);
      return { kind: "updateFilterChains", tag, config, slots, reply };
    });
    // Envoy's workers say so of an update too, each.
    void updated.then(() => this.#stats.count("listener_create_success", this.#pool.concurrency));
  }

  /** Resolves when no worker accepts any more and the accept queues are empty: the sockets may be closed. */
  stop(listener: Listener): Promise<void> {
    return this.#stop(listener, () => {});
  }

  /** Of all listeners; their sockets stay open, and who connects waits. Resolves when nobody is under way any more. */
  async pause(isPaused: boolean): Promise<void> {
    const ask = (worker: number): Promise<void> =>
      this.#pool.request(worker, (reply) => ({ kind: "pauseAccepting", isPaused, reply }));
    await Promise.all(this.#indexes().map((worker) => this.#withinBound(ask(worker), worker)));
  }

  /** One that was stopped accepts again, on the sockets that it has now. */
  async reopen({ tag, sockets }: Listener): Promise<void> {
    const ask = (worker: number): Promise<void> =>
      this.#pool.request(worker, (reply) => ({
        kind: "reopenListener",
        tag,
        sockets: sockets.flatMap((lease) => lease.refsFor(worker)),
        reply,
      }));
    await Promise.all(this.#indexes().map((worker) => this.#withinBound(ask(worker), worker)));
  }

  /** Cuts what is left. */
  remove(tag: ListenerTag): Promise<void> {
    return this.#pool.broadcast((reply) => ({ kind: "removeListener", tag, reply }));
  }

  async #stop(listener: Listener, andThen: (worker: number) => void): Promise<void> {
    const closing = listener.sockets.filter((lease) => lease.disown());
    const stop = (worker: number, emptyQueue: boolean): Promise<void> => {
      const handles = closing.flatMap((lease) => lease.refsFor(worker).map(({ handle }) => handle));
      const stopped = this.#stopIn(worker, listener.tag, emptyQueue ? handles : undefined);
      andThen(worker);
      return stopped;
    };
    if (listener.sockets.some((lease) => lease.isPerWorker)) {
      await Promise.all(this.#indexes().map((worker) => stop(worker, true)));
      return;
    }
    const able = this.#indexes().filter((worker) => !this.#pool.isLost(worker));
    const last = able[listener.tag % able.length] ?? 0;
    const others = this.#indexes().filter((worker) => worker !== last);
    await Promise.all(others.map((worker) => stop(worker, false)));
    await stop(last, true);
  }

  /** `closing`: what to close once its queue is empty; undefined: the queue is another's to empty. */
  #stopIn(worker: number, tag: ListenerTag, closing: readonly number[] | undefined): Promise<void> {
    const stopped = this.#pool.request(worker, (reply) => ({
      kind: "stopListener",
      tag,
      emptyQueue: closing !== undefined,
      closing: closing ?? [],
      reply,
    }));
    return this.#withinBound(stopped, worker);
  }

  async #withinBound(stopped: Promise<void>, worker: number): Promise<void> {
    const { clock, log } = this.#context;
    const late = Promise.withResolvers<void>();
    using _timer = clock.startTimer(stopMsMax, () => {
      log.error(`worker ${worker} has not stopped accepting within ${stopMsMax / 1_000} s`);
      this.#stats.countUnansweredStop();
      late.resolve();
    });
    await Promise.race([stopped, late.promise]);
  }

  #addTo(worker: number, listener: Listener, withConfig: boolean): void {
    if (withConfig) listener.provideTo(worker);
    const added = this.#pool.request(worker, (reply) => ({
      kind: "addListener",
      tag: listener.tag,
      config: withConfig ? listener.config : undefined,
      sockets: listener.sockets.flatMap((lease) => lease.refsFor(worker)),
      unboundAddresses: listener.facts.bindToPort ? [] : listener.facts.addresses,
      slots: listener.holdings.slots.slotsFor(worker),
      reply,
    }));
    void added.then(() => this.#stats.count("listener_create_success"));
  }

  #indexes(): readonly number[] {
    return Array.from({ length: this.#pool.concurrency }, (_, index) => index);
  }
}

function isEverySocketShared(old: Listener, next: Listener): boolean {
  const isShared = (lease: SocketLease): boolean =>
    next.sockets.some((other) => lease.isSharedWith(other));
  return old.sockets.every(isShared);
}
