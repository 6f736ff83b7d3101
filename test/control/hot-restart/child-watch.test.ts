import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { ChildProcess } from "../../../src/control/hot-restart/child-process.ts";
import { ChildWatch, holdMs } from "../../../src/control/hot-restart/child-watch.ts";
import { VirtualClock } from "../../support/virtual-clock.ts";

const isLinux = process.platform === "linux";
const onLinux = { skip: !isLinux && "whose process ids are looked up is Linux" };

function watched() {
  const clock = new VirtualClock();
  const calls: string[] = [];
  const name = { isBound: true };
  const watch = new ChildWatch({
    clock,
    onGone: () => calls.push("gone"),
    onSettled: () => calls.push("settled"),
  });
  const child = new ChildProcess(process.pid, () => name.isBound);
  return { clock, calls, name, watch, child };
}

test("a child that was given the admin is watched for as long as it takes", onLinux, async () => {
  const { clock, calls, name, watch, child } = watched();
  watch.hold(child, false);
  await clock.advance(10 * holdMs);
  assert.deepEqual(calls, []);
  name.isBound = false;
  await clock.advance(100);
  assert.deepEqual(calls, ["gone"]);
  name.isBound = true;
  await clock.advance(1_000);
  assert.deepEqual(calls, ["gone"], "once");
});

test("a child that has served for a while is let go", onLinux, async () => {
  const { clock, calls, name, watch, child } = watched();
  watch.hold(child, false);
  watch.hold(child, true);
  await clock.advance(holdMs - 1);
  assert.deepEqual(calls, []);
  await clock.advance(100);
  assert.deepEqual(calls, ["settled"]);
  name.isBound = false;
  await clock.advance(1_000);
  assert.deepEqual(calls, ["settled"]);
});

test("another child that asks is no sign that the one before has gone", onLinux, async () => {
  const { calls, watch, child } = watched();
  watch.hold(child, true);
  watch.heard();
  assert.deepEqual(calls, []);
  const process = spawn("true");
  const [pid] = [process.pid];
  await once(process, "exit");
  assert(pid !== undefined);
  const ended = new ChildProcess(pid, () => true);
  watch.hold(ended, true);
  watch.heard();
  assert.deepEqual(calls, ["gone"], "its name is there again, but it has ended");
});
