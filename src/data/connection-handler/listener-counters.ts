/** The stats and the limit of one listener on one worker. Gauges are set from the size they are given. */
import type { ListenerSlots } from "../../shared/protocol/worker-command.ts";
import {
  listenerStats,
  listenerWorkerStats,
  sluiceWorkerStats,
} from "../../shared/stats/stat-names.ts";
import type { WorkerContext } from "../network/worker-context.ts";

const total = listenerStats.offset("downstream_cx_total");
const destroyed = listenerStats.offset("downstream_cx_destroy");
const overflow = listenerStats.offset("downstream_cx_overflow");
const noMatch = listenerStats.offset("no_filter_chain_match");
const active = listenerStats.offset("downstream_cx_active");
const lengthMs = listenerStats.offset("downstream_cx_length_ms");
const acceptedPerEvent = listenerStats.offset("connections_accepted_per_socket_event");
const workerTotal = listenerWorkerStats.offset("downstream_cx_total");
const workerActive = listenerWorkerStats.offset("downstream_cx_active");
const handed = sluiceWorkerStats.offset("connections_handed_over");
const exhausted = sluiceWorkerStats.offset("descriptors_exhausted");

export class ListenerCounters {
  readonly #worker: WorkerContext;
  readonly #slots: ListenerSlots;

  constructor(worker: WorkerContext, slots: ListenerSlots) {
    this.#worker = worker;
    this.#slots = slots;
  }

  /** Counts one towards the listener's limit over all workers; false and counted when it is reached. */
  tryAcquire(): boolean {
    const { connectionCount, name } = this.#slots;
    const limit = this.#worker.runtime.connectionLimit(name);
    const before = Atomics.add(this.#worker.limits, connectionCount, 1);
    if (limit === undefined || before < limit) return true;
    this.release();
    this.overflowed();
    return false;
  }

  release(): void {
    Atomics.sub(this.#worker.limits, this.#slots.connectionCount, 1);
  }

  overflowed(): void {
    this.#worker.slab.add(this.#slots.listener, overflow);
  }

  opened(activeCount: number): void {
    const { slab } = this.#worker;
    slab.add(this.#slots.listener, total);
    slab.add(this.#slots.worker, workerTotal);
    this.#setActive(activeCount);
  }

  closed(activeCount: number, startMs: number): void {
    const { slab, reactor } = this.#worker;
    slab.add(this.#slots.listener, destroyed);
    slab.record(this.#slots.listener, lengthMs, reactor.nowMs - startMs);
    this.#setActive(activeCount);
  }

  unmatched(): void {
    this.#worker.slab.add(this.#slots.listener, noMatch);
  }

  batchAccepted(count: number): void {
    this.#worker.slab.record(this.#slots.listener, acceptedPerEvent, count);
  }

  handedOver(): void {
    this.#worker.slab.add(this.#worker.init.slots.sluice, handed);
  }

  descriptorsExhausted(): void {
    this.#worker.slab.add(this.#worker.init.slots.sluice, exhausted);
  }

  #setActive(count: number): void {
    this.#worker.slab.set(this.#slots.listener, active, count);
    this.#worker.slab.set(this.#slots.worker, workerActive, count);
  }
}
