import assert from "node:assert/strict";
import { test } from "node:test";
import type { SocketLease } from "../../../src/control/listener/listener-sockets.ts";
import { ListenerHarness } from "../../support/listener-harness.ts";

const plain = { graceful: false, skipExit: false, inboundOnly: false };

test("/drain_listeners stops now, tells every worker, closes no connection", async () => {
  const harness = await ListenerHarness.started();
  await harness.push([{ name: "a" }]);
  harness.worker(0).connect(harness.activeTag("a"));
  await harness.server.drainListeners(plain);
  assert.equal(harness.kernel.open.size, 0);
  for (const { handled } of harness.workers) {
    assert(handled.some((each) => each.kind === "startServerDrain" && each.scope === "all"));
  }
  await harness.clock.advance(60_000);
  assert.equal(harness.worker(0).connections.size, 1);
  harness.assertStats({ added: 1, active: 1 });
  const [drain] = harness.registry.view().drains;
  assert.equal(drain?.cause, "admin");
  assert.equal(drain.listener, null);
  assert.notEqual(drain.state, "draining");
});

test("?graceful accepts until the drain time is over; again it does nothing", async () => {
  const harness = await ListenerHarness.started();
  await harness.push([{ name: "a" }]);
  await harness.server.drainListeners({ ...plain, graceful: true });
  await harness.server.drainListeners({ ...plain, graceful: true });
  assert.equal(harness.registry.active.length, 1);
  await harness.push([{ name: "b", address: "127.0.0.1:1" }]);
  harness.assertStats({ added: 2, active: 2 });
  await harness.clock.advance(9_999);
  assert.equal(harness.kernel.open.size, 2);
  await harness.clock.advance(1);
  await harness.settle();
  assert.equal(harness.kernel.open.size, 0);
});

test("?graceful&skip_exit accepts for ever", async () => {
  const harness = await ListenerHarness.started();
  await harness.push([{ name: "a" }]);
  await harness.server.drainListeners({ ...plain, graceful: true, skipExit: true });
  await harness.clock.advance(60_000);
  assert.equal(harness.kernel.open.size, 1);
  assert.equal(harness.registry.active.length, 0);
});

test("a plain drain after a graceful one stops at once", async () => {
  const harness = await ListenerHarness.started();
  await harness.push([{ name: "a" }]);
  await harness.server.drainListeners({ ...plain, graceful: true, skipExit: true });
  await harness.server.drainListeners(plain);
  assert.equal(harness.kernel.open.size, 0);
});

test("/healthcheck/fail and /ok reach every worker", async () => {
  const harness = await ListenerHarness.started();
  harness.server.failHealthCheck();
  await harness.settle();
  assert(harness.isHealthCheckFailed);
  assert(harness.workers.every((worker) => worker.isHealthCheckFailed));
  harness.server.passHealthCheck();
  await harness.settle();
  assert(!harness.isHealthCheckFailed);
  assert(harness.workers.every((worker) => !worker.isHealthCheckFailed));
});

test("a drain of everything does not end early because inbound listeners alone have stopped", async () => {
  const harness = await ListenerHarness.started();
  await harness.push([{ name: "a" }]);
  await harness.server.drainListeners({ ...plain, inboundOnly: true });
  await harness.server.drainListeners({ ...plain, graceful: true });
  const [drain] = harness.registry.active;
  assert(drain);
  for (const worker of harness.workers)
    worker.say({ kind: "drainProgress", drain: drain.start.id, counts: {} });
  await harness.clock.advance(5_000);
  assert.equal(harness.registry.active.length, 1);
  assert.equal(harness.kernel.open.size, 1);
});

const child = { isThere: true };
const heldForChild = {
  ...plain,
  keeps: (lease: SocketLease) => lease.isHeldBy(child),
  cause: "hot-restart" as const,
};

test("what the next generation has is held, and accepts again when that is gone", async () => {
  const harness = await ListenerHarness.started();
  await harness.push([{ name: "a" }]);
  const [lease] = harness.kernel.open.values();
  lease?.holders.push(child);
  await settled(harness, harness.server.drainListeners(heldForChild));
  assert.equal(harness.kernel.open.size, 1);
  assert.equal(isAccepting(harness, "a"), false);
  assert.equal(harness.registry.active[0]?.start.cause, "hot-restart");
  await settled(harness, harness.server.takeBack());
  assert.equal(isAccepting(harness, "a"), true);
  assert.equal(harness.registry.active.length, 0);
  harness.assertStats({ added: 1, active: 1 });
});

test("what the next generation does not have is closed, and opened again when that is gone", async () => {
  const harness = await ListenerHarness.started();
  await harness.push([{ name: "a" }]);
  await settled(harness, harness.server.drainListeners(heldForChild));
  assert.equal(harness.kernel.open.size, 0);
  const tag = harness.activeTag("a");
  await settled(harness, harness.server.takeBack());
  assert.equal(harness.kernel.listening.length, 1);
  // The same listener: what it has is not drained.
  assert.equal(harness.activeTag("a"), tag);
  assert.equal(harness.registry.active.length, 0);
  assert.equal(isAccepting(harness, "a"), true);
});

test("a child that is gone before the workers have paused is taken back from all the same", async () => {
  const harness = await ListenerHarness.started();
  await harness.push([{ name: "a" }]);
  const draining = harness.server.drainListeners(heldForChild);
  await settled(harness, harness.server.takeBack());
  await settled(harness, draining);
  assert.equal(isAccepting(harness, "a"), true);
});

test("what is pushed while the next generation serves is applied if that is gone", async () => {
  const harness = await ListenerHarness.started();
  await harness.push([{ name: "a" }]);
  await settled(harness, harness.server.drainListeners(heldForChild));
  await harness.push([
    { name: "b", address: "127.0.0.1:1" },
    { name: "c", address: "127.0.0.1:2" },
  ]);
  assert.equal(harness.manager.view().skipped.length, 2);
  await harness.push([], ["c"]);
  await settled(harness, harness.server.takeBack());
  assert.equal(isAccepting(harness, "b"), true);
  assert.deepEqual(harness.manager.view().skipped, []);
  assert.equal(harness.manager.view().listeners.length, 2);
});

test("after a while nothing is taken back any more", async () => {
  const harness = await ListenerHarness.started();
  await harness.push([{ name: "a" }]);
  const [socket] = harness.kernel.open.values();
  socket?.holders.push(child);
  await settled(harness, harness.server.drainListeners(heldForChild));
  await settled(harness, harness.server.letGo());
  assert.equal(harness.kernel.open.size, 0);
  await settled(harness, harness.server.takeBack());
  assert.equal(harness.kernel.open.size, 0);
});

function isAccepting(harness: ListenerHarness, name: string): boolean {
  return harness.workers.every((worker) => worker.connect(harness.activeTag(name)) !== undefined);
}

/** Workers answer by the clock, which stands still unless it is moved. */
async function settled(harness: ListenerHarness, doing: Promise<unknown>): Promise<void> {
  let isDone = false;
  void doing.finally(() => (isDone = true));
  while (!isDone) await harness.clock.advance(0);
  await harness.settle();
}
