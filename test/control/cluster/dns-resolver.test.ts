import assert from "node:assert/strict";
import { test } from "node:test";
import { chooseFamily, systemDns } from "../../../src/control/cluster/dns-resolver.ts";

const v4 = { family: 4 } as const;
const v6 = { family: 6 } as const;

test("chooseFamily() follows dns_lookup_family", () => {
  assert.deepEqual(chooseFamily([v4, v6], "auto"), [v6]);
  assert.deepEqual(chooseFamily([v4], "auto"), [v4]);
  assert.deepEqual(chooseFamily([v4, v6], "v4Preferred"), [v4]);
  assert.deepEqual(chooseFamily([v6], "v4Preferred"), [v6]);
  assert.deepEqual(chooseFamily([v4, v6], "v4Only"), [v4]);
  assert.deepEqual(chooseFamily([v4], "v6Only"), []);
  assert.deepEqual(chooseFamily([v4, v6], "all"), [v4, v6]);
});

test("systemDns() reads the hosts file", async () => {
  const answer = await systemDns("localhost", "v4Preferred", false);
  assert(answer.ok);
  assert(answer.addresses.length > 0);
  assert.equal(answer.ttlMs, undefined);
});
