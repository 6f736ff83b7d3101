import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { answerMsMax } from "../../../src/control/workers/worker-inquiry.ts";
import type { PlanView, PlannedListenerView } from "../../../src/control/listener/plan-view.ts";
import { decodedListener, type ListenerSketch } from "../../support/config-builders.ts";
import { ListenerHarness } from "../../support/listener-harness.ts";

/** As the state of the world: what is not in it is removed. */
async function planOf(
  harness: ListenerHarness,
  sketches: readonly ListenerSketch[],
  isComplete = true,
): Promise<PlanView> {
  const listeners = sketches.map((sketch) => ({
    name: sketch.name,
    decoded: decodedListener(sketch),
  }));
  const planned = harness.manager.plan({ listeners, isComplete });
  let view: PlanView | undefined;
  void planned.then((value) => (view = value));
  for (let turn = 0; view === undefined && turn < 20; turn++) await harness.clock.advance(0);
  return await planned;
}

const classOf = (view: PlanView, name: string): PlannedListenerView | undefined =>
  view.listeners.find((listener) => listener.name === name);

const ports: Readonly<Record<string, number>> = { a: 1, b: 2, c: 3 };

const sketch: fc.Arbitrary<ListenerSketch> = fc
  .record({
    name: fc.constantFrom("a", "b", "c"),
    chains: fc.constantFrom(["x"], ["x"], ["x", "y"], ["y", "z"]),
    revision: fc.constantFrom("1", "1", "2"),
    spelling: fc.constantFrom("1", "1", "1", "2"),
    statPrefix: fc.constantFrom("", "", "other"),
    reusePort: fc.constantFrom(false, false, false, true),
    needs: fc.constantFrom("upstream", "upstream", "upstream", "nobody"),
    routes: fc.constantFrom([], [], ["never"]),
  })
  .map(({ statPrefix, reusePort, needs, ...rest }) => ({
    ...rest,
    address: `127.0.0.1:${8080 + (ports[rest.name] ?? 0)}`,
    requiredClusters: [needs],
    config: { statPrefix, enableReusePort: reusePort },
  }));

const push = fc.uniqueArray(sketch, { selector: ({ name }) => name, minLength: 1, maxLength: 3 });

/** What is there, and what began to drain since. */
class Before {
  readonly #harness: ListenerHarness;
  readonly views;
  readonly #drains: ReadonlySet<number>;

  constructor(harness: ListenerHarness) {
    this.#harness = harness;
    this.views = harness.manager.view().listeners;
    this.#drains = new Set(harness.registry.view().drains.map(({ id }) => id));
  }

  drainsSince() {
    const { drains } = this.#harness.registry.view();
    return drains
      .filter(({ id }) => !this.#drains.has(id))
      .map((drain) => ({
        name: drain.listener,
        chains: drain.filter_chains?.toSorted() ?? null,
        connections: drain.connections.at_start,
      }))
      .toSorted((one, other) => ((one.name ?? "") < (other.name ?? "") ? -1 : 1));
  }
}

/** The view of a listener after the push says what its plan said. */
function checkApplied(
  planned: PlannedListenerView,
  harness: ListenerHarness,
  before: Before,
): void {
  const { name } = planned;
  const versions = (views: typeof before.views) =>
    views.filter((view) => view.name === name && view.state !== "draining");
  const [was, is] = [versions(before.views), versions(harness.manager.view().listeners)];
  const newest = is.find(({ state }) => state === "warming") ?? is[0];
  switch (planned.class) {
    case "new":
    case "live":
    case "filterChains":
    case "full":
      assert.equal(newest?.updateClass, planned.class);
      assert.deepEqual(newest.changed, planned.changed);
      return;
    case "removed":
      assert.deepEqual(is, []);
      return;
    case "revert":
      assert.deepEqual(
        is.map(({ state }) => state),
        ["active"],
      );
      return;
    case "equivalent":
    case "unchanged":
    case "refused":
    case "skipped":
      assert.deepEqual(
        is.map(({ tag, generation }) => [tag, generation]),
        was.map(({ tag, generation }) => [tag, generation]),
      );
  }
}

test("what a plan says is what the push does, whatever came before it", async () => {
  const seen = new Set<string>();
  await fc.assert(
    fc.asyncProperty(fc.array(push, { minLength: 1, maxLength: 12 }), async (pushes) => {
      const harness = await ListenerHarness.started();
      for (const sketches of pushes) {
        const plan = await planOf(harness, sketches);
        const unmoved = harness.manager.view();
        const before = new Before(harness);
        const names = new Set(sketches.map(({ name }) => name));
        const gone = plan.listeners.filter((planned) => planned.class === "removed");
        for (const { name } of gone) assert(!names.has(name));
        const refused = await harness.push(
          sketches,
          gone.map(({ name }) => name),
        );
        assert.deepEqual(before.views, unmoved.listeners);
        for (const planned of plan.listeners) {
          seen.add(planned.class);
          assert.equal(refused[planned.name] ?? null, planned.reason);
          checkApplied(planned, harness, before);
        }
        const isWarming = harness.manager.view().listeners.some(({ state }) => state === "warming");
        const drains = plan.listeners.flatMap(({ name, drain }) =>
          drain
            ? [
                {
                  name,
                  chains: drain.filter_chains?.map((chain) => chain.name).toSorted() ?? null,
                  connections: drain.connections,
                },
              ]
            : [],
        );
        // What warms has replaced nothing yet: its plan tells what will drain then.
        if (!isWarming)
          assert.deepEqual(
            before.drainsSince(),
            drains.toSorted((one, other) => (one.name < other.name ? -1 : 1)),
          );
        await harness.clock.advance(10_000);
        for (const { tag, state, bytes } of harness.manager.view().listeners) {
          if (state !== "active") continue;
          const { chains = [] } = JSON.parse(new TextDecoder().decode(bytes)) as ListenerSketch;
          for (const chain of chains) harness.worker(chain === "x" ? 0 : 1).connect(tag, chain);
        }
      }
    }),
    { numRuns: 150 },
  );
  // Else the test would say little. Some classes come seldom; each has a test below, or in the manager's own.
  for (const often of ["new", "live", "filterChains", "full", "removed", "unchanged", "refused"])
    assert(seen.has(often), `no plan was ${often}`);
});

describe("a plan", () => {
  test("counts the connections that would drain, by listener and by chain", async () => {
    const harness = await ListenerHarness.started();
    const b = { name: "b", address: "127.0.0.1:8082" };
    await harness.push([{ name: "a", chains: ["x", "y"] }, b]);
    for (const [worker, chain] of [
      [0, "x"],
      [1, "x"],
      [1, "y"],
    ] as const)
      assert(harness.worker(worker).connect(harness.activeTag("a"), chain));
    const chains = await planOf(harness, [{ name: "a", chains: ["y", "z"] }, b]);
    assert.deepEqual(classOf(chains, "a")?.drain, {
      filter_chains: [{ name: "x", connections: 2 }],
      connections: 2,
      time_s: 10,
      strategy: "gradual",
    });
    assert.deepEqual([chains.draining_listeners, chains.draining_connections], [1, 2]);
    const policy = { timeMs: 3_000, strategy: "immediate" } as const;
    await harness.push([{ ...b, config: { drainPolicy: policy } }]);
    const full = await planOf(harness, [
      { name: "a", chains: ["x", "y"], config: { statPrefix: "s" } },
    ]);
    assert.deepEqual(classOf(full, "a")?.drain?.connections, 3);
    assert.deepEqual(classOf(full, "b"), {
      name: "b",
      class: "removed",
      changed: [],
      reason: null,
      drain: { filter_chains: null, connections: 0, time_s: 3, strategy: "immediate" },
    });
    assert.deepEqual(full.classes, { full: 1, removed: 1 });
  });

  test("back to what is active drops what warms, and drains nothing", async () => {
    const harness = await ListenerHarness.started();
    await harness.push([{ name: "a" }]);
    await harness.push([{ name: "a", routes: ["never"], config: { statPrefix: "s" } }]);
    harness.assertStats({ added: 1, modified: 1, active: 1, warming: 1 });
    const [listener] = (await planOf(harness, [{ name: "a" }])).listeners;
    assert.deepEqual([listener?.class, listener?.drain], ["revert", null]);
    const again = { name: "a", spelling: "2" };
    const [other] = (await planOf(harness, [again])).listeners;
    assert.equal(other?.class, "revert");
    await harness.push([again]);
    harness.assertStats({ added: 1, modified: 2, active: 1 });
  });

  test("of a part of the listeners removes none", async () => {
    const harness = await ListenerHarness.started();
    await harness.push([{ name: "a" }]);
    const plan = await planOf(harness, [], false);
    assert.deepEqual(plan.listeners, []);
  });

  test("tells what is skipped, sent twice and cannot be read", async () => {
    const harness = await ListenerHarness.started();
    assert.equal(await harness.manager.addStatic(decodedListener({ name: "s" })), undefined);
    await harness.settle();
    const decoded = decodedListener({ name: "s" });
    const view = await harness.manager.plan({
      isComplete: true,
      listeners: [
        { name: "s", decoded },
        { name: "s", decoded },
        { name: "bad", errors: ["one", "two"] },
      ],
    });
    assert.deepEqual(
      view.listeners.map((listener) => [listener.class, listener.reason]),
      [
        ["skipped", "the bootstrap has a listener of this name"],
        ["refused", "duplicate listener s found"],
        ["refused", "one; two"],
      ],
    );
  });

  test("does not wait long for a worker that does not answer", async () => {
    let delayMs = 0;
    const harness = await ListenerHarness.started({ delayMs: () => delayMs });
    await harness.push([{ name: "a", chains: ["x", "y"] }]);
    delayMs = answerMsMax * 2;
    const planned = harness.manager.plan({
      isComplete: true,
      listeners: [{ name: "a", decoded: decodedListener({ name: "a", chains: ["y"] }) }],
    });
    await harness.clock.advance(0);
    await harness.clock.advance(answerMsMax);
    const view = await planned;
    assert.deepEqual(
      [view.draining_listeners, view.draining_connections, classOf(view, "a")?.drain?.connections],
      [1, null, null],
    );
  });
});
