import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { InitManager } from "../../../src/control/init/init-manager.ts";

test("it is ready once, when initialized and without unready targets, in any order of events", () => {
  const anyEvents = fc.shuffledSubarray([0, 1, 2, "initialize"] as const, { minLength: 4 });
  fc.assert(
    fc.property(anyEvents, (events) => {
      const manager = new InitManager("server");
      const targets = ["cds", "lds", "rds"].map((name) => manager.add(name));
      let calls = 0;
      const left = new Set(["cds", "lds", "rds"]);
      let isInitialized = false;
      for (const event of events) {
        if (event === "initialize") {
          manager.initialize(() => calls++);
          isInitialized = true;
        } else {
          targets[event]?.ready();
          targets[event]?.ready();
          left.delete(targets[event]?.name ?? "");
        }
        assert.deepEqual(new Set(manager.awaiting), left);
        assert.equal(manager.isReady, isInitialized && left.size === 0);
        assert.equal(calls, manager.isReady ? 1 : 0);
      }
    }),
  );
});

test("without targets it is ready at once; afterwards nothing can be added", () => {
  const manager = new InitManager("server");
  manager.initialize(() => {});
  assert(manager.isReady);
  assert.throws(() => manager.add("late"), /too late for late/);
  assert.throws(() => manager.initialize(() => {}), /twice/);
});

test("a promise that rejects counts as ready: a failed fetch must not stop the start", async () => {
  const manager = new InitManager("server");
  manager.addPromise("lds", Promise.reject(new Error("no")));
  const { promise, resolve } = Promise.withResolvers<void>();
  manager.initialize(resolve);
  await promise;
});
