import assert from "node:assert/strict";
import { test } from "node:test";
import { needsConnection } from "../../../../src/data/http/upstream/preconnect.ts";

test("with a ratio of 1 a connection is needed when more wait than will find room", () => {
  assert.equal(needsConnection({ waiting: 0, active: 9, room: 0 }, 1), false);
  assert.equal(needsConnection({ waiting: 1, active: 9, room: 1 }, 1), false);
  assert.equal(needsConnection({ waiting: 2, active: 0, room: 1 }, 1), true);
});

test("above it there is room before anybody waits", () => {
  assert.equal(needsConnection({ waiting: 0, active: 0, room: 0 }, 2), false);
  assert.equal(needsConnection({ waiting: 0, active: 1, room: 0 }, 2), true);
  assert.equal(needsConnection({ waiting: 0, active: 1, room: 1 }, 2), false);
  assert.equal(needsConnection({ waiting: 0, active: 2, room: 1 }, 1.5), false);
  assert.equal(needsConnection({ waiting: 0, active: 3, room: 1 }, 1.5), true);
});
