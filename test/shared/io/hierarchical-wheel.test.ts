import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { HierarchicalWheel } from "../../../src/shared/io/hierarchical-wheel.ts";
import { TimerSlot, tickMs } from "../../../src/shared/io/timer-wheel.ts";

/** A wheel under a clock that stands still until it is moved. */
function createWheel(startMs = 0) {
  const owner = {
    nowMs: startMs,
    wakeUps: 0,
    bugs: [] as unknown[],
    wakeEarlier() {
      this.wakeUps += 1;
    },
    bug(error: unknown) {
      this.bugs.push(error);
    },
  };
  const wheel = new HierarchicalWheel(owner);
  /** Moves time as a loop would: from wake to wake, then to the end. */
  const moveTo = (endMs: number): void => {
    for (;;) {
      const wakeMs = owner.nowMs + wheel.nextWakeMs();
      if (wakeMs > endMs) break;
      owner.nowMs = Math.max(wakeMs, owner.nowMs + 0.001);
      wheel.advance(owner.nowMs);
    }
    owner.nowMs = endMs;
    wheel.advance(endMs);
  };
  return { owner, wheel, moveTo };
}

const operation = fc.oneof(
  fc.record({
    kind: fc.constant("arm" as const),
    timer: fc.nat(9),
    delayMs: fc.oneof(
      fc.nat(100),
      fc.nat(3_000),
      fc.nat(200_000),
      fc.nat(20_000_000),
      fc.double({ min: 0, max: 1e9, noNaN: true }),
    ),
  }),
  fc.record({ kind: fc.constant("cancel" as const), timer: fc.nat(9) }),
  fc.record({ kind: fc.constant("move" as const), byMs: fc.oneof(fc.nat(50), fc.nat(30_000_000)) }),
);

test("the wheel fires as a sorted list would: never early, less than a tick late, once", () => {
  fc.assert(
    fc.property(fc.nat(1e6), fc.array(operation, { maxLength: 60 }), (startMs, operations) => {
      const { owner, wheel, moveTo } = createWheel(startMs);
      const dueMs = new Map<number, number>();
      const timers = Array.from({ length: 10 }, (_, index) => {
        const onTimer = (): void => {
          const due = dueMs.get(index);
          assert(due !== undefined, "fired although it was not armed");
          assert(owner.nowMs >= due, `early by ${due - owner.nowMs}`);
          assert(owner.nowMs < due + 2 * tickMs, `late by ${owner.nowMs - due}`);
          dueMs.delete(index);
        };
        return new TimerSlot({ onTimer });
      });
      const timer = (index: number): TimerSlot => timers[index] ?? assert.fail();
      for (const step of operations) {
        if (step.kind === "arm") {
          dueMs.set(step.timer, owner.nowMs + step.delayMs);
          wheel.arm(timer(step.timer), step.delayMs);
        } else if (step.kind === "cancel") {
          dueMs.delete(step.timer);
          wheel.cancel(timer(step.timer));
        } else moveTo(owner.nowMs + step.byMs);
        for (const due of dueMs.values())
          assert(due + 2 * tickMs > owner.nowMs, "one was forgotten");
      }
      assert.deepEqual(owner.bugs, []);
      assert.equal(Number.isFinite(wheel.nextWakeMs()), dueMs.size > 0);
    }),
    { numRuns: 300 },
  );
});

test("a callback may arm itself again and cancel its neighbour", () => {
  const { wheel, moveTo } = createWheel();
  const fired: string[] = [];
  const second = new TimerSlot({ onTimer: () => fired.push("second") });
  const first: TimerSlot = new TimerSlot({
    onTimer: () => {
      fired.push("first");
      wheel.cancel(second);
      if (fired.length < 3) wheel.arm(first, 100);
    },
  });
  wheel.arm(first, 100);
  wheel.arm(second, 100);
  moveTo(1000);
  assert.deepEqual(fired, ["first", "first", "first"]);
});

test("a callback that throws is reported and stops no other", () => {
  const { owner, wheel, moveTo } = createWheel();
  let fired = 0;
  const bad = new TimerSlot({
    onTimer: () => {
      throw new Error("on purpose");
    },
  });
  wheel.arm(bad, 10);
  wheel.arm(new TimerSlot({ onTimer: () => (fired += 1) }), 10);
  moveTo(100);
  assert.equal(fired, 1);
  assert.equal(owner.bugs.length, 1);
});

test("the owner is woken only for a timer that is due before all others", () => {
  const { owner, wheel } = createWheel();
  const slot = (): TimerSlot => new TimerSlot({ onTimer: () => {} });
  wheel.arm(slot(), 5_000);
  assert.equal(owner.wakeUps, 1);
  wheel.nextWakeMs();
  wheel.arm(slot(), 60_000);
  assert.equal(owner.wakeUps, 1);
  wheel.arm(slot(), 40);
  assert.equal(owner.wakeUps, 2);
});

test("an idle hour costs a handful of wake-ups", () => {
  const { owner, wheel } = createWheel();
  let fired = false;
  wheel.arm(new TimerSlot({ onTimer: () => (fired = true) }), 3_600_000);
  let wakeUps = 0;
  while (!fired) {
    owner.nowMs += wheel.nextWakeMs();
    wheel.advance(owner.nowMs);
    wakeUps += 1;
  }
  assert(wakeUps <= 5, `${wakeUps} wake-ups`);
});
