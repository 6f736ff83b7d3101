import assert from "node:assert/strict";
import { suite, test } from "node:test";
import {
  type ChildExit,
  Restarter,
  type RestarterWorld,
} from "../../../src/cli/restarter/restarter.ts";
import { parseRestarterOptions } from "../../../src/cli/restarter/restarter-options.ts";
import { seededRandom } from "../../support/seeded-random.ts";
import { VirtualClock } from "../../support/virtual-clock.ts";

/** A world in which everything happens when the test says so. */
class FakeWorld implements RestarterWorld {
  readonly clock = new VirtualClock();
  readonly random = seededRandom(1);
  readonly done: string[] = [];
  readonly #exits = new Map<number, (exit: ChildExit) => void>();
  readonly #readiness = new Map<number, (isReady: boolean) => void>();
  #validation: ((refusal: string | undefined) => void) | undefined;
  canStart = true;

  start(epoch: number, onExit: (exit: ChildExit) => void) {
    this.done.push(`start ${epoch}`);
    if (!this.canStart) {
      queueMicrotask(() => onExit({ code: undefined, cause: "ENOENT" }));
      return { pid: undefined, signal: () => {}, kill: () => {} };
    }
    this.#exits.set(epoch, onExit);
    return {
      pid: 100 + epoch,
      signal: (name: string) => void this.done.push(`${name} to ${epoch}`),
      kill: () => void this.done.push(`kill ${epoch}`),
    };
  }

  validate(epoch: number, onResult: (refusal: string | undefined) => void): Disposable {
    this.done.push(`validate ${epoch}`);
    this.#validation = onResult;
    return { [Symbol.dispose]: () => void this.done.push("no validation") };
  }

  awaitReady(
    { epoch }: { readonly epoch: number },
    onResult: (isReady: boolean) => void,
  ): Disposable {
    this.#readiness.set(epoch, onResult);
    return { [Symbol.dispose]: () => void this.#readiness.delete(epoch) };
  }

  report(): void {}

  notify(phase: string): void {
    this.done.push(phase);
  }

  end(code: number): void {
    this.done.push(`end ${code}`);
  }

  isValid(): void {
    this.#validation?.(undefined);
  }

  serves(epoch: number, isReady = true): void {
    const onResult = this.#readiness.get(epoch);
    this.#readiness.delete(epoch);
    onResult?.(isReady);
  }

  exits(epoch: number, code: number | undefined = 0): void {
    this.#exits.get(epoch)?.({ code, cause: "" });
  }

  /** What has been done since the last call. */
  news(): readonly string[] {
    return this.done.splice(0);
  }

  get waits(): number {
    return this.clock.pendingCount + this.#readiness.size;
  }
}

function begun(...flags: string[]): { readonly world: FakeWorld; readonly restarter: Restarter } {
  const options = parseRestarterOptions([...flags, "--", "run"]);
  assert(options);
  const world = new FakeWorld();
  const restarter = new Restarter(options, true, world);
  restarter.take({ kind: "begun" });
  world.serves(0);
  assert.deepEqual(world.news(), ["start 0", "ready"]);
  return { world, restarter };
}

suite("Restarter", () => {
  test("ends the one before, where that is wanted, and kills it when it does not go", async () => {
    const { world, restarter } = begun("--retire-after-s", "5", "--term-timeout-s", "10");
    restarter.take({ kind: "reloadAsked" });
    world.isValid();
    world.serves(1);
    assert.deepEqual(world.news(), ["reloading", "validate 1", "start 1", "ready"]);
    await world.clock.advance(5000);
    assert.deepEqual(world.news(), ["SIGTERM to 0"]);
    await world.clock.advance(10_000);
    assert.deepEqual(world.news(), ["kill 0"]);
    world.exits(0, 1);
    assert.equal(world.waits, 0);
  });

  test("leaves the one before alone, where that ends by itself", async () => {
    const { world, restarter } = begun();
    restarter.take({ kind: "reloadAsked" });
    world.isValid();
    world.serves(1);
    world.news();
    await world.clock.advance(3_600_000);
    assert.deepEqual(world.news(), []);
    assert.equal(world.waits, 0);
  });

  test("ends a start that never serves, and goes on with who does", async () => {
    const { world, restarter } = begun("--term-timeout-s", "10");
    restarter.take({ kind: "reloadAsked" });
    world.isValid();
    world.serves(1, false);
    assert.deepEqual(world.news().slice(-1), ["SIGTERM to 1"]);
    await world.clock.advance(10_000);
    assert.deepEqual(world.news(), ["kill 1"]);
    world.exits(1, 137);
    assert.deepEqual(world.news(), ["ready"]);
    assert.equal(world.waits, 0);
  });

  test("starts what has crashed after a delay with a bound", async () => {
    const { world } = begun("--crashes-max", "20");
    for (let crash = 0; crash < 20; crash += 1) {
      world.exits(0, 1);
      assert.deepEqual(world.news(), []);
      await world.clock.advance(30_000);
      assert.deepEqual(world.news(), ["start 0"]);
    }
    world.exits(0, 1);
    assert.deepEqual(world.news(), ["end 1"]);
    assert.equal(world.waits, 0);
  });

  test("ends with an error when the command cannot be started at all", async () => {
    const options = parseRestarterOptions(["--", "run"]);
    assert(options);
    const world = new FakeWorld();
    world.canStart = false;
    new Restarter(options, true, world).take({ kind: "begun" });
    await world.clock.advance(0);
    assert.deepEqual(world.news(), ["start 0", "end 1"]);
  });

  test("kills at the deadline of the end, and leaves no timer behind", async () => {
    const { world, restarter } = begun("--term-timeout-s", "10");
    restarter.take({ kind: "endAsked", signal: "SIGTERM" });
    assert.deepEqual(world.news(), ["stopping", "SIGTERM to 0"]);
    await world.clock.advance(10_000);
    assert.deepEqual(world.news(), ["kill 0"]);
    world.exits(0, 137);
    assert.deepEqual(world.news(), ["end 1"]);
    assert.equal(world.waits, 0);
  });

  test("gives up what is under way at the end", () => {
    const { world, restarter } = begun();
    restarter.take({ kind: "reloadAsked" });
    restarter.take({ kind: "endAsked", signal: "SIGTERM" });
    world.isValid();
    world.exits(0);
    assert.deepEqual(world.news(), [
      "reloading",
      "validate 1",
      "no validation",
      "stopping",
      "SIGTERM to 0",
      "end 0",
    ]);
    assert.equal(world.waits, 0);
  });
});
