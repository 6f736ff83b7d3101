import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { DrainView } from "../../../src/control/listener/drain-view.ts";
import { ElderDrains } from "../../../src/control/listener/elder-drains.ts";
import { readToldDrain } from "../../../src/control/listener/told-drain.ts";

const none = { at_start: 2, notified: 0, finished: 1, closed_by_peer: 0, forced: 0, remaining: 1 };

function drain(id: number, fields: Partial<DrainView> = {}): DrainView {
  return {
    id,
    process_generation: null,
    cause: "hot-restart",
    listener: null,
    generation: null,
    version: null,
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
      streams: "finish",
      tcp: "deadline",
      websocket: "deadline",
      idle_grace: "5s",
      max_generations: 4,
    },
    update_class: null,
    changed: [],
    connections: none,
    by_protocol: { tcp: none },
    ...fields,
  };
}

function elders(): { readonly drains: ElderDrains; changes: number } {
  let last = 10;
  const seen = { changes: 0 };
  const drains = new ElderDrains({
    takeNumber: () => ++last,
    wallTime: () => Date.parse("2026-01-01T00:00:07Z"),
    onChange: () => seen.changes++,
  });
  return Object.assign(seen, { drains });
}

test("drains of two processes have numbers of their own here, and keep them", () => {
  const { drains } = elders();
  drains.tell([
    { generation: 2, drains: [drain(1)] },
    { generation: 1, drains: [drain(1, { state: "complete" })] },
  ]);
  drains.tell([{ generation: 2, drains: [drain(1, { state: "forced" }), drain(2)] }]);
  assert.deepEqual(
    drains.views().map(({ id, process_generation: of, state }) => [id, of, state]),
    [
      [11, 2, "forced"],
      [12, 1, "complete"],
      [13, 2, "draining"],
    ],
  );
  assert.equal(drains.find(12)?.process_generation, 1);
  assert.equal(drains.find(1), undefined);
});

test("what a process has not told the end of ends with it, and what was left was cut", () => {
  const { drains } = elders();
  const empty = { ...none, finished: 2, remaining: 0 };
  drains.tell([
    { generation: 1, drains: [drain(1), drain(2, { connections: empty, by_protocol: {} })] },
  ]);
  drains.gone();
  const [cut, complete] = drains.views();
  assert.deepEqual([cut?.state, cut?.ended_by], ["forced", "process"]);
  assert.equal(cut?.ended_at, "2026-01-01T00:00:07.000Z");
  assert.deepEqual(cut.connections, { ...none, forced: 1, remaining: 0 });
  assert.deepEqual(cut.by_protocol["tcp"], { ...none, forced: 1, remaining: 0 });
  assert.equal(complete?.state, "complete");
});

test("no more than two hundred are kept, and those under way last", () => {
  const { drains } = elders();
  const many = Array.from({ length: 150 }, (_, i) => drain(i, { state: "complete" }));
  const more = Array.from({ length: 150 }, (_, i) => drain(1_000 + i));
  drains.tell([
    { generation: 1, drains: many },
    { generation: 2, drains: more },
  ]);
  assert.equal(drains.views().length, 200);
  assert.equal(drains.views().filter(({ state }) => state === "draining").length, 150);
});

test("a drain of which something is missing or of another kind is passed over", () => {
  assert.deepEqual(readToldDrain(JSON.parse(JSON.stringify(drain(1)))), drain(1));
  const shown = Object.keys(drain(1)).filter((name) => name !== "process_generation");
  for (const name of shown) {
    assert.equal(readToldDrain({ ...drain(1), [name]: undefined }), undefined, name);
    assert.equal(readToldDrain({ ...drain(1), [name]: true }), undefined, name);
  }
  fc.assert(fc.property(fc.jsonValue(), (value) => assert.equal(readToldDrain(value), undefined)));
});
