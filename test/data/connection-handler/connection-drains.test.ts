import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { drainId } from "../../../src/shared/common/brand.ts";
import {
  type DrainCounts,
  type DrainStart,
  type DrainedProtocol,
  drainPolicyDefaults,
} from "../../../src/shared/drain/drain.ts";
import type { CloseReason, Reactor } from "../../../src/shared/io/reactor.ts";
import type { WorkerEvent } from "../../../src/shared/protocol/worker-event.ts";
import { ActiveDrain } from "../../../src/data/connection-handler/active-drain.ts";
import {
  ConnectionDrains,
  type DrainedConnection,
} from "../../../src/data/connection-handler/connection-drains.ts";
import { seededRandom } from "../../support/seeded-random.ts";
import { VirtualWheel } from "../../support/virtual-wheel.ts";

class FakeConnection implements DrainedConnection {
  protocol: DrainedProtocol = "http1";
  isIdle = false;
  readonly tolds: DrainStart[] = [];
  readonly movedTo: number[] = [];
  isCut = false;
  isClosed = false;
  readonly drains: ConnectionDrains;

  constructor(wheel: VirtualWheel) {
    // Only the time and the timers of a reactor are used.
    this.drains = new ConnectionDrains(this, wheel as unknown as Reactor);
  }

  tellToDrain(drain: DrainStart): void {
    this.tolds.push(drain);
  }

  moveDrainDeadline(drain: DrainStart): void {
    this.movedTo.push(drain.deadlineMs);
  }

  cut(): void {
    this.isCut = true;
    this.drains.force();
    this.close("local");
  }

  close(reason: CloseReason): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.drains.closed(reason);
  }
}

function setUp(overrides: Partial<DrainStart> = {}, seed = 1) {
  const wheel = new VirtualWheel();
  const random = seededRandom(seed);
  const events: WorkerEvent[] = [];
  const newDrain = (more: Partial<DrainStart> = {}): ActiveDrain =>
    new ActiveDrain(
      {
        id: drainId(1),
        cause: "lds-remove",
        startMs: wheel.nowMs,
        deadlineMs: wheel.nowMs + 10_000,
        strategy: "gradual",
        ...drainPolicyDefaults,
        idleGraceMs: 2_000,
        cutsAtDeadline: true,
        ...overrides,
        ...more,
      },
      { reactor: wheel as unknown as Reactor, random },
      (event) => events.push(event),
    );
  const newConnection = (): FakeConnection => new FakeConnection(wheel);
  return { wheel, events, newDrain, newConnection };
}

function latest(
  events: readonly WorkerEvent[],
  id = 1,
): Partial<Record<DrainedProtocol, DrainCounts>> {
  const reports = events.filter((event) => event.kind === "drainProgress" && event.drain === id);
  const last = reports.at(-1);
  assert(last?.kind === "drainProgress");
  return last.counts;
}

test("a connection is told once within the window, then cut at the deadline", () => {
  const { wheel, events, newDrain, newConnection } = setUp();
  const drain = newDrain();
  const connections = Array.from({ length: 50 }, newConnection);
  for (const connection of connections) connection.drains.join(drain);
  wheel.advance(8_020);
  assert(connections.every(({ tolds, isCut }) => tolds.length === 1 && !isCut));
  wheel.advance(1_970);
  assert(connections.every(({ isCut }) => !isCut));
  wheel.advance(50);
  assert(connections.every(({ isCut }) => isCut));
  const { http1 } = latest(events);
  assert.deepEqual(http1, {
    atStart: 50,
    notified: 50,
    finished: 0,
    closedByPeer: 0,
    forced: 50,
    remaining: 0,
  });
});

test("outcomes: ended by us is finished, by the peer closedByPeer, at the deadline forced", () => {
  const { wheel, events, newDrain, newConnection } = setUp({ strategy: "immediate" });
  const drain = newDrain();
  const [byUs, byPeer, byReset, stays] = Array.from({ length: 4 }, newConnection);
  assert(byUs && byPeer && byReset && stays);
  for (const connection of [byUs, byPeer, byReset, stays]) connection.drains.join(drain);
  byUs.close("local");
  byPeer.close("remote");
  byReset.close("reset");
  wheel.advance(10_020);
  assert.deepEqual(latest(events).http1, {
    atStart: 4,
    notified: 4,
    finished: 1,
    closedByPeer: 2,
    forced: 1,
    remaining: 0,
  });
});

test("a policy of finishing never cuts what is busy", () => {
  const { wheel, newDrain, newConnection } = setUp({ streams: "finish", strategy: "immediate" });
  const connection = newConnection();
  connection.drains.join(newDrain());
  wheel.advance(60_000);
  assert.deepEqual([connection.tolds.length, connection.isCut], [1, false]);
});

test("two drains overlap: told once, counted as told in both, cut at the earlier deadline", () => {
  const { wheel, events, newDrain, newConnection } = setUp();
  const connection = newConnection();
  const first = newDrain({ cutsAtDeadline: false });
  connection.drains.join(first);
  const second = newDrain({ id: drainId(2), strategy: "immediate", deadlineMs: 500 });
  connection.drains.join(second);
  assert.equal(connection.tolds.length, 1);
  wheel.advance(520);
  assert(connection.isCut);
  for (const id of [1, 2]) {
    const counts = latest(events, id).http1;
    assert.deepEqual([counts?.atStart, counts?.notified, counts?.forced], [1, 1, 1]);
  }
});

test("a connection that was upgraded is counted under its new protocol", () => {
  const { events, newDrain, newConnection } = setUp({ strategy: "immediate" });
  const connection = newConnection();
  connection.drains.join(newDrain());
  connection.protocol = "websocket";
  connection.close("remote");
  const counts = latest(events);
  assert.equal(counts.http1?.atStart, 0);
  assert.equal(counts.http1?.notified, 0);
  assert.deepEqual([counts.websocket?.atStart, counts.websocket?.closedByPeer], [1, 1]);
});

test("reports come at most every 100 ms, but the end is reported at once", () => {
  const { wheel, events, newDrain, newConnection } = setUp({ strategy: "immediate" });
  const drain = newDrain();
  const connections = Array.from({ length: 100 }, newConnection);
  for (const connection of connections) connection.drains.join(drain);
  assert.equal(events.length, 0);
  wheel.advance(120);
  assert.equal(events.length, 1);
  for (const connection of connections.slice(1)) connection.close("remote");
  assert.equal(events.length, 1);
  connections[0]?.close("remote");
  assert.equal(events.length, 2);
  assert.equal(latest(events).http1?.remaining, 0);
});

test("an extension moves the cut of all, and the instant of nobody", () => {
  const run = (extendsAt: number | undefined): { tolds: readonly number[]; cutMs: number } => {
    const { wheel, newDrain, newConnection } = setUp();
    const drain = newDrain();
    const connections = Array.from({ length: 20 }, newConnection);
    for (const connection of connections) connection.drains.join(drain);
    const toldAt = new Map<FakeConnection, number>();
    while (!connections.every(({ isCut }) => isCut)) {
      if (wheel.nowMs === extendsAt) {
        drain.moveDeadline(40_000);
        for (const connection of connections) connection.drains.deadlineMoved(drain);
      }
      wheel.advance(20);
      for (const connection of connections)
        if (connection.tolds.length > 0 && !toldAt.has(connection))
          toldAt.set(connection, wheel.nowMs);
    }
    assert(connections.every(({ tolds }) => tolds.length === 1));
    const isHeard = connections.some(({ movedTo }) => movedTo.includes(40_000));
    assert.equal(isHeard, extendsAt !== undefined, "who was told hears of the new deadline");
    return { tolds: connections.map((each) => toldAt.get(each) ?? 0), cutMs: wheel.nowMs };
  };
  const plain = run(undefined);
  const extended = run(4_000);
  assert.deepEqual(extended.tolds, plain.tolds);
  assert(plain.cutMs <= 10_040 && extended.cutMs >= 40_000 && extended.cutMs <= 40_040);
});

test("a drain that may wait no longer tells everybody, and who comes late too", () => {
  const { wheel, newDrain, newConnection } = setUp();
  const drain = newDrain();
  const connections = Array.from({ length: 20 }, newConnection);
  for (const connection of connections) connection.drains.join(drain);
  drain.moveDeadline(5_000, true);
  for (const connection of connections) connection.drains.deadlineMoved(drain);
  assert(connections.every(({ tolds }) => tolds.length === 1));
  const late = newConnection();
  late.drains.join(drain);
  assert.equal(late.tolds.length, 1);
  wheel.advance(5_020);
  assert(connections.every(({ isCut }) => isCut));
});

test("who leaves a cancelled drain is neither told nor cut, and its counts stay", () => {
  const { wheel, events, newDrain, newConnection } = setUp();
  const drain = newDrain();
  const connection = newConnection();
  connection.drains.join(drain);
  assert.equal(connection.drains.find(drainId(1)), drain);
  connection.drains.leave(drain);
  drain.report();
  assert.equal(connection.drains.find(drainId(1)), undefined);
  wheel.advance(20_000);
  connection.close("remote");
  assert.deepEqual([connection.tolds.length, connection.isCut], [0, false]);
  const { http1 } = latest(events);
  assert.deepEqual([http1?.atStart, http1?.remaining, http1?.closedByPeer], [1, 1, 0]);
});

test("whenCut() waits until those that are cut have closed and were reported", () => {
  const { events, newDrain, newConnection } = setUp();
  const drain = newDrain();
  const [first, second] = [newConnection(), newConnection()];
  for (const connection of [first, second]) connection.drains.join(drain);
  let done = 0;
  drain.whenCut(2, () => done++);
  first.cut();
  assert.equal(done, 0);
  second.cut();
  assert.equal(done, 1);
  assert.deepEqual(latest(events).http1?.forced, 2);
  drain.whenCut(0, () => done++);
  assert.equal(done, 2, "there was nobody to cut");
});

type Step =
  | { readonly advanceMs: number }
  | { readonly connection: number; readonly what: "join" | CloseReason | "upgrade" };

const anyStep: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ advanceMs: fc.integer({ min: 1, max: 4_000 }) }),
  fc.record({
    connection: fc.nat({ max: 5 }),
    what: fc.constantFrom<"join" | CloseReason | "upgrade">(
      "join",
      "join",
      "upgrade",
      "local",
      "remote",
      "reset",
    ),
  }),
);

test("in every report atStart is finished + closedByPeer + forced + remaining", () => {
  fc.assert(
    fc.property(fc.array(anyStep, { maxLength: 40 }), fc.nat(), (steps, seed) => {
      const { wheel, events, newDrain, newConnection } = setUp({}, seed);
      const drain = newDrain();
      const connections = Array.from({ length: 6 }, newConnection);
      for (const step of steps) {
        if ("advanceMs" in step) wheel.advance(step.advanceMs);
        else act(connections[step.connection], step.what, drain);
      }
      wheel.advance(20_000);
      drain.report();
      assert.deepEqual(wheel.bugs, []);
      for (const event of events) {
        assert(event.kind === "drainProgress");
        for (const counts of Object.values(event.counts)) {
          const { atStart, notified, finished, closedByPeer, forced, remaining } = counts;
          assert.equal(atStart, finished + closedByPeer + forced + remaining);
          assert(notified <= atStart && Math.min(...Object.values(counts)) >= 0);
        }
      }
      const left = Object.values(latest(events)).reduce((sum, { remaining }) => sum + remaining, 0);
      assert.equal(left, 0, "after the deadline nobody remains");
    }),
  );
});

function act(
  connection: FakeConnection | undefined,
  what: "join" | CloseReason | "upgrade",
  drain: ActiveDrain,
): void {
  if (!connection || connection.isClosed) return;
  if (what === "join") connection.drains.join(drain);
  else if (what === "upgrade") connection.protocol = "websocket";
  else connection.close(what);
}
