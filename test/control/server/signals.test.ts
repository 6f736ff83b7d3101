import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { handleSignals } from "../../../src/control/server/signals.ts";

test("a signal that came while the program loaded is heard by whoever takes over", async () => {
  const early: string[] = [];
  const heard = Promise.withResolvers<string>();
  // As `main.ts`, which listens before anything is loaded.
  process.once("SIGTERM", () => early.push("early"));
  await setImmediate();
  // The system has delivered it when this returns; Node tells of it when the loop turns next.
  process.kill(process.pid, "SIGTERM");
  using _signals = handleSignals({ terminate: heard.resolve, reopenLogs: () => {} });
  assert.equal(await heard.promise, "SIGTERM");
  assert.deepEqual(early, []);
});

test("SIGUSR1 reopens logs, SIGHUP does nothing, and nobody listens once it is over", async () => {
  const before = process.listenerCount("SIGTERM");
  const reopened = Promise.withResolvers<void>();
  const signals = handleSignals({
    terminate: () => assert.fail("nobody asked it to end"),
    reopenLogs: reopened.resolve,
  });
  const hungUp = once(process, "SIGHUP");
  process.kill(process.pid, "SIGHUP");
  process.kill(process.pid, "SIGUSR1");
  await Promise.all([hungUp, reopened.promise]);
  signals[Symbol.dispose]();
  assert.equal(process.listenerCount("SIGTERM"), before);
});
