import assert from "node:assert/strict";
import { test } from "node:test";
import type { DecodedScope } from "../../../src/control/config/decoded-scope.ts";
import { scopeConflicts } from "../../../src/control/listener/scope-conflicts.ts";

const scope = (name: string, key: string): DecodedScope => ({
  name,
  key,
  routeConfigName: "r",
  isOnDemand: false,
});

test("the second scope of a key is refused, in Envoy's words", () => {
  const message = "scope key conflict found, first scope is 'a', second scope is 'b'";
  const conflict = [{ name: "b", message }];
  assert.deepEqual(scopeConflicts([scope("a", "1")], [scope("b", "1")], []), conflict);
  assert.deepEqual(scopeConflicts([], [scope("a", "1"), scope("b", "1")], []), conflict);
});

test("a push may move keys between scopes, and bring a scope back under another name", () => {
  const held = [scope("a", "1"), scope("b", "2")];
  assert.deepEqual(scopeConflicts(held, [scope("c", "1")], ["a"]), []);
  assert.deepEqual(scopeConflicts(held, [scope("a", "2"), scope("b", "1")], []), []);
  assert.equal(scopeConflicts(held, [scope("a", "2")], []).length, 1);
});
