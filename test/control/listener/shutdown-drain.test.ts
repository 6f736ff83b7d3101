import assert from "node:assert/strict";
import { test } from "node:test";
import { ShutdownDrain } from "../../../src/control/listener/shutdown-drain.ts";
import { ListenerHarness } from "../../support/listener-harness.ts";

function shutdownOf(harness: ListenerHarness): ShutdownDrain {
  return new ShutdownDrain({
    ...harness.drainContext,
    clock: harness.clock,
    manager: harness.manager,
    serverDrain: harness.server,
  });
}

test("probes fail before a connection is told, and nothing is accepted from then on", async () => {
  const harness = await ListenerHarness.started({ drain: { streams: "finish", tcp: "keep" } });
  await harness.push([{ name: "a" }]);
  let hasEnded = false;
  void shutdownOf(harness)
    .run(3_000)
    .then(() => (hasEnded = true));
  await harness.settle();
  assert(harness.isHealthCheckFailed);
  assert.equal(harness.kernel.open.size, 0);
  for (const { handled } of harness.workers) {
    const kinds = handled.map(({ kind }) => kind);
    assert(kinds.indexOf("setHealthCheckFailed") < kinds.indexOf("startServerDrain"));
    const start = handled.find((each) => each.kind === "startServerDrain");
    assert(start?.kind === "startServerDrain");
    assert.equal(start.scope, "traffic");
    const { cause, strategy, streams, tcp, idleGraceMs } = start.drain;
    assert.deepEqual(
      { cause, strategy, streams, tcp, idleGraceMs },
      {
        cause: "shutdown",
        strategy: "immediate",
        streams: "deadline",
        tcp: "deadline",
        idleGraceMs: 1_500,
      },
    );
  }
  // No worker has reported: it may hold connections, so the time runs to its end.
  await harness.clock.advance(2_999);
  assert(!hasEnded);
  await harness.clock.advance(1);
  await harness.settle();
  assert(hasEnded);
});
