/** When a parent that drains is asked, and when it is told to end. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ParentWatch } from "../../../src/control/hot-restart/parent-watch.ts";
import { recordingLogger } from "../../support/recording-logger.ts";
import { VirtualClock } from "../../support/virtual-clock.ts";

const shutdownMs = 60_000;

test("an Envoy without connections is told to end at the second answer that says so", async () => {
  const stage = new Stage();
  stage.watch.start();
  await stage.clock.advance(299);
  assert.deepEqual(stage.events, ["asked"]);
  await stage.clock.advance(1);
  assert.deepEqual(stage.events, ["asked", "asked", "terminated", "gone"]);
  assert.match(stage.lines.join("\n"), /it has no connection left/);
  assert.equal(stage.clock.pendingCount, 0);
});

test("one that says that it is empty is asked once more, at once, and ends", async () => {
  const stage = new Stage();
  stage.watch.start();
  stage.watch.parentIsEmpty();
  await stage.clock.advance(0);
  assert.deepEqual(stage.events, ["asked", "terminated", "gone"]);
  assert.equal(stage.clock.pendingCount, 0);
});

test("one that says so while others before it have connections is asked on", async () => {
  const stage = new Stage();
  stage.connections = 1;
  stage.watch.start();
  await stage.clock.advance(10_000);
  stage.events.length = 0;
  stage.watch.parentIsEmpty();
  await stage.clock.advance(0);
  assert.deepEqual(stage.events, ["asked"]);
  stage.connections = 0;
  await stage.clock.advance(100);
  assert.deepEqual(stage.events, ["asked", "asked", "terminated", "gone"]);
});

test("one that says so while it is being asked is not asked twice", async () => {
  const stage = new Stage();
  stage.watch.start();
  const answer = stage.holdAnswer();
  await stage.clock.advance(100);
  stage.watch.parentIsEmpty();
  assert.deepEqual(stage.events, ["asked"]);
  answer();
  await stage.clock.advance(0);
  assert.deepEqual(stage.events, ["asked", "terminated", "gone"]);
});

test("one with connections is asked every second, and told to end when its time is over", async () => {
  const stage = new Stage();
  stage.connections = 3;
  stage.watch.start();
  await stage.clock.advance(shutdownMs);
  const asked = stage.events.filter((event) => event === "asked").length;
  assert(asked > 55 && asked < 66, `${asked} times`);
  assert.deepEqual(stage.events.slice(-2), ["terminated", "gone"]);
  assert.match(stage.lines.join("\n"), /60 s are over/);
});

test("one that is lost is gone, and asked no more", async () => {
  const stage = new Stage();
  stage.isLost = true;
  stage.watch.start();
  await stage.clock.advance(shutdownMs * 2);
  assert.deepEqual(stage.events, ["asked", "gone"]);
  assert.equal(stage.clock.pendingCount, 0);
});

class Stage {
  readonly clock = new VirtualClock();
  readonly events: string[] = [];
  readonly lines: readonly string[];
  readonly watch: ParentWatch;
  connections = 0;
  isLost = false;
  #held: Promise<void> = Promise.resolve();

  constructor() {
    const { logger: log, lines } = recordingLogger();
    this.lines = lines;
    this.watch = new ParentWatch({
      parent: {
        stats: async () => {
          this.events.push("asked");
          await this.#held;
          const numConnections = BigInt(this.connections);
          return this.isLost ? undefined : { numConnections, counterDeltas: {}, gauges: {} };
        },
        terminate: () => {
          this.events.push("terminated");
          return Promise.resolve();
        },
      },
      clock: this.clock,
      log,
      shutdownMs,
      takesStats: true,
      merge: () => {},
      setParent: () => {},
      onGone: () => void this.events.push("gone"),
    });
  }

  /** The next answer comes when the function is called. */
  holdAnswer(): () => void {
    const held = Promise.withResolvers<void>();
    this.#held = held.promise;
    return held.resolve;
  }
}
