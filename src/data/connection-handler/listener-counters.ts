/**
 * The stats and the limit of one version of a listener on one worker. Its generations share their stats, so the
 * gauge moves by the difference between the sizes that it is given: what the others show stays in it.
 */
import type { ListenerSlots } from "../../shared/protocol/worker-command.ts";
import {
  neverOverloaded,
  type Overload,
  overloadPlace,
  OverloadState,
} from "../../shared/protocol/overload.ts";
import { limitLayout } from "../../shared/protocol/worker-init.ts";
import {
  connectionMonitorStats,
  listenerStats,
  listenerWorkerStats,
  loadShedStats,
  sluiceWorkerStats,
} from "../../shared/stats/stat-names.ts";
import type { PendingEnd } from "./pending-connection.ts";
import type { WorkerContext } from "../network/worker-context.ts";

const total = listenerStats.offset("downstream_cx_total");
const destroyed = listenerStats.offset("downstream_cx_destroy");
const overflow = listenerStats.offset("downstream_cx_overflow");
const globalOverflow = listenerStats.offset("downstream_global_cx_overflow");
const overloadReject = listenerStats.offset("downstream_cx_overload_reject");
const shedLoad = loadShedStats.offset("shed_load_count");
const failedUpdates = connectionMonitorStats.offset("failed_updates");
const noMatch = listenerStats.offset("no_filter_chain_match");
const active = listenerStats.offset("downstream_cx_active");
const lengthMs = listenerStats.offset("downstream_cx_length_ms");
const acceptedPerEvent = listenerStats.offset("connections_accepted_per_socket_event");
const preActive = listenerStats.offset("downstream_pre_cx_active");
const preTimeout = listenerStats.offset("downstream_pre_cx_timeout");
const filterError = listenerStats.offset("downstream_listener_filter_error");
const filterRemoteClose = listenerStats.offset("downstream_listener_filter_remote_close");
const workerTotal = listenerWorkerStats.offset("downstream_cx_total");
const workerActive = listenerWorkerStats.offset("downstream_cx_active");
const handed = sluiceWorkerStats.offset("connections_handed_over");
const exhausted = sluiceWorkerStats.offset("descriptors_exhausted");

/** A connection that was accepted has gone, or is not to be. */
export function releaseAccepted(limits: Int32Array, connectionCount: number): void {
  Atomics.sub(limits, limitLayout.acceptedConnections, 1);
  Atomics.sub(limits, connectionCount, 1);
}

export class ListenerCounters {
  readonly #worker: WorkerContext;
  readonly #overload: Overload;
  #slots: ListenerSlots;
  /** The part of the gauges that is this version's. */
  #shown = 0;
  #pending = 0;

  constructor(worker: WorkerContext, slots: ListenerSlots) {
    this.#worker = worker;
    this.#slots = slots;
    this.#overload = slots.bypassesOverload
      ? neverOverloaded
      : new OverloadState(worker.limits, worker.random);
  }

  /** After an update in place, which goes on with the connections. */
  moveTo(slots: ListenerSlots): void {
    const [count, pending] = [this.#shown, this.#pending];
    this.show(0);
    this.pendingChanged(-pending);
    this.#slots = slots;
    this.show(count);
    this.pendingChanged(pending);
  }

  /**
   * Counts one towards the limits of the process and of the listener, over all workers; false and counted when one
   * of them is reached.
   */
  tryAcquire(): boolean {
    const { name, ignoresGlobalLimit } = this.#slots;
    const { limits, runtime } = this.#worker;
    if (this.#isShed()) return false;
    const limit = runtime.connectionLimit(name);
    const monitored = limits[overloadPlace("connectionsMax")] ?? 0;
    // A resource monitor replaces the key of the runtime, which is deprecated.
    const acceptedMax = monitored > 0 ? monitored : runtime.acceptedConnectionsMax;
    const { accepted, before } = this.acquire();
    const isGlobalReached = !ignoresGlobalLimit && accepted >= acceptedMax;
    if (!isGlobalReached && (limit === undefined || before < limit)) return true;
    this.release();
    if (isGlobalReached) this.#countGlobalOverflow();
    else this.overflowed();
    return false;
  }

  /** Whatever the limits: another process has accepted it, within its own. How many there were before. */
  acquire(): { readonly accepted: number; readonly before: number } {
    const { limits } = this.#worker;
    return {
      accepted: Atomics.add(limits, limitLayout.acceptedConnections, 1),
      before: Atomics.add(limits, this.#slots.connectionCount, 1),
    };
  }

  /** By the overload manager; counted. */
  #isShed(): boolean {
    const { slab, init } = this.#worker;
    const isShedPoint = this.#overload.isOn("tcpListenerAccept");
    if (!isShedPoint && !this.#overload.isOn("rejectIncomingConnections")) return false;
    if (isShedPoint) slab.add(init.slots.overload.accept, shedLoad);
    slab.add(this.#slots.listener, overloadReject);
    return true;
  }

  #countGlobalOverflow(): void {
    const { slab, init } = this.#worker;
    slab.add(this.#slots.listener, globalOverflow);
    slab.add(init.slots.overload.connections, failedUpdates);
  }

  release(): void {
    releaseAccepted(this.#worker.limits, this.#slots.connectionCount);
  }

  overflowed(): void {
    this.#worker.slab.add(this.#slots.listener, overflow);
  }

  opened(activeCount: number): void {
    const { slab } = this.#worker;
    slab.add(this.#slots.listener, total);
    slab.add(this.#slots.worker, workerTotal);
    this.show(activeCount);
  }

  closed(activeCount: number, startMs: number): void {
    const { slab, reactor } = this.#worker;
    slab.add(this.#slots.listener, destroyed);
    slab.record(this.#slots.listener, lengthMs, reactor.nowMs - startMs);
    this.show(activeCount);
  }

  pendingChanged(change: number): void {
    this.#pending += change;
    this.#worker.slab.add(this.#slots.listener, preActive, change);
  }

  pendingTimedOut(): void {
    this.#worker.slab.add(this.#slots.listener, preTimeout);
  }

  pendingEnded(why: PendingEnd): void {
    const { slab } = this.#worker;
    if (why === "error") slab.add(this.#slots.listener, filterError);
    if (why === "remoteClose") slab.add(this.#slots.listener, filterRemoteClose);
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

  /** So many are open: one has come from another process, or gone there, and begins or ends nowhere by that. */
  show(count: number): void {
    const { slab } = this.#worker;
    const change = count - this.#shown;
    slab.add(this.#slots.listener, active, change);
    slab.add(this.#slots.worker, workerActive, change);
    this.#shown = count;
  }
}
