import assert from "node:assert/strict";
import { test } from "node:test";
import { type DrainResult, remainingMax } from "../../../src/control/listener/drain-desk.ts";
import { endedDrainsMax, goneDrainsMax } from "../../../src/control/listener/drain-registry.ts";
import type { DrainView } from "../../../src/control/listener/drain-view.ts";
import { answerMsMax } from "../../../src/control/workers/worker-inquiry.ts";
import { ListenerHarness } from "../../support/listener-harness.ts";

const graceful = { kind: "server", mode: "graceful", inboundOnly: false } as const;
const keepAccepting = { ...graceful, mode: "keepAccepting" } as const;
const stop = { ...graceful, mode: "stop" } as const;
const ofA = { kind: "listener", listener: "a" } as const;

/** Two workers, listener `a`, `count` connections on each. */
async function serving(count = 1, drain: Parameters<typeof ListenerHarness.started>[0] = {}) {
  const harness = await ListenerHarness.started(drain);
  await harness.push([{ name: "a", chains: ["base", "x"] }]);
  for (const worker of harness.workers)
    for (let i = 0; i < count; i++) worker.connect(harness.activeTag("a"), i % 2 ? "x" : "base");
  return harness;
}

/** Workers answer by the clock, which stands still unless it is moved. */
async function settled<T>(harness: ListenerHarness, promise: Promise<T>): Promise<T> {
  let isDone = false;
  void promise.finally(() => (isDone = true));
  for (let i = 0; i < 100 && !isDone; i++) await harness.clock.advance(0);
  assert(isDone, "not answered without time going by");
  return promise;
}

function viewOf(result: DrainResult): DrainView {
  assert(result.ok, JSON.stringify(result));
  return result.drain;
}

function errorOf(result: { readonly ok: boolean; readonly error?: unknown }): unknown {
  assert(!result.ok, JSON.stringify(result));
  return result.error;
}

test("a graceful drain of the server is cancelled, and serving goes on as if it had not been", async () => {
  const harness = await serving();
  const begun = viewOf(await harness.drains.start({ scope: graceful }));
  assert.equal(begun.direction, "all");
  await harness.settle();
  const cancelled = viewOf(await settled(harness, harness.drains.cancel(begun.id)));
  assert.deepEqual([cancelled.state, cancelled.ended_by], ["cancelled", "order"]);
  await harness.clock.advance(60_000);
  assert.equal(harness.kernel.open.size, 1);
  assert.equal(harness.stats.value("sluice.drain.cancelled"), 1);
  // Another one may begin, and stops listeners when it is over.
  const next = viewOf(await harness.drains.start({ scope: graceful }));
  assert.equal(next.id, begun.id + 1);
  await harness.clock.advance(10_000);
  await harness.settle();
  assert.equal(harness.kernel.open.size, 0);
});

test("what was told stays told, and the answer counts it", async () => {
  const harness = await serving(2);
  const { id } = viewOf(await harness.drains.start({ scope: ofA }));
  await harness.settle();
  for (const { connections } of harness.workers) for (const each of connections) each.isTold = true;
  const result = await settled(harness, harness.drains.cancel(id));
  assert(result.ok);
  assert.equal(result.note, "4 connections were told already and close after their next response");
  const { connections, state } = result.drain;
  assert.equal(state, "cancelled");
  assert.equal(connections.remaining, 4);
  await harness.clock.advance(60_000);
  assert.equal(harness.worker(0).connections.size, 2);
});

test("a drain whose listeners have stopped, or are gone, cannot be cancelled", async () => {
  const harness = await serving(2);
  await harness.push([{ name: "b", address: "127.0.0.1:1" }]);
  harness.worker(0).connect(harness.activeTag("b"));
  await harness.push([{ name: "a", chains: ["base"] }]);
  await harness.push([], ["b"]);
  const ofServer = viewOf(await settled(harness, harness.drains.start({ scope: stop })));
  const ids = harness.drains.list().drains.map(({ id, cause }) => [cause, id] as const);
  const cancel = async (id: number): Promise<unknown> => errorOf(await harness.drains.cancel(id));
  const known = new Map(ids);
  const removed = known.get("lds-remove") ?? 0;
  assert.deepEqual(await cancel(removed), {
    kind: "notCancellable",
    text: `drain ${removed} cannot be cancelled: listener 'b' is removed; the drain can be extended or ended`,
  });
  const chain = known.get("filter-chain") ?? 0;
  assert.match(JSON.stringify(await cancel(chain)), /filter chains are no longer in listener 'a'/);
  assert.match(JSON.stringify(await cancel(ofServer.id)), /listeners have stopped/);
  assert.equal(harness.registry.active.length, 3, "nothing has changed");
});

test("an extension moves the deadline for all workers and leaves the ordered policy as it was", async () => {
  const harness = await serving();
  const { id, deadline } = viewOf(
    await harness.drains.start({ scope: ofA, timeMs: 2_000, strategy: "immediate" }),
  );
  await harness.clock.advance(1_500);
  const extended = viewOf(await harness.drains.extend(id, { byMs: 3_000 }));
  assert.equal(Date.parse(extended.deadline) - Date.parse(deadline), 3_000);
  assert.equal(extended.policy.time, "2s");
  assert.equal(extended.strategy, "immediate");
  await harness.clock.advance(3_499);
  assert.equal(harness.worker(0).connections.size, 1);
  await harness.clock.advance(1);
  await harness.settle();
  assert.equal(harness.worker(0).connections.size, 0);
  const { drains } = harness.drains.list();
  assert.deepEqual([drains[0]?.state, drains[0]?.ended_by], ["forced", "deadline"]);
});

test("a removed listener's drain is extended to a time of day, beyond its deadline too", async () => {
  const harness = await serving(1, { drain: { tcp: "keep" } });
  await harness.push([], ["a"]);
  const [drain] = harness.drains.list().drains;
  assert(drain);
  await harness.clock.advance(11_000);
  assert.equal(viewOf(harness.drains.get(drain.id)).state, "draining");
  const untilMs = harness.clock.wallTime() + 5_000;
  const extended = viewOf(await harness.drains.extend(drain.id, { untilMs }));
  assert.equal(Date.parse(extended.deadline), untilMs);
  await harness.clock.advance(20_000);
  assert.equal(viewOf(harness.drains.get(drain.id)).state, "draining", "tcp: keep");
  const [listener] = harness.manager.view().listeners;
  assert.equal(listener?.state, "draining");
});

test("to end a drain cuts what remains at once, whatever its policy would let finish", async () => {
  const harness = await serving(2, { drain: { tcp: "keep" } });
  await harness.push([], ["a"]);
  const [drain] = harness.drains.list().drains;
  assert(drain);
  await harness.clock.advance(500);
  const ended = viewOf(await settled(harness, harness.drains.end(drain.id)));
  assert.deepEqual([ended.state, ended.ended_by], ["forced", "order"]);
  assert.equal(ended.deadline, ended.ended_at);
  assert.equal(ended.connections.forced, 4);
  assert.equal(harness.stats.value("sluice.drain.forced_connections"), 4);
  harness.assertStats({ added: 1, removed: 1 });
});

test("the end of one chain's drain cuts that chain's connections and no other", async () => {
  const harness = await serving(2);
  const scope = { ...ofA, filterChain: "x" };
  const { id, filter_chains } = viewOf(await harness.drains.start({ scope }));
  assert.deepEqual(filter_chains, ["x"]);
  await harness.settle();
  const ended = viewOf(await settled(harness, harness.drains.end(id)));
  assert.equal(ended.connections.forced, 2);
  for (const { connections } of harness.workers)
    assert.deepEqual(
      [...connections].map(({ chain }) => chain),
      ["base"],
    );
});

test("graceful drain ended now: listeners stop now; a wider one replaces a narrower", async () => {
  const harness = await serving();
  const inbound = viewOf(
    await harness.drains.start({ scope: { ...graceful, inboundOnly: true }, timeMs: 9_000 }),
  );
  assert.equal(inbound.direction, "inbound_only");
  const all = viewOf(await harness.drains.start({ scope: graceful }));
  const replaced = viewOf(harness.drains.get(inbound.id));
  assert.notEqual(replaced.state, "draining");
  assert.equal(replaced.ended_by, "wider");
  assert.deepEqual(errorOf(await harness.drains.start({ scope: keepAccepting })), {
    kind: "underWay",
    text: `the server drains already (drain ${all.id})`,
  });
  await settled(harness, harness.drains.end(all.id));
  assert.equal(harness.kernel.open.size, 0);
});

test("of one name so many versions drain at their pace; then the oldest is told to go, and cut", async () => {
  const harness = await ListenerHarness.started({ drain: { maxGenerations: 2 } });
  for (let port = 1; port <= 4; port++) {
    await harness.push([{ name: "a", address: `127.0.0.1:${port}` }]);
    harness.worker(0).connect(harness.activeTag("a"));
  }
  await harness.settle();
  const [first] = harness.drains.list().drains;
  assert(first);
  assert.equal(Date.parse(first.deadline) - Date.parse(first.started_at), 5_000);
  assert([...harness.worker(0).connections].filter(({ isTold }) => isTold).length === 1);
  assert.match(
    JSON.stringify(await harness.drains.extend(first.id, { byMs: 1 })),
    /drain 1 is ending already/,
  );
  await harness.clock.advance(5_000);
  await harness.settle();
  const { drains } = harness.drains.list();
  assert.deepEqual(
    drains.map(({ id, state, ended_by }) => [id, state, ended_by]),
    [
      [2, "draining", null],
      [3, "draining", null],
      [1, "forced", "generations"],
    ],
  );
  assert.equal(harness.stats.value("sluice.drain.generations_forced"), 1);
  assert.deepEqual(harness.names("draining"), ["a", "a"]);
});

test("the connections that remain are listed, and a silent worker is named", async () => {
  const harness = await serving(3);
  const { id } = viewOf(await harness.drains.start({ scope: ofA }));
  await harness.settle();
  const all = await settled(harness, harness.drains.remaining(id, 4));
  assert(all.ok);
  assert.equal(all.drain.remaining_listed, 4);
  assert.deepEqual(all.drain.remaining[0], {
    id: 0,
    worker: 0,
    peer: "127.0.0.1:1",
    local: "127.0.0.1:2",
    age_ms: 5,
    protocol: "tcp",
    told: false,
    streams: 1,
    bytes_received: 3,
    bytes_sent: 4,
    route: null,
    cluster: "c",
  });
  harness.worker(1).isStuck = true;
  const asked = harness.drains.remaining(id, remainingMax);
  await harness.clock.advance(answerMsMax);
  const some = await asked;
  assert(some.ok);
  assert.equal(some.drain.remaining_listed, 3);
  assert.deepEqual(some.drain.silent_workers, [1]);
});

test("nonsense is refused with a sentence, and nothing changes", async () => {
  const harness = await serving();
  const { drains } = harness;
  const begun = viewOf(await drains.start({ scope: ofA }));
  const start = async (request: Parameters<typeof drains.start>[0]): Promise<unknown> =>
    errorOf(await drains.start(request));
  assert.deepEqual(await start({ scope: { kind: "listener", listener: "nobody" } }), {
    kind: "noSuchListener",
    text: "no active listener 'nobody'",
  });
  assert.deepEqual(await start({ scope: { ...ofA, filterChain: "nope" } }), {
    kind: "noSuchFilterChain",
    text: "listener 'a' has no filter chain 'nope'",
  });
  for (const percent of [0, -1, 100.1, Number.NaN])
    assert.match(JSON.stringify(await start({ scope: { ...ofA, percent } })), /percent must be/);
  for (const timeMs of [-1, 86_400_001, Number.NaN])
    assert.match(JSON.stringify(await start({ scope: graceful, timeMs })), /time must be/);
  for (const byMs of [0, -1, 86_400_000, Number.NaN])
    assert.match(JSON.stringify(await drains.extend(begun.id, { byMs })), /outOfRange/);
  assert.match(JSON.stringify(await drains.extend(begun.id, { untilMs: 0 })), /later time/);
  for (const limit of [0, 1.5, remainingMax + 1])
    assert.match(JSON.stringify(await drains.remaining(begun.id, limit)), /limit must be/);
  for (const id of [0, -1, 1.5, Number.NaN, 99])
    assert.deepEqual(errorOf(drains.get(id)), {
      kind: "unknown",
      text: `there has been no drain ${id}`,
    });
  assert.deepEqual(viewOf(drains.get(begun.id)).deadline, begun.deadline);
  assert.equal(harness.registry.active.length, 1);
});

test("a drain that has ended cannot be steered; one that is no longer kept says since when", async () => {
  const harness = await ListenerHarness.started();
  await harness.push([{ name: "a" }]);
  const begin = async (): Promise<DrainView> => viewOf(await harness.drains.start({ scope: ofA }));
  const first = await begin();
  await harness.settle();
  const ended = viewOf(harness.drains.get(first.id));
  assert.equal(ended.state, "complete");
  for (const order of [
    harness.drains.cancel(1),
    harness.drains.end(1),
    harness.drains.extend(1, { byMs: 1 }),
  ])
    assert.deepEqual(errorOf(await order), {
      kind: "ended",
      text: `drain 1 ended already at ${ended.ended_at} (complete)`,
    });
  const endMany = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) {
      await begin();
      await harness.settle();
    }
  };
  await endMany(endedDrainsMax);
  assert.deepEqual(errorOf(harness.drains.get(1)), {
    kind: "gone",
    text: `drain 1 ended at ${ended.ended_at} and is no longer kept`,
  });
  await endMany(goneDrainsMax);
  assert.match(JSON.stringify(harness.drains.get(1)), /drain 1 ended long ago/);
});
