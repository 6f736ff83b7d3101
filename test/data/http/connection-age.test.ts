import assert from "node:assert/strict";
import { test } from "node:test";
import { maxAgeMs } from "../../../src/data/http/connection-age.ts";
import type { Random } from "../../../src/shared/common/random.ts";

const limits = (maxConnectionDurationMs: number, connectionDurationJitterPercent: number) => ({
  maxConnectionDurationMs,
  connectionDurationJitterPercent,
});
const drawing = (next: number): Random => ({ next: () => next, fill: () => {} });

test("a connection may become as old as was configured, and a drawn part of the jitter more", () => {
  assert.equal(maxAgeMs(limits(1_000, 0), drawing(0.5)), 1_000);
  assert.equal(maxAgeMs(limits(1_000, 30), drawing(0)), 1_000);
  assert.equal(maxAgeMs(limits(1_000, 30), drawing(0.5)), 1_150);
  assert.equal(maxAgeMs(limits(1_000, 100), drawing(0.9999)), 2_000);
});

test("jitter of no duration is none", () => {
  assert.equal(maxAgeMs(limits(0, 50), drawing(0.5)), 0);
});
