import assert from "node:assert/strict";
import { test } from "node:test";
import { NamedTable } from "../../../src/data/connection-handler/named-table.ts";

test("watch() hears of every change of its name, and of no other", () => {
  const table = new NamedTable<string>();
  const heard: (string | undefined)[] = [];
  const watch = table.watch("a", (config) => heard.push(config));
  const [first, second] = ["one", "two"];
  table.set("a", first);
  table.set("b", "other");
  table.set("a", second);
  table.remove("a");
  table.remove("a");
  assert.deepEqual(heard, [first, second, undefined]);
  watch[Symbol.dispose]();
  table.set("a", first);
  assert.equal(heard.length, 3);
  assert.equal(table.get("a"), first);
});

test("watch() may be ended from within a change", () => {
  const table = new NamedTable<string>();
  let calls = 0;
  const first = table.watch("a", () => {
    calls++;
    first[Symbol.dispose]();
  });
  table.watch("a", () => calls++);
  table.set("a", "one");
  table.set("a", "one");
  assert.equal(calls, 3);
});
