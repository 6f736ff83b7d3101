import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { drainId } from "../../../src/shared/common/brand.ts";
import { type DrainStart, drainPolicyDefaults } from "../../../src/shared/drain/drain.ts";
import {
  drainInstant,
  evenPlace,
  gradualWindowMs,
  nextDrainStep,
  silencePlan,
} from "../../../src/shared/drain/drain-decision.ts";

function drainStart(overrides: Partial<DrainStart> = {}): DrainStart {
  return {
    id: drainId(1),
    cause: "lds-remove",
    startMs: 1_000,
    deadlineMs: 61_000,
    strategy: "gradual",
    ...drainPolicyDefaults,
    cutsAtDeadline: true,
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

test("silencePlan() ends an idle connection before it would be cut, in the shortest drain too", () => {
  assert.deepEqual(silencePlan(drainStart()), { graceMs: 5_000, endsMs: 60_900 });
  assert.deepEqual(silencePlan(drainStart({ idle: "keep" })), {
    graceMs: Infinity,
    endsMs: 60_900,
  });
  fc.assert(
    fc.property(anyDrain, anyShare, (drain, place) => {
      const { graceMs, endsMs } = silencePlan(drain);
      const toldMs = drainInstant(drain, drain.startMs, place);
      // Told, and silent for a while: the last one of a short drain has three eighths of it.
      assert(endsMs >= toldMs && endsMs <= drain.deadlineMs);
      const durationMs = drain.deadlineMs - drain.startMs;
      assert(endsMs < drain.deadlineMs || durationMs === 0);
      assert(endsMs - toldMs >= Math.min(graceMs - 100, (durationMs * 3) / 8) - 1e-6);
    }),
  );
});

const busy = { protocol: "http1", isIdle: false, isTold: true } as const;
const idle = { ...busy, isIdle: true };
const tcp = { ...busy, protocol: "tcp" } as const;

test("nextDrainStep() tells first, then cuts at the deadline", () => {
  const untold = { ...idle, isTold: false };
  assert.deepEqual(nextDrainStep(drainStart(), 7_000, untold, 1_000), {
    kind: "tell",
    atMs: 7_000,
  });
  assert.deepEqual(nextDrainStep(drainStart(), 7_000, busy, 7_000), { kind: "cut", atMs: 61_000 });
  assert.deepEqual(nextDrainStep(drainStart(), 7_000, tcp, 61_000), { kind: "cut", atMs: 61_000 });
});

test("nextDrainStep() of `idle: close` tells at once who is idle, the others at their instant", () => {
  const drain = drainStart({ idle: "close" });
  const tellAt = (isIdle: boolean) =>
    nextDrainStep(drain, 7_000, { ...busy, isIdle, isTold: false }, 1_000);
  assert.deepEqual(tellAt(true), { kind: "tell", atMs: 1_000 });
  assert.deepEqual(tellAt(false), { kind: "tell", atMs: 7_000 });
});

test("nextDrainStep() of `streams: finish` leaves at the deadline what is busy, and cuts what is idle", () => {
  const drain = drainStart({ streams: "finish" });
  assert.deepEqual(nextDrainStep(drain, 7_000, busy, 60_000), { kind: "cut", atMs: 61_000 });
  assert.deepEqual(nextDrainStep(drain, 7_000, busy, 61_000), { kind: "none" });
  assert.deepEqual(nextDrainStep(drain, 7_000, idle, 61_000), { kind: "cut", atMs: 61_000 });
  assert.deepEqual(nextDrainStep(drain, 7_000, tcp, 61_000), { kind: "cut", atMs: 61_000 });
});

test("nextDrainStep() never cuts TCP that is kept, nor anything of a drain of the server", () => {
  assert.deepEqual(nextDrainStep(drainStart({ tcp: "keep" }), 7_000, tcp, 61_000), {
    kind: "none",
  });
  const ofServer = drainStart({ cutsAtDeadline: false });
  assert.deepEqual(nextDrainStep(ofServer, 7_000, idle, 61_000), { kind: "none" });
});
