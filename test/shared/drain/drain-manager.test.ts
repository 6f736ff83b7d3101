import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { drainId } from "../../../src/shared/common/brand.ts";
import {
  type DrainStart,
  type DrainStrategy,
  drainPolicyDefaults,
} from "../../../src/shared/drain/drain.ts";
import { DrainManager } from "../../../src/shared/drain/drain-manager.ts";
import { VirtualClock } from "../../support/virtual-clock.ts";

function drainStart(clock: VirtualClock, strategy: DrainStrategy = "gradual"): DrainStart {
  const startMs = clock.now();
  return {
    id: drainId(1),
    cause: "lds-remove",
    startMs,
    deadlineMs: startMs + 1_000,
    strategy,
    ...drainPolicyDefaults,
    idleGraceMs: 100,
    cutsAtDeadline: true,
  };
}

function tree() {
  const clock = new VirtualClock();
  const health = { isFailed: false };
  const server = new DrainManager("modifyOnly", {
    clock,
    isHealthCheckFailed: () => health.isFailed,
  });
  const listener = server.createChildManager("default");
  return { clock, health, server, listener, chain: listener.createChildManager("default") };
}

test("drainClose() is the OR along the way up, never down or across", async () => {
  const { clock, server, listener, chain } = tree();
  const sibling = server.createChildManager("default");
  listener.startDrainSequence(drainStart(clock, "immediate"), "all", () => {});
  assert.equal(chain.drainClose("all", 0.5), true);
  assert.equal(listener.drainClose("all", 0.5), true);
  assert.equal(server.drainClose("all", 0.5), false);
  assert.equal(sibling.drainClose("all", 0.5), false);
  listener.complete();
  assert.equal(clock.pendingCount, 0);
});

test("a child made while the server drains is asked to close too", () => {
  const { clock, server } = tree();
  server.startDrainSequence(drainStart(clock, "immediate"), "all", () => {});
  assert.equal(server.createChildManager("modifyOnly").drainClose("all", 0.9), true);
});

test("/healthcheck/fail is heeded by DrainType default alone, and can be taken back", () => {
  const { health, server, listener } = tree();
  health.isFailed = true;
  assert.equal(listener.drainClose("all", 0.5), true);
  assert.equal(server.drainClose("all", 0.5), false);
  assert.equal(server.createChildManager("modifyOnly").drainClose("all", 0.5), false);
  health.isFailed = false;
  assert.equal(listener.drainClose("all", 0.5), false);
});

test("an inbound drain closes inbound connections only; all covers inbound", () => {
  const { clock, server, listener } = tree();
  assert(server.startDrainSequence(drainStart(clock, "immediate"), "inboundOnly", () => {}));
  assert.equal(listener.drainClose("inboundOnly", 0.5), true);
  assert.equal(listener.drainClose("all", 0.5), false);
  assert(!server.startDrainSequence(drainStart(clock), "inboundOnly", assert.fail), "covered");
  assert(
    server.startDrainSequence(drainStart(clock, "immediate"), "all", () => {}),
    "wider",
  );
  assert.equal(listener.drainClose("all", 0.5), true);
  assert(!server.startDrainSequence(drainStart(clock), "inboundOnly", assert.fail), "covered");
  assert.equal(clock.pendingCount, 1, "the wider drain replaced the narrower one's deadline");
});

test("the deadline comes once, and not after complete()", async () => {
  const { clock, listener, chain } = tree();
  let deadlines = 0;
  listener.startDrainSequence(drainStart(clock), "all", () => deadlines++);
  chain.startDrainSequence(drainStart(clock), "all", assert.fail);
  chain.complete();
  await clock.advance(999);
  assert.equal(deadlines, 0);
  await clock.advance(5_000);
  assert.equal(deadlines, 1);
  assert.equal(listener.drainClose("all", 0.999), true, "past the deadline everything closes");
});

test("a gradual drain's probability rises from 0 to 1 over its time", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 0, max: 1_200 }),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      async (elapsedMs, chance) => {
        const { clock, listener } = tree();
        listener.startDrainSequence(drainStart(clock), "all", () => {});
        await clock.advance(elapsedMs);
        const expected = elapsedMs >= 1_000 || elapsedMs / 1_000 > chance;
        assert.equal(listener.drainClose("all", chance), expected);
      },
    ),
    { numRuns: 50 },
  );
});

test("an extension holds whether the deadline is ahead or has passed; a cancelled drain never was", async () => {
  const clock = new VirtualClock();
  const manager = new DrainManager("modifyOnly", { clock, isHealthCheckFailed: () => false });
  let deadlines = 0;
  const start = (deadlineMs: number): DrainStart => ({ ...drainStart(clock), deadlineMs });
  manager.extendDrainSequence(start(1_000), () => deadlines++);
  assert.equal(manager.state.kind, "serving", "there is nothing to extend");
  manager.startDrainSequence(start(clock.now() + 1_000), "inboundOnly", () => deadlines++);
  manager.extendDrainSequence(start(clock.now() + 3_000), () => deadlines++);
  await clock.advance(2_999);
  assert.equal(deadlines, 0);
  await clock.advance(1);
  assert.deepEqual([deadlines, manager.state.kind], [1, "drained"]);
  manager.extendDrainSequence(start(clock.now() + 500), () => deadlines++);
  assert(manager.isDraining("inboundOnly") && !manager.isDraining("all"), "of its direction still");
  manager.cancelDrainSequence();
  await clock.advance(1_000);
  assert.deepEqual([deadlines, manager.state.kind], [1, "serving"]);
  assert.equal(manager.drainClose("inboundOnly", 0), false);
});
