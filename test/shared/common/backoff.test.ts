import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Backoff } from "../../../src/shared/common/backoff.ts";
import { seededRandom } from "../../support/seeded-random.ts";

test("nextMs() stays below a ceiling that doubles up to the maximum", () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 1, max: 20 }), (seed, rounds) => {
      const backoff = new Backoff({ baseMs: 500, maxMs: 30_000 }, seededRandom(seed));
      for (let round = 0; round < rounds; round++) {
        const delayMs = backoff.nextMs();
        assert(Number.isInteger(delayMs) && delayMs >= 0);
        assert(delayMs < Math.min(500 * 2 ** round, 30_000));
      }
    }),
  );
});

test("reset() makes the next delay small again", () => {
  const random = { next: () => 0.999, fill: () => {} };
  const backoff = new Backoff({ baseMs: 100, maxMs: 1_000 }, random);
  backoff.nextMs();
  backoff.nextMs();
  backoff.reset();
  assert.equal(backoff.nextMs(), 99);
});
