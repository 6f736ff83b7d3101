import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { drainId } from "../../../src/shared/common/brand.ts";
import type { DrainStart } from "../../../src/shared/drain/drain.ts";
import {
  drawDrainInstant,
  gradualWindowMs,
  nextDrainStep,
} from "../../../src/shared/drain/drain-decision.ts";
import { seededRandom } from "../../support/seeded-random.ts";

function drainStart(overrides: Partial<DrainStart> = {}): DrainStart {
  return {
    id: drainId(1),
    cause: "lds-remove",
    startMs: 1_000,
    deadlineMs: 61_000,
    strategy: "gradual",
    idleGraceMs: 5_000,
    atDeadline: "cut",
    ...overrides,
  };
}

const anyDrain = fc
  .record({
    startMs: fc.nat({ max: 1e6 }),
    durationMs: fc.nat({ max: 1e6 }),
    idleGraceMs: fc.nat({ max: 20_000 }),
  })
  .map(({ startMs, durationMs, idleGraceMs }) =>
    drainStart({ startMs, deadlineMs: startMs + durationMs, idleGraceMs }),
  );

test("drawDrainInstant() lies between now and the deadline", () => {
  fc.assert(
    fc.property(
      anyDrain,
      fc.nat(),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (drain, seed, at) => {
        const nowMs = drain.startMs + at * (drain.deadlineMs - drain.startMs);
        const instant = drawDrainInstant(drain, nowMs, seededRandom(seed));
        assert(instant >= nowMs && instant <= drain.deadlineMs);
        assert(instant <= Math.max(nowMs, drain.startMs + gradualWindowMs(drain)));
      },
    ),
  );
});

test("drawDrainInstant() tells, by time t, a share of t over the window", () => {
  const drain = drainStart();
  const random = seededRandom(5);
  const instants = Array.from({ length: 10_000 }, () =>
    drawDrainInstant(drain, drain.startMs, random),
  );
  for (const share of [0.1, 0.5, 0.9]) {
    const byThen = drain.startMs + share * gradualWindowMs(drain);
    const told = instants.filter((instant) => instant <= byThen).length / instants.length;
    assert(Math.abs(told - share) < 0.02, `${told} at ${share}`);
  }
});

test("drawDrainInstant() tells late-accepted connections as if they had drawn at the start", () => {
  const drain = drainStart();
  const random = seededRandom(5);
  const nowMs = drain.startMs + gradualWindowMs(drain) / 2;
  const instants = Array.from({ length: 10_000 }, () => drawDrainInstant(drain, nowMs, random));
  const atOnce = instants.filter((instant) => instant === nowMs).length / instants.length;
  assert(Math.abs(atOnce - 0.5) < 0.02, `${atOnce}`);
});

test("drawDrainInstant() of an immediate drain is now", () => {
  assert.equal(
    drawDrainInstant(drainStart({ strategy: "immediate" }), 1_500, seededRandom(1)),
    1_500,
  );
});

test("gradualWindowMs() leaves the grace, or half of a short drain", () => {
  assert.equal(gradualWindowMs(drainStart()), 55_000);
  assert.equal(gradualWindowMs(drainStart({ deadlineMs: 5_000 })), 2_000);
  assert.equal(gradualWindowMs(drainStart({ deadlineMs: 0 })), 0);
});

test("nextDrainStep() tells first, then cuts at the deadline unless the policy keeps", () => {
  assert.deepEqual(nextDrainStep(drainStart(), 7_000, false), { kind: "tell", atMs: 7_000 });
  assert.deepEqual(nextDrainStep(drainStart(), 7_000, true), { kind: "cut", atMs: 61_000 });
  const kept = drainStart({ atDeadline: "keep" });
  assert.deepEqual(nextDrainStep(kept, 7_000, true), { kind: "none" });
});
