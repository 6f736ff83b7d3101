import assert from "node:assert/strict";
import { test } from "node:test";
import { GivenConnections } from "../../../src/data/connection-handler/given-connections.ts";
import { listenerTag } from "../../../src/shared/common/brand.ts";
import { tickMs } from "../../../src/shared/io/timer-wheel.ts";
import type { MovedConnection } from "../../../src/shared/protocol/moved-connection.ts";
import type { WorkerEvent } from "../../../src/shared/protocol/worker-event.ts";
import { VirtualWheel } from "../../support/virtual-wheel.ts";

/** A listener with so many connections, which leave when they are asked. */
function listenerOf(tag: number, count: number, asked: number[] = []) {
  const connections = Array.from({ length: count }, (_, descriptor) => ({
    giveAway(give: (moved: MovedConnection) => void): void {
      asked.push(descriptor);
      give({ kind: "idle", descriptor, ageMs: 0, requests: 1 });
    },
  }));
  const slots = { connectionCount: tag };
  return { tag: listenerTag(tag), slots, movableConnections: () => connections };
}

test("GivenConnections asks some at a time, and each once", () => {
  const time = new VirtualWheel();
  const tasks: (() => void)[] = [];
  const events: WorkerEvent[] = [];
  const reactor = { timers: time.timers, atRoundEnd: (task: () => void) => tasks.push(task) };
  const given = new GivenConnections(reactor, (event) => events.push(event));
  const endRound = (): number[] => {
    for (const task of tasks.splice(0)) task();
    return events
      .splice(0)
      .map((event) => (event.kind === "connectionsGiven" ? event.connections.length : -1));
  };
  const asked: number[] = [];
  const many = listenerOf(1, 1_200, asked);
  given.ask(many);
  given.ask(listenerOf(2, 10));
  // It is being asked.
  given.ask(many);
  assert.deepEqual(endRound(), [500]);
  time.advance(tickMs);
  assert.deepEqual(endRound(), [500]);
  time.advance(tickMs);
  assert.deepEqual(endRound(), [200, 10]);
  time.advance(10 * tickMs);
  assert.deepEqual(endRound(), []);
  assert.deepEqual(
    asked,
    Array.from({ length: 1_200 }, (_, i) => i),
  );
  given.ask(many);
  assert.deepEqual(endRound(), [500]);
  given[Symbol.dispose]();
  time.advance(10 * tickMs);
  assert.deepEqual(endRound(), []);
});
