import assert from "node:assert/strict";
import { test } from "node:test";
import { CircuitBreakerStats } from "../../../src/control/cluster/circuit-breaker-stats.ts";
import {
  clusterLimitOffsets,
  clusterLimitSlots,
} from "../../../src/shared/protocol/worker-command.ts";
import { FakeStats } from "../../support/fake-stats.ts";

const limits = { maxConnections: 2, maxPendingRequests: 3, maxRequests: 4, maxRetries: 1 };
const base = 100;

test("a breaker is open while its limit is reached, each priority by its own counters", () => {
  const stats = new FakeStats();
  const breakers = new CircuitBreakerStats(stats, "cluster.c.");
  const counts = new Map([
    [base + clusterLimitOffsets.connections, 2],
    [base + clusterLimitOffsets.requests, 3],
    [base + clusterLimitSlots / 2 + clusterLimitOffsets.retries, 1],
  ]);
  const value = (name: string): number => stats.value(`cluster.c.circuit_breakers.${name}`);
  const refresh = (high: typeof limits & { trackRemaining?: boolean }): void =>
    breakers.refresh({ default: limits, high }, base, (index) => counts.get(index) ?? 0);
  refresh(limits);
  assert.equal(value("default.cx_open"), 1);
  assert.equal(value("default.rq_open"), 0);
  assert.equal(value("default.rq_retry_open"), 0);
  assert.equal(value("high.rq_retry_open"), 1);
  assert.equal(value("high.cx_open"), 0);
  counts.set(base + clusterLimitOffsets.connections, 1);
  refresh({ ...limits, trackRemaining: true });
  assert.equal(value("default.cx_open"), 0);
  assert.equal(value("high.remaining_cx"), 2);
  assert.equal(value("high.remaining_retries"), 0);
});
