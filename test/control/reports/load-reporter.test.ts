import assert from "node:assert/strict";
import { test } from "node:test";
import type { ClusterLoad } from "../../../src/control/cluster/cluster-view.ts";
import { readHostCounts } from "../../../src/control/cluster/host-counters.ts";
import { LoadReporter } from "../../../src/control/reports/load-reporter.ts";
import { AdsStream } from "../../../src/control/xds/ads-stream.ts";
import { hostStats } from "../../../src/shared/stats/stat-names.ts";
import { clusterConfig, hostConfig } from "../../support/cluster-fixture.ts";
import { FakeAdsTransport } from "../../support/fake-ads-transport.ts";
import { FakeStats } from "../../support/fake-stats.ts";
import { type Message, readLoadStats, writeLoadRequest } from "../../support/report-server.ts";
import { seededRandom } from "../../support/seeded-random.ts";
import { silentLog } from "../../support/silent-log.ts";
import { VirtualClock } from "../../support/virtual-clock.ts";

function harness() {
  const clock = new VirtualClock();
  const stats = new FakeStats();
  const wire = new FakeAdsTransport();
  const clusters = new Map<string, ClusterLoad>();
  const reporter = new LoadReporter({
    clock,
    stats,
    log: silentLog,
    // A node whose id is `n`.
    node: Uint8Array.of(0x0a, 1, 0x6e),
    counters: {
      host: (block) => readHostCounts(stats.allocator, block),
      dropped: () => 0,
    },
    clusters: () => [...clusters.values()],
    open: (handlers) =>
      new AdsStream({ transport: wire, clock, random: seededRandom(1) }, handlers),
  });
  return {
    clock,
    wire,
    clusters,
    reporter,
    addCluster: (name: string): number => {
      const block = stats.allocator.allocateUnnamed(hostStats);
      const config = clusterConfig({ name });
      clusters.set(name, { config, hosts: [hostConfig(1)], hostBlocks: [block], stats: 0 });
      return block;
    },
    succeed: (block: number) => {
      for (const name of ["rq_total", "rq_ended", "rq_success"] as const)
        stats.slab.add(block, hostStats.offset(name));
    },
    ask: (request: Message) => wire.last.handlers.received(writeLoadRequest(request)),
    /** Of each message: clusters with the number of their successes. */
    told: () => wire.last.takenBytes().map((bytes) => successes(readLoadStats(bytes))),
    counts: () =>
      ["requests", "responses", "errors", "retries"].map((name) =>
        stats.value(`load_reporter.${name}`),
      ),
  };
}

function successes({ cluster_stats: clusters }: Message): Readonly<Record<string, number>> {
  const list = (clusters ?? []) as readonly {
    readonly cluster_name: string;
    readonly upstream_locality_stats?: readonly { readonly total_successful_requests: number }[];
  }[];
  return Object.fromEntries(
    list.map(({ cluster_name, upstream_locality_stats: localities = [] }) => [
      cluster_name,
      localities.reduce((sum, { total_successful_requests: count }) => sum + count, 0),
    ]),
  );
}

test("the first message says who we are and that every cluster may be asked for", () => {
  const { reporter, wire } = harness();
  reporter.start();
  assert.deepEqual(wire.last.takenBytes(), [], "it waits for the connection");
  wire.last.handlers.connected();
  const [first] = wire.last.takenBytes();
  const { node, cluster_stats: clusters } = readLoadStats(first ?? new Uint8Array());
  assert.deepEqual(node, {
    id: "n",
    client_features: ["envoy.lrs.supports_send_all_clusters"],
  });
  assert.equal(clusters, undefined);
});

test("load is told at the interval, from the moment it was asked for on", async () => {
  const { reporter, wire, clock, addCluster, succeed, ask, told, counts } = harness();
  const [web, quiet] = [addCluster("web"), addCluster("quiet")];
  addCluster("unasked");
  reporter.start();
  wire.last.handlers.connected();
  told();
  succeed(web);
  await ask({ clusters: ["web", "quiet", "missing"], load_reporting_interval: { seconds: 2 } });
  succeed(web);
  await clock.advance(1_999);
  assert.deepEqual(told(), []);
  succeed(web);
  await clock.advance(1);
  assert.deepEqual(told(), [{ web: 2, quiet: 0 }]);
  succeed(quiet);
  await clock.advance(2_000);
  assert.deepEqual(told(), [{ web: 0, quiet: 1 }]);
  assert.deepEqual(counts(), [1, 3, 0, 0]);
});

test("a new answer keeps what was counted, changes the interval and adds clusters", async () => {
  const { reporter, wire, clock, addCluster, succeed, ask, told } = harness();
  const [web, late] = [addCluster("web"), addCluster("late")];
  reporter.start();
  wire.last.handlers.connected();
  await ask({ clusters: ["web"], load_reporting_interval: { seconds: 10 } });
  told();
  succeed(web);
  succeed(late);
  await ask({ send_all_clusters: true, load_reporting_interval: { seconds: 1 } });
  succeed(late);
  await clock.advance(1_000);
  assert.deepEqual(told(), [{ web: 1, late: 1 }]);
  // A cluster that comes later is told of from the next report on.
  const last = addCluster("last");
  succeed(last);
  await clock.advance(1_000);
  assert.deepEqual(told(), [{ web: 0, late: 0 }]);
  succeed(last);
  await clock.advance(1_000);
  assert.deepEqual(told(), [{ web: 0, late: 0, last: 1 }]);
});

test("after an outage the load of the meantime is told at once", async () => {
  const { reporter, wire, clock, addCluster, succeed, ask, told, counts } = harness();
  const web = addCluster("web");
  reporter.start();
  wire.last.handlers.connected();
  await ask({ clusters: ["web"], load_reporting_interval: { seconds: 1 } });
  wire.last.handlers.ended("14, gone");
  succeed(web);
  await clock.advance(30_000);
  assert.equal(wire.calls.length, 2);
  wire.last.handlers.connected();
  assert.deepEqual(told(), [{ web: 1 }]);
  succeed(web);
  await clock.advance(1_000);
  assert.deepEqual(told(), [{ web: 1 }]);
  assert.deepEqual(counts(), [1, 3, 1, 1]);
});

test("a server that reads slowly gets one report when it is ready, with everything in it", async () => {
  const { reporter, wire, clock, addCluster, succeed, ask, told } = harness();
  const web = addCluster("web");
  reporter.start();
  wire.last.handlers.connected();
  await ask({ clusters: ["web"], load_reporting_interval: { seconds: 1 } });
  told();
  wire.last.canSend = false;
  for (let i = 0; i < 5; i++) {
    succeed(web);
    await clock.advance(1_000);
  }
  assert.deepEqual(told(), []);
  wire.last.canSend = true;
  wire.last.handlers.writable();
  assert.deepEqual(told(), [{ web: 5 }]);
});

test("an answer that is no message ends the stream, and nothing else", async () => {
  const { reporter, wire, clock, addCluster, ask, counts } = harness();
  addCluster("web");
  reporter.start();
  wire.last.handlers.connected();
  await ask({ clusters: ["web"], load_reporting_interval: { seconds: 1 } });
  await wire.last.handlers.received(Uint8Array.of(0xff, 0xff));
  assert.equal(wire.last.isCancelled, true);
  await clock.advance(30_000);
  assert.equal(wire.calls.length, 2);
  assert.deepEqual(counts().slice(2), [1, 1]);
});

test("a server that asks for no pause gets ten reports a second", async () => {
  const { reporter, wire, clock, addCluster, ask, told } = harness();
  addCluster("web");
  reporter.start();
  wire.last.handlers.connected();
  await ask({ clusters: ["web"] });
  told();
  await clock.advance(1_000);
  assert.equal(told().length, 10);
  reporter[Symbol.dispose]();
  assert.equal(clock.pendingCount, 0);
});
