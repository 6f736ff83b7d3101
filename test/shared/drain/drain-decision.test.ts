import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { drainId } from "../../../src/shared/common/brand.ts";
import type { DrainStart } from "../../../src/shared/drain/drain.ts";
import {
  drainInstant,
  evenPlace,
  gradualWindowMs,
  nextDrainStep,
} from "../../../src/shared/drain/drain-decision.ts";

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

const anyShare = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

test("drainInstant() lies between now and the deadline", () => {
  fc.assert(
    fc.property(anyDrain, anyShare, anyShare, (drain, place, at) => {
      const nowMs = drain.startMs + at * (drain.deadlineMs - drain.startMs);
      const instant = drainInstant(drain, nowMs, place);
      assert(instant >= nowMs && instant <= drain.deadlineMs);
      assert(instant <= Math.max(nowMs, drain.startMs + gradualWindowMs(drain)));
    }),
  );
});

/** How many of `places` lie in each tenth of the window. */
function tenths(places: readonly number[]): readonly number[] {
  const counts = Array.from({ length: 10 }, () => 0);
  for (const place of places) {
    const tenth = Math.floor(place * 10);
    counts[tenth] = (counts[tenth] ?? 0) + 1;
  }
  return counts;
}

test("evenPlace() gives each tenth of the window its tenth, whichever connections are looked at", () => {
  fc.assert(
    fc.property(
      anyShare,
      fc.integer({ min: 1, max: 20 }),
      fc.nat({ max: 20 }),
      fc.integer({ min: 400, max: 2_000 }),
      (offset, step, first, count) => {
        const places = Array.from({ length: count }, (_, n) => evenPlace(first + n * step, offset));
        for (const told of tenths(places)) assert(Math.abs(told / count - 0.1) <= 0.025, `${told}`);
      },
    ),
  );
});

test("evenPlace() tells 9 to 11 percent of 2,000 connections in each tenth, over two workers", () => {
  fc.assert(
    fc.property(anyShare, anyShare, fc.integer({ min: 500, max: 1_500 }), (one, other, split) => {
      const places = Array.from({ length: 2_000 }, (_, n) =>
        n < split ? evenPlace(n, one) : evenPlace(n - split, other),
      );
      for (const told of tenths(places)) assert(told >= 180 && told <= 220, `${told}`);
    }),
  );
});

test("drainInstant() tells late-accepted connections as if they had been there at the start", () => {
  const drain = drainStart();
  const nowMs = drain.startMs + gradualWindowMs(drain) / 2;
  const instants = Array.from({ length: 1_000 }, (_, n) =>
    drainInstant(drain, nowMs, evenPlace(n, 0.3)),
  );
  const atOnce = instants.filter((instant) => instant === nowMs).length;
  assert(Math.abs(atOnce - 500) < 5, `${atOnce}`);
});

test("drainInstant() of an immediate drain is now", () => {
  assert.equal(drainInstant(drainStart({ strategy: "immediate" }), 1_500, 0.9), 1_500);
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
