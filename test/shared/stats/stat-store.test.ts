import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { StatSlab } from "../../../src/shared/stats/slab.ts";
import { defineStats } from "../../../src/shared/stats/stat-group.ts";
import { filterSnapshot } from "../../../src/shared/stats/stat-snapshot.ts";
import { StatStore, sinkSlots } from "../../../src/shared/stats/stat-store.ts";

const group = defineStats({ counters: ["a", "b"], gauges: ["g"], histograms: ["h"] });

function createStore(threads = 2, slots = 8 * 1024) {
  const buffers = Array.from({ length: threads }, () => new SharedArrayBuffer(slots * 8));
  const slabs = buffers.map((buffer) => new StatSlab(buffer));
  const main = slabs[0];
  assert(main);
  return { store: new StatStore(buffers), slabs, main };
}

test("snapshot() sums every stat over all slabs, whatever is counted where", () => {
  const count = fc.record({
    thread: fc.nat(3),
    owner: fc.nat(4),
    name: fc.constantFrom("a" as const, "b" as const, "g" as const),
    amount: fc.nat(1000),
  });
  fc.assert(
    fc.property(fc.array(count), (counts) => {
      const { store, slabs } = createStore(4);
      const blocks = [0, 1, 2, 3, 4].map((owner) => store.allocate(group, `o${owner}.`));
      const model = new Map<string, number>();
      for (const { thread, owner, name, amount } of counts) {
        slabs[thread]?.add(blocks[owner] ?? 0, group.offset(name), amount);
        const key = `o${owner}.${name}`;
        model.set(key, (model.get(key) ?? 0) + amount);
      }
      const { counters, gauges } = store.snapshot();
      assert.equal(counters.length + gauges.length, 15);
      for (const { name, value } of [...counters, ...gauges])
        assert.equal(value, model.get(name) ?? 0);
    }),
  );
});

test("blocks never overlap, and a released one comes back empty", () => {
  const other = defineStats({ counters: ["x"] });
  const step = fc.record({
    allocate: fc.boolean(),
    owner: fc.nat(20),
    wide: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const { store, main } = createStore();
      const held: { block: number; size: number; key: string }[] = [];
      for (const { allocate, owner, wide } of steps) {
        const wanted = wide ? group : other;
        const key = `${owner}${wide}`;
        if (allocate) {
          const block = store.allocate(wanted, `o${owner}.`);
          const same = held.find((h) => h.key === key);
          assert.equal(same?.block ?? block, block);
          const slots = main.values.subarray(block, block + wanted.size);
          assert(same || slots.every((value) => value === 0));
          for (const h of held)
            assert(h.key === key || block >= h.block + h.size || h.block >= block + wanted.size);
          slots.fill(7);
          held.push({ block, size: wanted.size, key });
        } else {
          const index = held.findIndex((h) => h.key === key);
          const [released] = index < 0 ? [] : held.splice(index, 1);
          if (released) store.release(released.block);
        }
      }
      const names = new Set(held.map((h) => h.key));
      const expected = [...names].reduce((sum, key) => sum + (key.endsWith("true") ? 2 : 1), 0);
      assert.equal(store.snapshot().counters.length, expected);
    }),
  );
});

test("allocate() without room gives the sink, counts that, and hits nobody's slots", () => {
  const { store, slabs, main } = createStore(1, sinkSlots + group.size);
  const first = store.allocate(group, "first.");
  const second = store.allocate(group, "second.");
  assert.equal(second, 0);
  assert.equal(store.refusedCount, 1);
  slabs[0]?.add(second, group.offset("a"));
  assert.equal(store.read("first.a"), 0);
  store.release(second);
  store.release(first);
  assert.notEqual(store.allocate(group, "third."), 0);
  assert.equal(main.values[sinkSlots], 0);
});

test("a block without names is in no list, is summed, and comes back empty", () => {
  const { store, main } = createStore();
  const block = store.allocateUnnamed(group);
  main.set(block, 0, 3);
  assert.equal(store.total(block, 0), 3);
  assert.deepEqual(store.snapshot().counters, []);
  store.releaseUnnamed(block, group);
  assert.equal(store.allocateUnnamed(group), block);
  assert.equal(store.total(block, 0), 0);
});

test("two groups that name the same stat are shown once, as their sum", () => {
  const { store, main } = createStore();
  const again = defineStats({ counters: ["a"] });
  main.add(store.allocate(group, "p."), group.offset("a"), 2);
  main.add(store.allocate(again, "p."), again.offset("a"), 3);
  assert.equal(store.read("p.a"), 5);
  assert.equal(store.snapshot().counters.filter((stat) => stat.name === "p.a").length, 1);
});

test("resetCounters() zeroes counters for the reader, leaves gauges, and keeps them used", () => {
  const { store, main } = createStore();
  const block = store.allocate(group, "p.");
  main.add(block, group.offset("a"), 5);
  main.set(block, group.offset("g"), 9);
  store.resetCounters();
  assert.equal(store.read("p.a"), 0);
  assert.equal(store.read("p.g"), 9);
  main.add(block, group.offset("a"), 2);
  assert.equal(store.read("p.a"), 2);
  assert.equal(store.snapshot().counters[0]?.isUsed, true);
});

test("a gauge that went up and down again counts as used once a flush saw it", () => {
  const { store, main } = createStore();
  const block = store.allocate(group, "p.");
  main.set(block, group.offset("g"), 1);
  store.flush();
  main.set(block, group.offset("g"), 0);
  assert.equal(store.snapshot().gauges[0]?.isUsed, true);
});

test("flush() moves histogram intervals on; totals stay", () => {
  const { store, main } = createStore();
  const block = store.allocate(group, "p.");
  const total = (counts: readonly number[] | undefined) => counts?.reduce((a, b) => a + b, 0);
  main.record(block, group.offset("h"), 3);
  main.record(block, group.offset("h"), 1e9);
  store.flush();
  assert.equal(total(store.snapshot().histograms[0]?.intervalBuckets), 2);
  store.flush();
  const [histogram] = store.snapshot().histograms;
  assert.equal(total(histogram?.intervalBuckets), 0);
  assert.equal(total(histogram?.buckets), 2);
  assert.equal(histogram?.sum, 1e9 + 3);
  assert.equal(histogram?.buckets.at(-1), 1);
});

test("filterSnapshot() keeps what was asked for", () => {
  const { store, main } = createStore();
  main.add(store.allocate(group, "p."), group.offset("a"));
  store.setText("t", "x");
  const names = (usedOnly: boolean, type: "All" | "Gauges" | "TextReadouts", part: string) => {
    const kept = filterSnapshot(store.snapshot(), {
      usedOnly,
      type,
      matches: (name) => name.includes(part),
    });
    return Object.values(kept)
      .flat()
      .map((stat: { name: string }) => stat.name);
  };
  assert.deepEqual(names(true, "All", "p."), ["p.a"]);
  assert.deepEqual(names(false, "Gauges", ""), ["p.g"]);
  assert.deepEqual(names(true, "TextReadouts", ""), ["t"]);
  store.setText("t", undefined);
  assert.deepEqual(names(false, "TextReadouts", ""), []);
});
