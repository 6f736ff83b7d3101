/**
 * The stats and the limit of one version of a listener on one worker. Its generations share their stats, so the
 * gauge moves by the difference between the sizes that it is given: what the others show stays in it.
 */
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
  #slots: ListenerSlots;
  /** The part of the gauges that is this version's. */
  #shown = 0;

  constructor(worker: WorkerContext, slots: ListenerSlots) {
    this.#worker = worker;
    this.#slots = slots;
  }

  /** After an update in place, which goes on with the connections. */
  moveTo(slots: ListenerSlots): void {
    const count = this.#shown;
    this.#show(0);
    this.#slots = slots;
    this.#show(count);
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
    this.#show(activeCount);
  }

  closed(activeCount: number, startMs: number): void {
    const { slab, reactor } = this.#worker;
    slab.add(this.#slots.listener, destroyed);
    slab.record(this.#slots.listener, lengthMs, reactor.nowMs - startMs);
    this.#show(activeCount);
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

  #show(count: number): void {
    const { slab } = this.#worker;
    const change = count - this.#shown;
    slab.add(this.#slots.listener, active, change);
    slab.add(this.#slots.worker, workerActive, change);
    this.#shown = count;
  }
}
