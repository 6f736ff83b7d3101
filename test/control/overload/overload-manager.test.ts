import assert from "node:assert/strict";
import { test } from "node:test";
import type { OverloadActionName } from "../../../src/control/config/overload-manager.ts";
import { OverloadManager } from "../../../src/control/overload/overload-manager.ts";
import { OverloadStats } from "../../../src/control/overload/overload-stats.ts";
import { SharedLimits } from "../../../src/control/workers/shared-limits.ts";
import { seededRandom } from "../../../src/shared/common/seeded-random.ts";
import { type OverloadSwitch, OverloadState } from "../../../src/shared/protocol/overload.ts";
import type { WorkerCommand } from "../../../src/shared/protocol/worker-command.ts";
import { createSlab, StatSlab } from "../../../src/shared/stats/slab.ts";
import { StatStore } from "../../../src/shared/stats/stat-store.ts";
import { VirtualClock } from "../../support/virtual-clock.ts";

/** One action, by a heap of 1000 bytes: on in part above 500, wholly from 900 on. */
function managed(name: OverloadActionName) {
  const clock = new VirtualClock();
  const main = createSlab();
  const store = new StatStore([main]);
  const limits = new SharedLimits(1_024);
  const posted: WorkerCommand[] = [];
  const heap = { bytes: 0 };
  const config = {
    refreshMs: 100,
    monitors: [
      { name: "heap", kind: "fixedHeap", bytesMax: 1_000 },
      { name: "cx", kind: "downstreamConnections", max: 7 },
    ],
    actions: [{ name, triggers: [{ monitor: "heap", from: 0.5, to: 0.9 }] }],
    loadShedPoints: [],
  } as const;
  const manager = new OverloadManager({
    config,
    limits,
    pool: { post: (command) => posted.push(command) },
    stats: new OverloadStats({ allocator: store, slab: new StatSlab(main) }, config),
    clock,
    residentBytes: () => heap.bytes,
  });
  manager.start();
  const worker = new OverloadState(new Int32Array(limits.buffer), seededRandom(1));
  const share = (which: OverloadSwitch): number =>
    Array.from({ length: 1_000 }, () => worker.isOn(which)).filter(Boolean).length / 1_000;
  const read = (stat: string): number | undefined =>
    store.read(`overload.envoy.overload_actions.${name}.${stat}`);
  return { clock, heap, manager, posted, read, share, store };
}

test("workers see how far an action is on", async () => {
  const { clock, heap, manager, read, share, store } = managed("reject_incoming_connections");
  assert.equal(share("rejectIncomingConnections"), 0);
  heap.bytes = 700;
  await clock.advance(100);
  assert(Math.abs(share("rejectIncomingConnections") - 0.5) < 0.1);
  assert.deepEqual([read("active"), read("scale_percent")], [0, 50]);
  heap.bytes = 900;
  await clock.advance(100);
  assert.equal(share("rejectIncomingConnections"), 1);
  assert.equal(share("stopAcceptingRequests"), 0);
  assert.deepEqual([read("active"), read("scale_percent")], [1, 100]);
  assert.equal(store.read("overload.heap.pressure"), 90);
  manager[Symbol.dispose]();
  heap.bytes = 0;
  await clock.advance(1_000);
  assert.equal(share("rejectIncomingConnections"), 1);
  assert.equal(clock.pendingCount, 0);
});

test("workers are told when to stop accepting and when to go on, once each", async () => {
  const { clock, heap, manager, posted } = managed("stop_accepting_connections");
  heap.bytes = 890;
  await clock.advance(1_000);
  assert.deepEqual(posted, []);
  heap.bytes = 901;
  await clock.advance(1_000);
  assert.deepEqual(posted.splice(0), [{ kind: "setAccepting", isAccepting: false }]);
  heap.bytes = 100;
  await clock.advance(1_000);
  assert.deepEqual(posted, [{ kind: "setAccepting", isAccepting: true }]);
  manager[Symbol.dispose]();
});

test("garbage is collected every ten seconds of an overload, not at its first sight", async () => {
  const { clock, heap, manager, posted, read } = managed("shrink_heap");
  heap.bytes = 1_000;
  await clock.advance(9_000);
  assert.equal(read("shrink_count"), 0);
  await clock.advance(12_000);
  assert.equal(read("shrink_count"), 2);
  assert.deepEqual(posted, [{ kind: "shrinkHeap" }, { kind: "shrinkHeap" }]);
  manager[Symbol.dispose]();
});
