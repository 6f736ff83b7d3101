import assert from "node:assert/strict";
import { suite, test } from "node:test";
import {
  ServiceManager,
  type ServiceManagerParts,
  watchdogSpanMs,
} from "../../../src/shared/common/service-manager.ts";
import { VirtualClock } from "../../support/virtual-clock.ts";

suite("ServiceManager", () => {
  function parts(changes: Partial<ServiceManagerParts> = {}) {
    const sent: string[] = [];
    const failures: string[] = [];
    const clock = new VirtualClock();
    const manager = new ServiceManager({
      clock,
      pid: 42,
      monotonicUs: () => 123_456n,
      send: (text) => void sent.push(text),
      onFailure: (why) => failures.push(why),
      ...changes,
    });
    return { manager, sent, failures, clock };
  }

  test("tells each phase in the words of sd_notify(3)", () => {
    const { manager, sent } = parts();
    manager.notify("ready", "epoch 0 serves");
    manager.notify("reloading", "restarting");
    manager.notify("stopping", "ending");
    assert.deepEqual(sent, [
      "READY=1\nMAINPID=42\nSTATUS=epoch 0 serves",
      "RELOADING=1\nMONOTONIC_USEC=123456\nSTATUS=restarting",
      "STOPPING=1\nSTATUS=ending",
    ]);
  });

  test("says that it lives, twice in each span, until it is disposed", async () => {
    const { manager, sent, clock } = parts();
    manager.startHeartbeat(10_000);
    await clock.advance(20_000);
    assert.deepEqual(sent, Array(4).fill("WATCHDOG=1"));
    manager[Symbol.dispose]();
    assert.equal(clock.pendingCount, 0);
  });

  test("reports a socket that takes nothing once, and again after it took something", () => {
    let failure: string | undefined = "No such file or directory";
    const { manager, failures } = parts({ send: () => failure });
    manager.notify("ready", "");
    manager.notify("ready", "");
    assert.equal(failures.length, 1);
    failure = undefined;
    manager.notify("ready", "");
    failure = "Connection refused";
    manager.notify("ready", "");
    assert.deepEqual(failures, ["No such file or directory", "Connection refused"]);
  });
});

test("watchdogSpanMs() is of this process, and of a number", () => {
  assert.equal(watchdogSpanMs({ WATCHDOG_USEC: "30000000", WATCHDOG_PID: "7" }, 7), 30_000);
  assert.equal(watchdogSpanMs({ WATCHDOG_USEC: "30000000" }, 7), 30_000);
  assert.equal(watchdogSpanMs({ WATCHDOG_USEC: "30000000", WATCHDOG_PID: "8" }, 7), undefined);
  for (const span of ["", "x", "0", "-1"])
    assert.equal(watchdogSpanMs({ WATCHDOG_USEC: span }, 7), undefined, span);
  assert.equal(watchdogSpanMs({}, 7), undefined);
});
