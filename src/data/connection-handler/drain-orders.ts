/**
 * What main orders of a drain under way, and what it asks. There is no list of a drain's connections: that would
 * cost each of them memory in quiet times, so every connection of the worker is asked whether it is in.
 */
import type { DrainId, ListenerTag } from "../../shared/common/brand.ts";
import type { WorkerCommand } from "../../shared/protocol/worker-command.ts";
import type { RemainingConnection } from "../../shared/protocol/worker-event.ts";
import type { ActiveDrain } from "./active-drain.ts";
import type { ActiveListener } from "./active-listener.ts";
import type { DrainMember } from "./drain-member.ts";

type MoveDrainDeadline = Extract<WorkerCommand, { kind: "moveDrainDeadline" }>;

export class DrainOrders {
  readonly #listeners: ReadonlyMap<ListenerTag, ActiveListener>;
  readonly #serverDrains: readonly { readonly drain: ActiveDrain }[];

  constructor(
    listeners: ReadonlyMap<ListenerTag, ActiveListener>,
    serverDrains: readonly { readonly drain: ActiveDrain }[],
  ) {
    this.#listeners = listeners;
    this.#serverDrains = serverDrains;
  }

  moveDeadline({ drain: id, deadlineMs, tellsNow }: MoveDrainDeadline): void {
    const drain = this.#find(id);
    if (!drain) return;
    drain.moveDeadline(deadlineMs, tellsNow);
    for (const connection of this.#connectionsIn(id)) connection.deadlineMoved(drain);
  }

  /** `onEnded`: what was in it has closed and was counted. */
  end(id: DrainId, onEnded: () => void): void {
    const drain = this.#find(id);
    if (!drain) return onEnded();
    const connections = this.#connectionsIn(id);
    drain.whenCut(connections.length, onEnded);
    for (const connection of connections) connection.cut();
  }

  /** Its connections live on. How many of them will close all the same: they were told. TCP has no word for it. */
  cancel(id: DrainId): number {
    const drain = this.#find(id);
    if (!drain) return 0;
    for (const listener of this.#listeners.values()) listener.forgetDrain(drain);
    const connections = this.#connectionsIn(id);
    for (const connection of connections) connection.leaveDrain(drain);
    drain.report();
    return connections.filter((each) => each.isToldToDrain && each.protocol !== "tcp").length;
  }

  remaining(id: DrainId, limit: number): readonly RemainingConnection[] {
    return this.#connectionsIn(id)
      .sort((a, b) => a.startMs - b.startMs)
      .slice(0, limit)
      .map((connection) => connection.describe());
  }

  #find(id: DrainId): ActiveDrain | undefined {
    const ofServer = this.#serverDrains.find(({ drain }) => drain.start.id === id);
    if (ofServer) return ofServer.drain;
    for (const listener of this.#listeners.values()) {
      const drain = listener.findDrain(id);
      if (drain) return drain;
    }
    return undefined;
  }

  #connectionsIn(id: DrainId): DrainMember[] {
    return [...this.#listeners.values()].flatMap((listener) =>
      listener.drainMembers().filter((member) => member.drainOf(id) !== undefined),
    );
  }
}
