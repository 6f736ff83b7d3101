import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { SharedTokenBucket } from "../../../src/data/listener-filters/shared-token-bucket.ts";

const limits = (): Int32Array => new Int32Array(new SharedArrayBuffer(64));

test("it begins full, and fills steadily", () => {
  const bucket = new SharedTokenBucket(limits(), 2, { maxTokens: 3, fillMs: 1_000 });
  const taken = (nowMs: number): boolean => bucket.take(nowMs);
  assert.deepEqual([taken(5), taken(5), taken(5), taken(5)], [true, true, true, false]);
  assert.deepEqual(
    [taken(500), taken(1_004), taken(1_005), taken(1_005)],
    [false, false, true, false],
  );
  assert.deepEqual(
    [1, 2, 3, 4].map(() => taken(1e9)),
    [true, true, true, false],
  );
});

test("without tokens it gives none", () => {
  const bucket = new SharedTokenBucket(limits(), 0, { maxTokens: 0, fillMs: 50 });
  assert.equal(bucket.take(1e6), false);
});

test("however long nobody came, it is full and no more", () => {
  const bucket = new SharedTokenBucket(limits(), 0, { maxTokens: 1, fillMs: 0.001 });
  for (const days of [1, 30, 365]) {
    const nowMs = days * 86_400_000;
    assert.deepEqual([bucket.take(nowMs), bucket.take(nowMs)], [true, false]);
  }
});

test("two takers of one bucket have no more than one, and in any run of time no more than fills in", () => {
  fc.assert(
    fc.property(
      fc.nat({ max: 5 }),
      fc.array(fc.tuple(fc.boolean(), fc.nat({ max: 300 })), { maxLength: 60 }),
      (maxTokens, visits) => {
        const shared = limits();
        const rate = { maxTokens, fillMs: 100 };
        const takers = [
          new SharedTokenBucket(shared, 4, rate),
          new SharedTokenBucket(shared, 4, rate),
        ];
        const takenAt: number[] = [];
        let nowMs = 1;
        for (const [isFirst, pauseMs] of visits) {
          nowMs += pauseMs;
          if (takers[isFirst ? 0 : 1]?.take(nowMs)) takenAt.push(nowMs);
        }
        for (const [i, from] of takenAt.entries())
          for (const [j, until] of takenAt.entries())
            if (j >= i) assert(j - i + 1 <= maxTokens + (until - from) / 100 + 1e-6);
      },
    ),
  );
});
