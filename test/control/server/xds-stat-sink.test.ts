import assert from "node:assert/strict";
import { test } from "node:test";
import { createXdsStats } from "../../../src/control/server/xds-stat-sink.ts";
import { StatSlab } from "../../../src/shared/stats/slab.ts";
import { StatStore } from "../../../src/shared/stats/stat-store.ts";

function createStats() {
  const buffer = new SharedArrayBuffer(64 * 1024);
  const store = new StatStore([buffer]);
  return { store, stats: createXdsStats(store, new StatSlab(buffer)) };
}

test("a subscription counts under Envoy's prefix of its subject", () => {
  const { store, stats } = createStats();
  const table: readonly (readonly [string, string, string | undefined, string])[] = [
    ["LDS", "*", undefined, "listener_manager.lds."],
    ["CDS", "*", undefined, "cluster_manager.cds."],
    ["EDS", "a:b", undefined, "cluster.a_b."],
    ["EDS", "x", "cluster.alt.", "cluster.alt."],
    ["RDS", "r:1", "ingress", "http.ingress.rds.r_1."],
    ["SDS", "s", undefined, "sds.s."],
  ];
  for (const [shortName, name, statPrefix, prefix] of table) {
    const subscription = stats.subscription({ shortName, name, statPrefix });
    subscription.attempted();
    assert.equal(store.read(`${prefix}update_attempt`), 1, prefix);
  }
});

test("success sets time, version and its text; disposing takes the names away", () => {
  const { store, stats } = createStats();
  const subscription = stats.subscription({ shortName: "LDS", name: "*", statPrefix: undefined });
  const version = () => store.read("listener_manager.lds.version");
  subscription.succeeded({ version: "1", timeMs: 5000, durationMs: 3 });
  const first = version();
  assert.equal(store.read("listener_manager.lds.update_time"), 5000);
  subscription.succeeded({ version: "2", timeMs: 6000, durationMs: 3 });
  assert.notEqual(version(), first);
  assert.equal(store.read("listener_manager.lds.update_success"), 2);
  const identifier = { name: "control_plane.identifier", value: "" };
  const text = { name: "listener_manager.lds.version_text", value: "2" };
  assert.deepEqual(store.snapshot().textReadouts, [identifier, text]);
  subscription[Symbol.dispose]();
  assert.equal(version(), undefined);
  assert.deepEqual(store.snapshot().textReadouts, [identifier]);
});

test("failures and the control plane are counted", () => {
  const { store, stats } = createStats();
  const subscription = stats.subscription({ shortName: "CDS", name: "*", statPrefix: undefined });
  subscription.rejected();
  subscription.failed();
  subscription.empty();
  subscription.initialFetchTimedOut();
  for (const name of ["update_rejected", "update_failure", "update_empty", "init_fetch_timeout"])
    assert.equal(store.read(`cluster_manager.cds.${name}`), 1, name);
  stats.controlPlane.connected(true);
  stats.controlPlane.pendingRequests(4);
  assert.equal(store.read("control_plane.connected_state"), 1);
  assert.equal(store.read("control_plane.pending_requests"), 4);
  stats.controlPlane.connected(false);
  assert.equal(store.read("control_plane.connected_state"), 0);
});
