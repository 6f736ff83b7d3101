import assert from "node:assert/strict";
import { test } from "node:test";
import {
  descriptorNames,
  descriptorsHandedOver,
} from "../../../src/shared/common/handed-descriptors.ts";

test("descriptors are taken only from who meant this process, and in reasonable number", () => {
  assert.equal(descriptorsHandedOver({ LISTEN_PID: "9", LISTEN_FDS: "2" }, 9), 2);
  assert.equal(descriptorsHandedOver({ LISTEN_PID: "8", LISTEN_FDS: "2" }, 9), 0);
  assert.equal(descriptorsHandedOver({ LISTEN_PID: "9" }, 9), 0);
  for (const count of ["-1", "1.5", "x", "", "100000"])
    assert.equal(descriptorsHandedOver({ LISTEN_PID: "9", LISTEN_FDS: count }, 9), 0, count);
});

test("descriptors have the names that the service manager says, as far as it says any", () => {
  assert.deepEqual(descriptorNames({ LISTEN_FDNAMES: "web:admin" }, 2), ["web", "admin"]);
  assert.deepEqual(descriptorNames({ LISTEN_FDNAMES: "web" }, 3), ["web", "", ""]);
  assert.deepEqual(descriptorNames({}, 1), [""]);
});
