import assert from "node:assert/strict";
import type { DrainView } from "../../src/control/listener/drain-view.ts";
import { drainPolicyDefaults } from "../../src/shared/drain/drain.ts";
import type { ListenerHarness } from "../support/listener-harness.ts";

type Order = "cancel" | "end" | "extend";

/**
 * Watches every drain of a simulation. 1. Counts always add up. 2. A drain that ends before its deadline leaves nobody
 * cut and nobody behind, unless it was ordered so. 3. A deadline moves later by an extension alone, and
 * earlier by an order to end, and then to that very moment, or for too many generations, and then leaves the grace. 4. Of
 * one name at most so many versions drain on at their own pace. 5. What ended stays as it is.
 */
export class DrainReferee {
  readonly #harness: ListenerHarness;
  readonly #maxGenerations: number;
  readonly #orders = new Map<number, Set<Order>>();
  readonly #last = new Map<number, DrainView>();

  constructor(harness: ListenerHarness, maxGenerations: number) {
    this.#harness = harness;
    this.#maxGenerations = maxGenerations;
  }

  /** Carries the order out; what was refused must have changed nothing. */
  async order(id: number, order: Order, byMs: number): Promise<void> {
    const { drains } = this.#harness;
    const orders = this.#orders.get(id) ?? new Set();
    this.#orders.set(id, orders);
    const wasOrdered = orders.has(order);
    orders.add(order);
    const result = await (order === "extend" ? drains.extend(id, { byMs }) : drains[order](id));
    if (!result.ok && !wasOrdered) orders.delete(order);
  }

  check(): void {
    const { drains } = this.#harness.drains.list();
    for (const drain of drains) {
      this.#checkCounts(drain);
      if (drain.ended_at !== null) this.#checkEnd(drain);
      const before = this.#last.get(drain.id);
      if (before) this.#checkChange(before, drain);
      this.#last.set(drain.id, drain);
    }
    this.#checkGenerations(drains);
  }

  #checkCounts({ id, connections, by_protocol }: DrainView): void {
    for (const counts of [connections, ...Object.values(by_protocol)]) {
      const { at_start, finished, closed_by_peer, forced, remaining } = counts;
      const sum = finished + closed_by_peer + forced + remaining;
      assert.equal(at_start, sum, `counts of drain ${id} do not add up`);
    }
  }

  #checkEnd(drain: DrainView): void {
    const { id, state, ended_by, ended_at, deadline, connections } = drain;
    const { forced, remaining } = connections;
    assert(ended_at !== null);
    switch (ended_by) {
      case "empty":
        assert.equal(remaining, 0, `drain ${id} ended early with connections`);
        assert(
          ended_at >= deadline || forced === 0 || this.#mayBeCutEarly(drain, ended_at),
          `drain ${id} ended early with connections cut`,
        );
        break;
      case "deadline":
        assert(ended_at >= deadline, `drain ${id} ended before its deadline`);
        break;
      case "order": {
        const order = state === "cancelled" ? "cancel" : "end";
        assert(this.#orders.get(id)?.has(order), `nobody ordered to ${order} drain ${id}`);
        break;
      }
      case "listener":
      case "generations":
      case "wider":
        break;
      case "process":
        return assert.fail(`drain ${id} is of another process`);
      case null:
        return assert.fail(`drain ${id} ended by nothing`);
      default:
        ended_by satisfies never;
    }
    if (ended_by !== "order" && ended_by !== "wider")
      assert(state === "complete" || state === "forced" || ended_at >= deadline, `${id} ${state}`);
  }

  /**
   * A connection may be in several drains, and is cut at the first deadline of them. A worker that hears of an
   * extension too late has cut already.
   */
  #mayBeCutEarly({ id, listener }: DrainView, byWhen: string): boolean {
    if (this.#orders.get(id)?.has("extend")) return true;
    const { drains } = this.#harness.drains.list();
    return drains.some(
      (other) => other.id !== id && other.listener === listener && other.deadline <= byWhen,
    );
  }

  #checkChange(before: DrainView, now: DrainView): void {
    const { id } = now;
    if (before.ended_at !== null) return assert.deepEqual(now, before, `drain ${id} changed`);
    const ordered = this.#orders.get(id);
    if (now.deadline > before.deadline)
      assert(ordered?.has("extend"), `nobody extended drain ${id}`);
    if (now.deadline >= before.deadline) return;
    const isExcess = now.cause === "lds-remove" || now.cause === "lds-replace";
    assert(ordered?.has("end") || isExcess, `nobody ended drain ${id}`);
    const wallMs = this.#harness.clock.wallTime();
    const graceMs = ordered?.has("end") ? 0 : drainPolicyDefaults.idleGraceMs;
    assert(Date.parse(now.deadline) <= wallMs + graceMs, `drain ${id} was shortened, not ended`);
  }

  /** Those over the bound are ending already: they are empty, or have their grace at most. */
  #checkGenerations(drains: readonly DrainView[]): void {
    const wallMs = this.#harness.clock.wallTime();
    const byName = new Map<string, number>();
    for (const { cause, listener, state, deadline, connections } of drains) {
      if (listener === null || state !== "draining" || connections.remaining === 0) continue;
      if (cause !== "lds-remove" && cause !== "lds-replace") continue;
      if (Date.parse(deadline) <= wallMs + drainPolicyDefaults.idleGraceMs) continue;
      byName.set(listener, (byName.get(listener) ?? 0) + 1);
    }
    for (const [name, count] of byName)
      assert(count <= this.#maxGenerations, `${count} versions of ${name} drain on`);
  }
}
