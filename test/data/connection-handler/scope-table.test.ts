import assert from "node:assert/strict";
import { test } from "node:test";
import { WorkerScopeTable } from "../../../src/data/connection-handler/scope-table.ts";
import type { RouteScope } from "../../../src/shared/config/scoped-routes.ts";

const scope = (name: string, key: string): RouteScope => ({ name, key, routes: name });

test("keys change hands within one command, and names too", () => {
  const table = new WorkerScopeTable();
  const set = (changed: readonly RouteScope[], removed: readonly string[] = []): void =>
    table.set({ kind: "setScopes", name: "s", changed, removed });
  const owner = (key: string): string | undefined => table.find("s", key)?.name;
  set([scope("a", "1"), scope("b", "2")]);
  set([scope("b", "1"), scope("a", "2")]);
  assert.deepEqual([owner("1"), owner("2")], ["b", "a"]);
  set([scope("c", "1")], ["b"]);
  assert.deepEqual([owner("1"), owner("2")], ["c", "a"]);
  assert.equal(table.find("other", "1"), undefined);
  table.remove("s");
  assert.equal(owner("1"), undefined);
});
