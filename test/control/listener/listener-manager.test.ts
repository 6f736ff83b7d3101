import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { stopMsMax } from "../../../src/control/listener/listener-workers.ts";
import { ListenerHarness } from "../../support/listener-harness.ts";

describe("adding", () => {
  test("a listener without routes is bound, listens and serves in every worker", async () => {
    const harness = await ListenerHarness.started();
    assert.deepEqual(await harness.push([{ name: "a" }]), {});
    harness.assertStats({ added: 1, active: 1 });
    assert.deepEqual(harness.kernel.listening, ["127.0.0.1:8080"]);
    assert.equal(harness.stats.value("listener_manager.listener_create_success"), 2);
    for (const worker of harness.workers) assert.equal(worker.listeners.size, 1);
  });

  test("before workers start it is bound, does not listen, and waits for them", async () => {
    const harness = new ListenerHarness();
    await harness.push([{ name: "a" }]);
    harness.assertStats({ added: 1, warming: 1 });
    assert.deepEqual(harness.kernel.listening, []);
    assert.equal(harness.kernel.open.size, 1);
    await harness.manager.whenInitialized();
    await harness.manager.startWorkers();
    harness.assertStats({ added: 1, active: 1 });
    assert.deepEqual(harness.kernel.listening, ["127.0.0.1:8080"]);
  });

  test("routes hold it back: bound, silent, until their first state, whatever that is", async () => {
    const harness = await ListenerHarness.started();
    await harness.push([{ name: "a", routes: ["r1", "r2"] }]);
    harness.assertStats({ added: 1, warming: 1 });
    assert.deepEqual(harness.manager.view().listeners[0]?.awaiting, ["rds r1", "rds r2"]);
    await harness.sendRoutes("r1");
    harness.assertStats({ added: 1, warming: 1 });
    assert.deepEqual(harness.kernel.listening, []);
    harness.routeState("r2").next({ kind: "absent", reason: "timeout" });
    await harness.settle();
    harness.assertStats({ added: 1, active: 1 });
    for (const worker of harness.workers) assert.deepEqual([...worker.routes.keys()], ["r1"]);
  });

  test("routes that are known already hold nothing back", async () => {
    const harness = await ListenerHarness.started();
    await harness.push([{ name: "a", routes: ["r"] }]);
    await harness.sendRoutes("r");
    await harness.push([{ name: "b", address: "127.0.0.1:8081", routes: ["r"] }]);
    harness.assertStats({ added: 2, active: 2 });
    const worker = harness.worker(0);
    const kinds = worker.handled.map((command) => command.kind);
    assert.deepEqual(kinds, ["setRoutes", "addListener", "addListener"]);
  });

  test("beyond the lazy threshold workers get the configuration at the first connection", async () => {
    const harness = await ListenerHarness.started({ lazyThreshold: 1 });
    await harness.push([{ name: "a" }, { name: "b", address: "127.0.0.1:8081" }]);
    const worker = harness.worker(0);
    const tag = harness.activeTag("b");
    assert(worker.listeners.get(harness.activeTag("a"))?.config);
    assert.equal(worker.listeners.get(tag)?.config, undefined);
    worker.connect(tag);
    await harness.settle();
    assert.equal(worker.listeners.get(tag)?.config?.name, "b");
    assert.equal(harness.worker(1).listeners.get(tag)?.config, undefined);
  });

  test("a worker that asks for a configuration gets the routes that it names before it", async () => {
    const harness = await ListenerHarness.started({ lazyThreshold: 0 });
    await harness.push([{ name: "a", routes: ["r"] }]);
    await harness.sendRoutes("r");
    const worker = harness.worker(0);
    assert.equal(worker.routes.size, 0);
    worker.connect(harness.activeTag("a"));
    await harness.settle();
    const kinds = worker.handled.map((command) => command.kind);
    assert.deepEqual(kinds.slice(-2), ["setRoutes", "listenerConfig"]);
    assert.equal(harness.worker(1).routes.size, 0);
  });

  test("additional addresses and enable_reuse_port: one socket an address and a worker", async () => {
    const harness = await ListenerHarness.started({ workers: 3 });
    const config = { enableReusePort: true };
    await harness.push([{ name: "a", address: "127.0.0.1:0", config }]);
    assert.equal(harness.kernel.open.size, 3);
    const sockets = harness.workers.map((worker) => [...worker.listeners.values()][0]?.sockets);
    assert.equal(new Set(sockets.flat()).size, 3);
  });
});

describe("refusing", () => {
  test("a bind error refuses that listener alone, with its reason", async () => {
    const harness = await ListenerHarness.started();
    harness.kernel.unbindable.add("127.0.0.1:80");
    const refused = await harness.push([
      { name: "bad", address: "127.0.0.1:80" },
      { name: "good", address: "127.0.0.1:81" },
    ]);
    assert.deepEqual(refused, { bad: "cannot bind '127.0.0.1:80': Address already in use" });
    harness.assertStats({ added: 1, active: 1 });
    assert.equal(harness.stats.value("listener_manager.listener_create_failure"), 1);
    const view = harness.manager.view();
    assert.equal(view.version, "v1");
    assert.deepEqual(
      view.errors.map((error) => [error.name, error.version, error.details]),
      [["bad", "v1", "cannot bind '127.0.0.1:80': Address already in use"]],
    );
    await harness.push([]);
    assert.deepEqual(harness.manager.view().errors, []);
  });

  test("another listener's address is refused in Envoy's words", async () => {
    const harness = await ListenerHarness.started();
    await harness.push([{ name: "a" }]);
    const refused = await harness.push([{ name: "b" }]);
    assert.match(
      refused["b"] ?? "",
      /^error adding listener: 'b' has duplicate address '127.0.0.1:8080' as existing listener/,
    );
    harness.assertStats({ added: 1, active: 1 });
    assert.equal(harness.sockets.size, 1);
  });

  test("an inline route to an unknown cluster is refused", async () => {
    const harness = await ListenerHarness.started();
    const refused = await harness.push([{ name: "a", requiredClusters: ["upstream", "nowhere"] }]);
    assert.deepEqual(refused, { a: "route: unknown cluster 'nowhere'" });
    assert.equal(harness.kernel.open.size, 0);
    harness.assertStats({});
  });

  test("a change of enable_reuse_port is refused and what is active stays", async () => {
    const harness = await ListenerHarness.started();
    await harness.push([{ name: "a" }]);
    const refused = await harness.push([{ name: "a", config: { enableReusePort: true } }]);
    assert.deepEqual(refused, {
      a: "Listener a: reuse port cannot be changed during an update",
    });
    harness.assertStats({ added: 1, active: 1 });
  });

  test("one that cannot listen when it is warm is dropped; the active one goes on", async () => {
    const harness = await ListenerHarness.started();
    await harness.push([{ name: "a" }]);
    harness.kernel.deaf.add("127.0.0.1:9");
    const refused = await harness.push([{ name: "a", address: "127.0.0.1:9" }]);
    assert.match(refused["a"] ?? "", /^cannot listen on/);
    harness.assertStats({ added: 1, modified: 1, active: 1 });
    assert.deepEqual(harness.kernel.listening, ["127.0.0.1:8080"]);
    assert.equal(harness.kernel.open.size, 1);
  });

  test("after a stop updates and what was warming are skipped, and the reason is shown", async () => {
    const harness = await ListenerHarness.started();
    await harness.push([{ name: "a" }]);
    await harness.push([{ name: "w", address: "127.0.0.1:1", routes: ["r"] }]);
    await harness.manager.stopListeners("all");
    assert.deepEqual(await harness.push([{ name: "a", config: { statPrefix: "x" } }]), {});
    const { skipped, listeners } = harness.manager.view();
    assert.deepEqual(
      skipped.map(({ name, version, details }) => [name, version, details]),
      [
        ["w", "v2", "listeners are stopped by the admin"],
        ["a", "v3", "listeners are stopped by the admin"],
      ],
    );
    assert.deepEqual(
      listeners.map(({ name, version, isStopped }) => [name, version, isStopped]),
      [["a", "v1", true]],
    );
  });

  test("one that could not be read is shown with its reasons until the next push", async () => {
    const harness = await ListenerHarness.started();
    const unread = { name: "x", version: "7", bytes: new Uint8Array([1]), errors: ["a", "b"] };
    const batch = { version: "7", changed: [], removed: [], refuse: () => {} };
    await harness.manager.apply({ ...batch, rejected: [unread] });
    const [error] = harness.manager.view().errors;
    assert.deepEqual([error?.name, error?.version, error?.details], ["x", "7", "a; b"]);
    await harness.manager.apply(batch);
    assert.deepEqual(harness.manager.view().errors, []);
  });

  test("a listener of the bootstrap is neither updated nor removed by a push", async () => {
    const harness = new ListenerHarness();
    const { decodedListener } = await import("../../support/config-builders.ts");
    assert.equal(await harness.manager.addStatic(decodedListener({ name: "s" })), undefined);
    assert.equal(
      await harness.manager.addStatic(decodedListener({ name: "s", address: "127.0.0.1:1" })),
      "duplicate listener s found",
    );
    await harness.manager.startWorkers();
    assert.deepEqual(await harness.push([{ name: "s", address: "127.0.0.1:2" }], ["s"]), {});
    harness.assertStats({ added: 1, active: 1 });
    assert.deepEqual(harness.kernel.listening, ["127.0.0.1:8080"]);
    const reasons = () =>
      harness.manager.view().skipped.map(({ name, details }) => [name, details]);
    assert.deepEqual(reasons(), [["s", "the bootstrap has a listener of this name"]]);
    // It is not sent again while it does not change, so it stays true over other pushes.
    await harness.push([{ name: "b", address: "127.0.0.1:3" }]);
    assert.equal(reasons().length, 1);
    await harness.push([], ["s"]);
    assert.deepEqual(reasons(), []);
  });
});

describe("updating", () => {
  test("identical bytes disturb nothing and count nothing", async () => {
    const harness = await ListenerHarness.started();
    await harness.push([{ name: "a" }]);
    await harness.push([{ name: "a" }]);
    harness.assertStats({ added: 1, active: 1 });
  });

  test("other bytes of the same meaning are adopted without a drain", async () => {
    const harness = await ListenerHarness.started();
    await harness.push([{ name: "a" }]);
    await harness.push([{ name: "a", spelling: "other" }]);
    harness.assertStats({ added: 1, modified: 1, active: 1 });
    const [view] = harness.manager.view().listeners;
    assert.equal(view?.version, "v2");
    assert.match(new TextDecoder().decode(view.bytes), /other/);
  });

  test("a full update shares the socket, and only the old version drains", async () => {
    const harness = await ListenerHarness.started();
    await harness.push([{ name: "a" }]);
    const old = harness.activeTag("a");
    const connection = harness.worker(0).connect(old, "tcp");
    assert(connection);
    await harness.push([{ name: "a", config: { statPrefix: "other" } }]);
    harness.assertStats({ added: 1, modified: 1, active: 1, draining: 1 });
    assert.equal(harness.kernel.open.size, 1);
    const [drain] = harness.registry.view().drains;
    assert.equal(drain?.cause, "lds-replace");
    assert.equal(drain.update_class, "full");
    assert.deepEqual(drain.changed, ["statPrefix"]);
    assert.equal(drain.connections.remaining, 1);
    assert(harness.worker(0).connect(harness.activeTag("a")), "the new version accepts");
    assert.equal(harness.worker(0).connect(old), undefined);
    harness.worker(0).finish(connection);
    await harness.settle();
    harness.assertStats({ added: 1, modified: 1, active: 1 });
    assert.equal(harness.registry.view().drains[0]?.state, "complete");
  });

  test("a filter-chain change keeps tag and socket; only removed chains drain", async () => {
    const harness = await ListenerHarness.started();
    await harness.push([{ name: "a", chains: ["kept", "gone"] }]);
    const tag = harness.activeTag("a");
    const kept = harness.worker(0).connect(tag, "kept");
    const gone = harness.worker(1).connect(tag, "gone");
    assert(kept && gone);
    await harness.push([{ name: "a", chains: ["kept", "new"] }]);
    harness.assertStats({ added: 1, modified: 1, active: 1, drainingChains: 1 });
    assert.equal(harness.stats.value("listener_manager.listener_in_place_updated"), 1);
    assert.equal(harness.activeTag("a"), tag);
    const [drain] = harness.registry.view().drains;
    assert.deepEqual(drain?.filter_chains, ["gone"]);
    assert.equal(drain.update_class, "filter-chains");
    assert.equal(drain.connections.at_start, 1);
    await harness.clock.advance(10_000);
    harness.assertStats({ added: 1, modified: 1, active: 1 });
    assert.equal(harness.registry.view().drains[0]?.connections.forced, 1);
    assert(harness.worker(0).connections.has(kept), "the kept chain's connection lives");
    assert(!harness.worker(1).connections.has(gone));
  });

  test("what open connections take up drains nothing, and says so", async () => {
    const harness = await ListenerHarness.started();
    await harness.push([{ name: "a", chains: ["x", "y"], revision: "1" }]);
    const tag = harness.activeTag("a");
    assert(harness.worker(0).connect(tag, "x"));
    await harness.push([{ name: "a", chains: ["x", "y"], revision: "2" }]);
    harness.assertStats({ added: 1, modified: 1, active: 1 });
    assert.equal(harness.stats.value("listener_manager.listener_in_place_updated"), 1);
    assert.equal(harness.activeTag("a"), tag);
    assert.deepEqual(harness.registry.view().drains, []);
    const [view] = harness.manager.view().listeners;
    assert.equal(view?.updateClass, "live");
    const told = harness.worker(0).listeners.get(tag)?.config?.filterChains;
    assert.deepEqual(
      told?.map(({ revision }) => revision),
      ["2", "2"],
    );
  });

  test("the old version serves until the clusters of its successor are warm", async () => {
    const harness = await ListenerHarness.started();
    await harness.push([{ name: "a" }]);
    harness.clusters.add("new").add("newer");
    harness.warming.add("new").add("newer");
    await harness.push([
      { name: "a", requiredClusters: ["new"], routes: ["r"], config: { statPrefix: "x" } },
    ]);
    const awaiting = () => harness.manager.view().listeners[0]?.awaiting;
    assert.deepEqual(awaiting(), ["rds r", "cluster new"]);
    await harness.sendRoutes("r", ["newer"]);
    assert.deepEqual(awaiting(), ["cluster new", "cluster newer"]);
    await harness.becomeWarm("new");
    harness.assertStats({ added: 1, modified: 1, warming: 1, active: 1 });
    await harness.becomeWarm("newer");
    assert.equal(harness.manager.view().listeners[0]?.version, "v2");
    assert.deepEqual(harness.names("warming"), []);
  });

  test("a cluster that warms again while its listener waits for something else is waited for", async () => {
    const harness = await ListenerHarness.started();
    harness.clusters.add("served");
    await harness.push([{ name: "a" }]);
    await harness.push([{ name: "a", requiredClusters: ["served"], routes: ["r"] }]);
    harness.warming.add("served");
    await harness.sendRoutes("r");
    assert.deepEqual(harness.manager.view().listeners[0]?.awaiting, ["cluster served"]);
    await harness.becomeWarm("served");
    assert.deepEqual(harness.names("warming"), []);
  });

  test("a new listener does not wait for clusters, and a dropped one forgets its wait", async () => {
    const harness = await ListenerHarness.started();
    harness.clusters.add("new");
    harness.warming.add("new");
    await harness.push([{ name: "a", requiredClusters: ["new"] }]);
    assert.deepEqual(harness.names("active"), ["a"]);
    await harness.push([{ name: "a", requiredClusters: ["new"], config: { statPrefix: "x" } }]);
    assert.deepEqual(harness.names("warming"), ["a"]);
    await harness.push([], ["a"]);
    await harness.becomeWarm("new");
    assert.deepEqual(harness.names("active"), []);
  });

  test("a revert while warming drops the warming one", async () => {
    const harness = await ListenerHarness.started();
    await harness.push([{ name: "a" }]);
    await harness.push([{ name: "a", routes: ["r"] }]);
    harness.assertStats({ added: 1, modified: 1, warming: 1, active: 1 });
    await harness.push([{ name: "a" }]);
    harness.assertStats({ added: 1, modified: 2, active: 1 });
    assert.equal(harness.routes.size, 0);
  });

  test("an update while warming replaces it without a drain", async () => {
    const harness = await ListenerHarness.started();
    await harness.push([{ name: "a", routes: ["r1"] }]);
    await harness.push([{ name: "a", routes: ["r2"] }]);
    harness.assertStats({ added: 1, modified: 1, warming: 1 });
    await harness.sendRoutes("r2");
    harness.assertStats({ added: 1, modified: 1, active: 1 });
    assert.deepEqual(harness.registry.view().drains, []);
  });
});

describe("removing", () => {
  test("stops every worker, empties the queue in one, closes, drains", async () => {
    const harness = await ListenerHarness.started({ workers: 3 });
    await harness.push([{ name: "a" }]);
    const tag = harness.activeTag("a");
    harness.worker(2).connect(tag);
    await harness.push([], ["a"]);
    harness.assertStats({ added: 1, removed: 1, draining: 1 });
    assert.equal(harness.kernel.open.size, 0);
    const stops = harness.workers.flatMap((worker) =>
      worker.handled.flatMap((each) => (each.kind === "stopListener" ? each.emptyQueue : [])),
    );
    assert.deepEqual(stops.filter(Boolean), [true]);
    assert.equal(stops.length, 3);
    for (const worker of harness.workers) {
      const kinds = worker.handled.map((command) => command.kind);
      assert(kinds.indexOf("startDrain") > kinds.indexOf("stopListener"));
    }
  });

  test("ends at once without connections and gives everything back", async () => {
    const harness = await ListenerHarness.started();
    await harness.push([{ name: "a", routes: ["r"] }]);
    await harness.sendRoutes("r");
    await harness.push([], ["a"]);
    await harness.settle();
    harness.assertStats({ added: 1, removed: 1 });
    harness.assertNothingIsHeld();
  });

  test("cuts what is left at the deadline, not before", async () => {
    const harness = await ListenerHarness.started();
    await harness.push([{ name: "a" }]);
    harness.worker(0).connect(harness.activeTag("a"));
    await harness.push([], ["a"]);
    await harness.clock.advance(9_999);
    harness.assertStats({ added: 1, removed: 1, draining: 1 });
    assert.equal(harness.worker(0).connections.size, 1);
    await harness.clock.advance(1);
    await harness.settle();
    harness.assertStats({ added: 1, removed: 1 });
    const [drain] = harness.registry.view().drains;
    assert.equal(drain?.state, "forced");
    assert.deepEqual(drain.connections, {
      at_start: 1,
      notified: 0,
      finished: 0,
      closed_by_peer: 0,
      forced: 1,
      remaining: 0,
    });
    harness.assertNothingIsHeld();
  });

  test("with `keep` waits past the deadline for the last connection", async () => {
    const harness = await ListenerHarness.started();
    const config = { drainPolicy: { tcp: "keep", timeMs: 1_000 } as const };
    await harness.push([{ name: "a", config }]);
    const connection = harness.worker(0).connect(harness.activeTag("a"));
    assert(connection);
    await harness.push([], ["a"]);
    await harness.clock.advance(60_000);
    harness.assertStats({ added: 1, removed: 1, draining: 1 });
    harness.worker(0).disconnect(connection);
    await harness.settle();
    harness.assertStats({ added: 1, removed: 1 });
    assert.equal(harness.registry.view().drains[0]?.connections.closed_by_peer, 1);
  });

  test("a connection on its way between workers holds the end back", async () => {
    const harness = await ListenerHarness.started();
    await harness.push([{ name: "a" }]);
    const held = harness.worker(0).listeners.get(harness.activeTag("a"));
    assert(held);
    const counts = new Int32Array(harness.limits.buffer);
    Atomics.add(counts, held.connectionCount, 1);
    await harness.push([], ["a"]);
    await harness.clock.advance(1_000);
    harness.assertStats({ added: 1, removed: 1, draining: 1 });
    Atomics.sub(counts, held.connectionCount, 1);
    await harness.clock.advance(100);
    await harness.settle();
    harness.assertStats({ added: 1, removed: 1 });
  });

  test("removals come before additions: a new name takes the address", async () => {
    const harness = await ListenerHarness.started();
    await harness.push([{ name: "a" }]);
    harness.worker(0).connect(harness.activeTag("a"));
    assert.deepEqual(await harness.push([{ name: "b" }], ["a"]), {});
    harness.assertStats({ added: 2, removed: 1, active: 1, draining: 1 });
    assert.deepEqual(harness.kernel.listening, ["127.0.0.1:8080"]);
  });

  test("of a warming listener is immediate; with both, counted once", async () => {
    const harness = await ListenerHarness.started();
    await harness.push([{ name: "a" }]);
    await harness.push([{ name: "a", routes: ["r"] }]);
    await harness.push([], ["a"]);
    await harness.settle();
    harness.assertStats({ added: 1, modified: 1, removed: 1 });
    harness.assertNothingIsHeld();
  });
});

describe("stopping", () => {
  test("closes sockets, keeps connections, skips updates, still removes", async () => {
    const harness = await ListenerHarness.started();
    await harness.push([{ name: "a" }]);
    harness.worker(0).connect(harness.activeTag("a"));
    await harness.manager.stopListeners("all");
    assert.equal(harness.kernel.open.size, 0);
    assert.equal(harness.worker(0).connections.size, 1);
    assert.equal(harness.stats.value("listener_manager.listener_stopped"), 1);
    assert.deepEqual(await harness.push([{ name: "b", address: "127.0.0.1:1" }]), {});
    harness.assertStats({ added: 1, active: 1 });
    await harness.push([], ["a"]);
    harness.assertStats({ added: 1, removed: 1, draining: 1 });
  });

  test("inbound only leaves the others alone", async () => {
    const harness = await ListenerHarness.started();
    const config = { trafficDirection: "inbound" } as const;
    await harness.push([
      { name: "in", config },
      { name: "out", address: "127.0.0.1:1" },
    ]);
    await harness.manager.stopListeners("inboundOnly");
    assert.deepEqual(harness.kernel.listening, ["127.0.0.1:1"]);
    await harness.push([{ name: "out2", address: "127.0.0.1:2" }]);
    harness.assertStats({ added: 3, active: 3 });
  });
});

describe("a worker that never answers", () => {
  test("holds back a stop for its bound, and no other listener after it", async () => {
    let delayMs = 0;
    const harness = await ListenerHarness.started({ delayMs: () => delayMs });
    await harness.push([{ name: "a" }, { name: "b", address: "127.0.0.1:81" }]);
    delayMs = 3_600_000;
    let isApplied = false;
    const applied = harness.manager.apply({
      version: "v",
      changed: [],
      removed: ["a"],
      refuse: assert.fail,
    });
    void applied.then(() => (isApplied = true));
    await harness.clock.advance(stopMsMax - 1);
    assert.equal(isApplied, false);
    // All workers but one are asked at once, that one after them.
    await harness.clock.advance(1 + stopMsMax);
    assert.equal(isApplied, true);
    assert.equal(harness.stats.value("sluice.listener_manager.unanswered_stops"), 2);
    assert.deepEqual(harness.names("active"), ["b"]);
  });
});
