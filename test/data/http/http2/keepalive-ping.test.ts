import assert from "node:assert/strict";
import { test } from "node:test";
import { never } from "../../../../src/data/http/deadline-timer.ts";
import { KeepalivePing } from "../../../../src/data/http/http2/keepalive-ping.ts";
import type { Http2Keepalive } from "../../../../src/shared/config/http-config.ts";

const settings = { intervalMs: 100, timeoutMs: 20, jitterPercent: 50, idleIntervalMs: 0 };
const pingOf = (overrides: Partial<Http2Keepalive> = {}): KeepalivePing =>
  new KeepalivePing({ ...settings, ...overrides }, { next: () => 0.5, fill: () => {} }, 1_000);

test("the next interval begins with the answer", () => {
  const ping = pingOf();
  assert.equal(ping.nextDueMs(), 1_125);
  assert.equal(ping.isDue(1_124), false);
  assert.equal(ping.isDue(1_125), true);
  const number = ping.next(1_125);
  assert.equal(ping.nextDueMs(), 1_145);
  assert.equal(ping.isOverdue(1_144), false);
  assert.equal(ping.isOverdue(1_145), true);
  ping.onAck(number + 1, 1_130);
  assert.equal(ping.nextDueMs(), 1_145);
  ping.onAck(number, 1_130);
  assert.equal(ping.nextDueMs(), 1_255);
});

test("whoever sends something has more time to answer", () => {
  const ping = pingOf();
  ping.next(1_125);
  ping.onHeard(1_140);
  assert.equal(ping.isOverdue(1_159), false);
  assert.equal(ping.isOverdue(1_160), true);
});

test("a request after a silence wants a ping, unless one is on its way", () => {
  const ping = pingOf({ intervalMs: 0, idleIntervalMs: 50 });
  assert.equal(ping.nextDueMs(), never);
  assert.equal(ping.isWantedBeforeRequest(1_049), false);
  assert.equal(ping.isWantedBeforeRequest(1_050), true);
  const number = ping.next(1_050);
  assert.equal(ping.isWantedBeforeRequest(1_051), false);
  ping.onHeard(1_060);
  ping.onAck(number, 1_060);
  assert.equal(ping.isWantedBeforeRequest(1_109), false);
  assert.equal(ping.isWantedBeforeRequest(1_110), true);
  assert.equal(pingOf().isWantedBeforeRequest(9_999), false);
});
