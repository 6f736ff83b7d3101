import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ServerLifecycle, serverPhases } from "../../../src/control/server/server-phase.ts";

test("a server's phases only go forward, and state is published after each change", () => {
  const steps = fc.array(
    fc.oneof(fc.constantFrom(...serverPhases), fc.constantFrom("fail" as const, "ok" as const)),
  );
  fc.assert(
    fc.property(steps, (events) => {
      const seen: string[] = [];
      const lifecycle = new ServerLifecycle(({ state }) => seen.push(state));
      for (const event of events) {
        const before = serverPhases.indexOf(lifecycle.phase);
        if (event === "fail" || event === "ok") lifecycle.setHealthCheckFailed(event === "fail");
        else if (serverPhases.indexOf(event) > before) lifecycle.become(event);
        else assert.throws(() => lifecycle.become(event), /bug/);
        assert(serverPhases.indexOf(lifecycle.phase) >= before);
        assert.equal(seen.at(-1) ?? "PRE_INITIALIZING", lifecycle.state);
      }
    }),
  );
});

test("state has Envoy's names and numbers", () => {
  const lifecycle = new ServerLifecycle(() => {});
  const now = () => [lifecycle.state, lifecycle.stateNumber];
  assert.deepEqual(now(), ["PRE_INITIALIZING", 2]);
  lifecycle.become("initializing");
  assert.deepEqual(now(), ["INITIALIZING", 3]);
  lifecycle.become("live");
  assert.deepEqual(now(), ["LIVE", 0]);
  lifecycle.setHealthCheckFailed(true);
  assert.deepEqual(now(), ["DRAINING", 1]);
  lifecycle.setHealthCheckFailed(false);
  assert.deepEqual(now(), ["LIVE", 0]);
  lifecycle.become("ending");
  assert.deepEqual(now(), ["DRAINING", 1]);
});
