import assert from "node:assert/strict";
import { test } from "node:test";
import type { DrainRecord } from "../../../src/control/listener/drain-record.ts";
import { DrainRegistry, endedDrainsMax } from "../../../src/control/listener/drain-registry.ts";
import { noDrainCounts, drainPolicyDefaults } from "../../../src/shared/drain/drain.ts";
import { FakeStats } from "../../support/fake-stats.ts";
import { VirtualClock } from "../../support/virtual-clock.ts";

const policy = {
  timeMs: 30_000,
  strategy: "gradual",
  ...drainPolicyDefaults,
} as const;
const subject = {
  listener: { name: "a", generation: 2, version: "v7" },
  filterChains: undefined,
  updateClass: "full",
  changed: ["socket_options"],
} as const;

function registry(workers = 2) {
  const clock = new VirtualClock();
  const stats = new FakeStats();
  const drains = new DrainRegistry({ clock, stats, workers });
  const begin = (): DrainRecord =>
    drains.begin({ cause: "lds-replace", policy, subject, direction: "all", cutsAtDeadline: true });
  const report = (drain: DrainRecord, worker: number, counts: object, protocol = "tcp"): void => {
    drains.report(worker, {
      kind: "drainProgress",
      drain: drain.start.id,
      counts: { [protocol]: { ...noDrainCounts, ...counts } },
    });
  };
  return { clock, stats, drains, begin, report };
}

test("view() has the shape of GET /drains", async () => {
  const { clock, drains, begin, report } = registry();
  const drain = begin();
  report(drain, 0, { atStart: 3, notified: 2, finished: 1, remaining: 2 });
  report(drain, 1, { atStart: 1, closedByPeer: 1 }, "http1");
  await clock.advance(1_000);
  const [view] = drains.view().drains;
  assert.deepEqual(view, {
    id: 1,
    process_generation: null,
    cause: "lds-replace",
    listener: "a",
    generation: 2,
    version: "v7",
    filter_chains: null,
    percent: null,
    direction: "all",
    state: "draining",
    started_at: "2026-01-01T00:00:00.000Z",
    deadline: "2026-01-01T00:00:30.000Z",
    ended_at: null,
    ended_by: null,
    strategy: "gradual",
    policy: {
      time: "30s",
      strategy: "gradual",
      idle: "spread",
      streams: "deadline",
      tcp: "deadline",
      websocket: "deadline",
      idle_grace: "5s",
      max_generations: 4,
    },
    update_class: "full",
    changed: ["socket_options"],
    connections: {
      at_start: 4,
      notified: 2,
      finished: 1,
      closed_by_peer: 1,
      forced: 0,
      remaining: 2,
    },
    by_protocol: {
      http1: { at_start: 1, notified: 0, finished: 0, closed_by_peer: 1, forced: 0, remaining: 0 },
      tcp: { at_start: 3, notified: 2, finished: 1, closed_by_peer: 0, forced: 0, remaining: 2 },
    },
  });
});

test("a drain is empty only when every worker has said so", () => {
  const { begin, report } = registry();
  const drain = begin();
  report(drain, 0, {});
  assert.equal(drain.isEmpty, false);
  report(drain, 1, { atStart: 1, remaining: 1 });
  assert.equal(drain.isEmpty, false);
  report(drain, 1, { atStart: 1, finished: 1 });
  assert.equal(drain.isEmpty, true);
});

test("what the last reports called remaining was cut when workers hold nothing", () => {
  const { stats, drains, begin, report } = registry();
  const drain = begin();
  report(drain, 0, { atStart: 5, finished: 2, remaining: 3 });
  assert.equal(stats.value("sluice.drain.connections_remaining"), 3);
  assert.equal(drains.end(drain, "cut", "deadline"), "forced");
  assert.equal(drains.end(drain, "cut", "deadline"), undefined);
  assert.deepEqual(drains.view().drains[0]?.connections.forced, 3);
  assert.equal(stats.value("sluice.drain.connections_remaining"), 0);
  assert.equal(stats.value("sluice.drain.forced_connections"), 3);
  assert.equal(stats.value("sluice.drain.active"), 0);
});

test("keeps the last hundred that ended, newest first, after those under way", () => {
  const { drains, begin } = registry();
  const first = begin();
  for (let i = 0; i < endedDrainsMax + 20; i++) drains.end(begin(), "cut", "empty");
  const ids = drains.view().drains.map((drain) => drain.id);
  assert.equal(ids.length, endedDrainsMax + 1);
  assert.equal(ids[0], first.start.id);
  assert.equal(ids[1], endedDrainsMax + 21);
});
