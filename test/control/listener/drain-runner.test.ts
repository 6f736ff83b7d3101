import assert from "node:assert/strict";
import { test } from "node:test";
import { DrainRegistry } from "../../../src/control/listener/drain-registry.ts";
import { DrainRunner } from "../../../src/control/listener/drain-runner.ts";
import type { WorkerPoolListener } from "../../../src/control/workers/worker-pool.ts";
import {
  type DrainCounts,
  drainPolicyDefaults,
  noDrainCounts,
} from "../../../src/shared/drain/drain.ts";
import { DrainManager } from "../../../src/shared/drain/drain-manager.ts";
import { FakeStats } from "../../support/fake-stats.ts";
import { silentLog } from "../../support/silent-log.ts";
import { VirtualClock } from "../../support/virtual-clock.ts";

type Report = (counts: Partial<DrainCounts>) => Promise<void>;

/** One drain of ten seconds on one worker, which reports what the test says. */
function running(atDeadline: (report: Report) => void = () => {}) {
  const clock = new VirtualClock();
  const accepting = { hasStopped: true };
  // Due at the same instant as main's own timer, and before it.
  clock.startTimer(10_000, () => atDeadline(report));
  const registry = new DrainRegistry({ clock, stats: new FakeStats(), workers: 1 });
  let worker: WorkerPoolListener = {};
  const runner = new DrainRunner({
    pool: {
      subscribe(listener) {
        worker = listener;
        return { [Symbol.dispose]: () => {} };
      },
      post: () => {},
      broadcast: async () => {},
    },
    inquiry: { ask: async () => ({ answers: [], silent: [] }) },
    registry,
    clock,
    log: silentLog,
  });
  const record = runner.begin({
    cause: "lds-remove",
    policy: { timeMs: 10_000, strategy: "immediate", ...drainPolicyDefaults },
    cutsAtDeadline: true,
    subject: { listener: undefined, filterChains: undefined, updateClass: undefined, changed: [] },
    direction: "all",
    manager: new DrainManager("modifyOnly", { clock, isHealthCheckFailed: () => false }),
    tell: () => {},
    mayEndEarly: () => accepting.hasStopped,
    finish: async () => "cut",
    whyNotCancellable: () => undefined,
  });
  runner.tell(record);
  const report: Report = async (counts) => {
    const tcp = { ...noDrainCounts, ...counts };
    worker.onEvent?.(0, { kind: "drainProgress", drain: record.start.id, counts: { tcp } });
    await clock.advance(0);
  };
  const recheck = async (): Promise<void> => {
    runner.recheck(record);
    await clock.advance(0);
  };
  return { clock, accepting, report, recheck, view: () => record.view() };
}

test("a worker that cuts before main's own timer fires ends the drain by its deadline", async () => {
  const { clock, report, view } = running((cut) => void cut({ atStart: 1, forced: 1 }));
  await report({ atStart: 1, remaining: 1 });
  await clock.advance(10_000);
  assert.deepEqual([view().state, view().ended_by], ["forced", "deadline"]);
});

test("connections that another drain has cut before the deadline have left this one empty", async () => {
  const { report, view } = running();
  await report({ atStart: 1, remaining: 1 });
  await report({ atStart: 1, forced: 1 });
  assert.deepEqual([view().state, view().ended_by], ["forced", "empty"]);
});

test("a drain whose connections have all gone by themselves ends by being empty", async () => {
  const { report, view } = running();
  await report({ atStart: 2, remaining: 1, finished: 1 });
  assert.equal(view().state, "draining");
  await report({ atStart: 2, finished: 1, closedByPeer: 1 });
  assert.deepEqual([view().state, view().ended_by], ["complete", "empty"]);
});

test("one that was empty before accepting had stopped ends when it has", async () => {
  const { accepting, report, recheck, view } = running();
  accepting.hasStopped = false;
  await report({});
  await recheck();
  assert.equal(view().state, "draining");
  accepting.hasStopped = true;
  await recheck();
  assert.deepEqual([view().state, view().ended_by], ["complete", "empty"]);
});
