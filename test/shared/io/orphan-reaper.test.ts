import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";

const skip = process.platform !== "linux" && "waitid of Linux";

/** A child that has ended, and that Node, whose loop stands still, has not reaped yet. */
function zombie() {
  const child = spawn("true");
  const states = (): string =>
    spawnSync("ps", ["-o", "stat=", String(child.pid)]).stdout.toString();
  while (!states().startsWith("Z"));
  return child;
}

test("a child of Node's own stays for Node to see", { skip }, async () => {
  const { OrphanReaper } = await import("../../../src/shared/io/orphan-reaper.ts");
  const child = zombie();
  assert.equal(
    new OrphanReaper().reap((pid) => pid === child.pid),
    0,
  );
  assert.deepEqual(await once(child, "exit"), [0, null]);
});

test("any other is taken, once", { skip }, async (t) => {
  const { OrphanReaper } = await import("../../../src/shared/io/orphan-reaper.ts");
  const child = zombie();
  t.after(() => child.unref());
  const reaper = new OrphanReaper();
  assert.equal(
    reaper.reap(() => false),
    1,
  );
  assert.equal(
    reaper.reap(() => false),
    0,
  );
});
