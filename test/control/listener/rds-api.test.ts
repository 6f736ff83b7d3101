import assert from "node:assert/strict";
import { test } from "node:test";
import { Subject } from "rxjs";
import type { DecodedRouteConfig } from "../../../src/control/config/decoded-route-config.ts";
import type { DependencyLease } from "../../../src/control/listener/listener-dependencies.ts";
import { ClusterWaits } from "../../../src/control/cluster/cluster-warming.ts";
import { RdsApi } from "../../../src/control/listener/rds-api.ts";
import type { ResourceState } from "../../../src/control/xds/resource-batch.ts";
import type { WorkerCommand } from "../../../src/shared/protocol/worker-command.ts";
import { decodedRoutes } from "../../support/config-builders.ts";
import { silentLog } from "../../support/silent-log.ts";

function harness() {
  const warming = new Set<string>();
  const clusters = new ClusterWaits((name) => warming.has(name));
  const commands: WorkerCommand[] = [];
  const states = new Subject<ResourceState<DecodedRouteConfig>>();
  const api = new RdsApi({
    pool: { postTo: (_worker, command) => void commands.push(command) },
    source: () => states,
    warming: clusters,
    wallTime: () => 7,
    log: silentLog,
  });
  const subscription = {
    routeConfigName: "r",
    source: { kind: "ads", initialFetchTimeoutMs: 1 },
    statPrefix: "http",
  } as const;
  const send = (version: string, clusterNames: readonly string[] = []): void => {
    const value = decodedRoutes("r", clusterNames);
    const resource = { name: "r", version, bytes: new Uint8Array(), value };
    states.next({ kind: "present", resource });
  };
  /** Held by a listener that a worker serves. */
  const serve = (onReady: () => void = () => {}): DependencyLease => {
    const lease = api.acquire(subscription, onReady);
    lease.provideTo(0);
    return lease;
  };
  const kinds = (): readonly string[] => commands.splice(0).map((command) => command.kind);
  return { api, states, subscription, serve, send, kinds, warming, clusters };
}

test("one subscription for all listeners; the last one to go takes the routes along", () => {
  const { serve, api, states, subscription, send, kinds } = harness();
  let ready = 0;
  const first = serve(() => ready++);
  const second = api.acquire(subscription, () => ready++);
  states.next({ kind: "requested" });
  assert.equal(ready, 0);
  send("1");
  assert.equal(ready, 2);
  assert.deepEqual(kinds(), ["setRoutes"]);
  assert.equal(api.acquire(subscription, assert.fail).isReady, true);
  send("2");
  assert.deepEqual(kinds(), ["setRoutes"]);
  assert.equal(api.views()[0]?.version, "2");
  first[Symbol.dispose]();
  first[Symbol.dispose]();
  second[Symbol.dispose]();
  assert.equal(states.observed, true, "the third still holds it");
});

test("a worker has the routes from when it serves a listener with them", () => {
  const { api, subscription, send, kinds } = harness();
  const lease = api.acquire(subscription, () => {});
  send("1");
  send("2");
  assert.deepEqual(kinds(), [], "no worker asks for them");
  lease.provideTo(0);
  lease.provideTo(0);
  assert.deepEqual(kinds(), ["setRoutes"]);
  lease.provideTo(1);
  assert.deepEqual(kinds(), ["setRoutes"]);
  send("3");
  assert.deepEqual(kinds(), ["setRoutes", "setRoutes"]);
  lease[Symbol.dispose]();
  assert.deepEqual(kinds(), ["removeRoutes", "removeRoutes"]);
});

test("the routes that serve stay when a later update is refused or withdrawn", () => {
  const { serve, api, states, send, kinds } = harness();
  const lease = serve();
  send("1");
  states.next({ kind: "rejected", errors: ["bad"] });
  states.next({ kind: "absent", reason: "removed" });
  assert.deepEqual(kinds(), ["setRoutes"]);
  assert.equal(api.views()[0]?.version, "1");
  lease[Symbol.dispose]();
  assert.deepEqual(kinds(), ["removeRoutes"]);
  assert.equal(states.observed, false);
});

test("a lease given back while it waits is not called", () => {
  const { api, states, subscription, send, kinds } = harness();
  api.acquire(subscription, assert.fail)[Symbol.dispose]();
  assert.equal(states.observed, false);
  send("1");
  assert.deepEqual(kinds(), []);
});

test("routes never move to a warming cluster while older ones serve", () => {
  const { serve, api, send, kinds, warming, clusters } = harness();
  const lease = serve();
  send("1", ["old"]);
  warming.add("new");
  send("2", ["old", "new"]);
  assert.deepEqual(kinds(), ["setRoutes"]);
  const [view] = api.views();
  assert.equal(view?.version, "1");
  assert.deepEqual(view.held, { version: "2", awaiting: ["cluster new"], sinceMs: 7 });
  assert.deepEqual(lease.clusterNames, ["old"]);
  clusters.settle();
  assert.deepEqual(kinds(), []);
  warming.delete("new");
  clusters.settle();
  assert.deepEqual(kinds(), ["setRoutes"]);
  assert.deepEqual([api.views()[0]?.version, api.views()[0]?.held], ["2", undefined]);
});

test("routes that are held wait for all their clusters, also for one that warms again meanwhile", () => {
  const { serve, send, kinds, warming, clusters } = harness();
  serve();
  send("1", ["old"]);
  warming.add("new");
  send("2", ["new", "served"]);
  assert.deepEqual(kinds(), ["setRoutes"]);
  // Removed and added again: it warms, though it served when the routes came.
  warming.add("served");
  warming.delete("new");
  clusters.settle();
  assert.deepEqual(kinds(), []);
  warming.clear();
  clusters.settle();
  assert.deepEqual(kinds(), ["setRoutes"]);
});

test("the latest routes count: what was held before them is forgotten", () => {
  const { serve, send, kinds, warming, clusters } = harness();
  const lease = serve();
  send("1");
  warming.add("new");
  send("2", ["new"]);
  send("3", ["other"]);
  assert.deepEqual(kinds(), ["setRoutes", "setRoutes"]);
  send("4", ["new"]);
  lease[Symbol.dispose]();
  warming.clear();
  clusters.settle();
  assert.deepEqual(kinds(), ["removeRoutes"]);
});

test("the first routes of a name are not held: nothing serves in their place", () => {
  const { serve, send, kinds, warming } = harness();
  warming.add("new");
  const lease = serve();
  send("1", ["new"]);
  assert(lease.isReady);
  assert.deepEqual(kinds(), ["setRoutes"]);
});
