import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { TokenBucket } from "../../../src/control/xds/token-bucket.ts";

test("never more than the bucket and what has flowed in since, and never a wait for nothing", () => {
  const anyStep = fc.integer({ min: 0, max: 2_000 });
  fc.assert(
    fc.property(fc.array(anyStep), fc.integer({ min: 1, max: 5 }), (steps, maxTokens) => {
      const bucket = new TokenBucket({ maxTokens, tokensPerSecond: 2 }, 0);
      let nowMs = 0;
      let spent = 0;
      for (const stepMs of steps) {
        nowMs += stepMs;
        const waitMs = bucket.waitMs(nowMs);
        if (waitMs > 0) {
          assert.equal(bucket.waitMs(nowMs + waitMs), 0, "after the wait there is one");
          nowMs += waitMs;
        }
        bucket.spend();
        spent++;
        assert(spent <= maxTokens + (nowMs / 1000) * 2 + 1e-6);
      }
    }),
  );
});
