/**
 * Listeners that may accept no more: by order of the admin for the rest of the process, or for as long as the next
 * generation of the process serves. The second can be taken back, so what was pushed meanwhile is kept and what was closed
 * is remembered.
 */
import type { ListenerConfig } from "../../shared/config/listener-config.ts";
import type { DrainDirection } from "../../shared/drain/drain.ts";
import type { Listener, ListenerResource } from "./listener.ts";
import type { ListenerErrors } from "./listener-errors.ts";
import { stoppedReason } from "./listener-judge.ts";
import type { AcquireResult, SocketLease } from "./listener-sockets.ts";
import type { ListenerSets } from "./listener-sets.ts";
import type { ListenerManagerStats } from "./listener-stats.ts";
import type { ListenerWorkers } from "./listener-workers.ts";

export interface AcceptStopParts {
  readonly sets: ListenerSets;
  readonly workers: ListenerWorkers;
  readonly stats: ListenerManagerStats;
  readonly errors: ListenerErrors;
  readonly dropWarming: (listener: Listener) => void;
  /** One that was pushed while it could not be applied. */
  readonly apply: (resource: ListenerResource, isStatic: boolean) => Promise<void>;
  readonly openSockets: (listener: Listener) => Promise<AcquireResult>;
  /** One that was closed cannot listen again. */
  readonly onRefused: (listener: Listener, error: string) => void;
}

interface Missed {
  readonly resource: ListenerResource;
  readonly isStatic: boolean;
}

/** All but `covers` within the queue of the listener manager. */
export class AcceptStop {
  readonly #parts: AcceptStopParts;
  /** Sticky (Envoy: `stopListeners`). */
  #stopped: DrainDirection | undefined;
  #isPaused = false;
  /** By name: the last that came while paused. */
  readonly #missed = new Map<string, Missed>();

  constructor(parts: AcceptStopParts) {
    this.#parts = parts;
  }

  covers(facts: Pick<ListenerConfig, "trafficDirection">): boolean {
    return this.#isPaused || this.#isOver(facts);
  }

  /** For good. */
  async stop(direction: DrainDirection): Promise<void> {
    if (this.#stopped !== "all") this.#stopped = direction;
    await this.#stopWhere(() => true);
  }

  /** Until `resume`. What is not kept is closed: who dials where nobody else listens shall be refused, not wait. */
  async pause(keeps: (lease: SocketLease) => boolean): Promise<void> {
    this.#isPaused = true;
    await this.#parts.workers.pause(true);
    await this.#stopWhere(({ sockets }) => !sockets.every(keeps));
  }

  async resume(): Promise<void> {
    const { sets, workers, apply } = this.#parts;
    this.#isPaused = false;
    for (const { sockets } of sets.active.values())
      for (const lease of sockets) lease.listenAgain();
    await workers.pause(false);
    const closed = [...sets.active.values()].filter(
      ({ isStopped, facts }) => isStopped && !this.#isOver(facts),
    );
    for (const listener of closed) await this.#reopen(listener);
    for (const [name, { resource, isStatic }] of this.#missed) {
      this.#missed.delete(name);
      await apply(resource, isStatic);
    }
  }

  /** It was skipped. */
  miss(resource: ListenerResource, isStatic: boolean): void {
    const { facts } = resource.decoded;
    if (this.#isPaused) this.#missed.set(facts.name, { resource, isStatic });
  }

  /** The control plane has removed it. */
  forget(name: string): void {
    this.#missed.delete(name);
  }

  #isOver({ trafficDirection }: Pick<ListenerConfig, "trafficDirection">): boolean {
    if (this.#stopped === "inboundOnly") return trafficDirection === "inbound";
    return this.#stopped === "all";
  }

  /** It binds anew, and is the same listener: connections that it has are in no drain. */
  async #reopen(listener: Listener): Promise<void> {
    const { workers, openSockets, onRefused } = this.#parts;
    const opened = await openSockets(listener);
    if (!opened.ok) return onRefused(listener, opened.error);
    listener.reopen(opened.leases);
    for (const lease of opened.leases) {
      const error = lease.startListening();
      if (error !== undefined) return onRefused(listener, error);
    }
    await workers.reopen(listener);
  }

  async #stopWhere(isMeant: (listener: Listener) => boolean): Promise<void> {
    const { sets, workers, stats, errors, dropWarming } = this.#parts;
    for (const listener of sets.warming.values()) {
      if (!this.covers(listener.facts)) continue;
      errors.skip(listener.resource, stoppedReason);
      this.miss(listener.resource, listener.isStatic);
      dropWarming(listener);
    }
    const stopping = [...sets.active.values()].filter(
      (listener) => this.covers(listener.facts) && !listener.isStopped && isMeant(listener),
    );
    await Promise.all(stopping.map((listener) => workers.stop(listener)));
    for (const listener of stopping) {
      listener.markStopped();
      listener.releaseSockets();
      stats.count("listener_stopped");
    }
  }
}
