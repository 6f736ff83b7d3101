/**
 * Either side of a hot restart is killed between any two of its messages. Whoever is left serves, has the admin, and can be
 * taken over from as if nothing had been. `SLUICE_KILLS=all` tries every message; by default some of the parent's are left out.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { test } from "node:test";
import { type Generation, GenerationStage } from "../../support/generation-stage.ts";
import { heldDescriptors } from "../../support/held-descriptors.ts";
import type { MortalPart, MortalStep } from "../../support/mortal-generation.ts";
import { until } from "../../support/until.ts";

const isLinux = process.platform === "linux";
const onLinux = { skip: !isLinux && "sockets are handed over on Linux alone", timeout: 180_000 };
const isWhole = process.env["SLUICE_KILLS"] === "all";

type Death = readonly [diesAt: MortalStep, isAnswered: boolean];

/** What a child asks is answered, or not. After `terminate` there is no parent to go on. */
const childDeaths: readonly Death[] = [
  ["testConnection", false],
  ["passListenSocket", false],
  ["passListenSocket", true],
  ["shutdownAdmin", false],
  ["shutdownAdmin", true],
  ["drainListeners", false],
  ["stats", false],
  ["stats", true],
];

test("a child that is killed at any message leaves its parent serving", onLinux, async () => {
  await using stage = await GenerationStage.start();
  const parent = stage.launch(0);
  await stage.serves(parent, 0);
  const { kept, short } = stage.load(5);
  const descriptors = heldDescriptors(pidOf(parent));
  for (const [diesAt, isAnswered] of childDeaths) {
    const where = `${diesAt}, ${isAnswered ? "answered" : "not answered"}`;
    const { exit } = play(stage, { role: "child", epoch: 1, diesAt, isAnswered });
    assert.deepEqual(await exit, [null, "SIGKILL"], where);
    const [keptBefore, shortBefore] = [kept.completed, short.completed];
    await until(
      () => kept.completed > keptBefore + 50 && short.completed > shortBefore + 20,
      `the parent serves after a death at ${where}`,
    );
    await stage.serves(parent, 0);
    assert.deepEqual(stage.namesBound(), stage.namesOf(0), where);
  }
  // What is just being closed under load counts now and then.
  await until(() => heldDescriptors(pidOf(parent)) <= descriptors, "no descriptor is left over");
  const next = stage.launch(1);
  await stage.serves(next, 1);
  assert.deepEqual(await parent.exit, [0, null], parent.log);
  assert.deepEqual([...(await kept.stop()), ...(await short.stop())], []);
});

/** What a parent is asked is answered, or not. */
const parentDeaths: readonly Death[] = [
  ["testConnection", false],
  ["passListenSocket", false],
  ["passListenSocket", true],
  ["shutdownAdmin", false],
  ["shutdownAdmin", true],
  ["drainListeners", false],
  ["stats", false],
  ["stats", true],
  ["terminate", false],
];
const parentDeathsByDefault: readonly Death[] = [
  ["passListenSocket", true],
  ["shutdownAdmin", false],
];

test("a parent that is killed at any message leaves a child that serves", onLinux, async () => {
  await using stage = await GenerationStage.start();
  for (const [diesAt, isAnswered] of isWhole ? parentDeaths : parentDeathsByDefault) {
    const where = `${diesAt}, ${isAnswered ? "answered" : "not answered"}`;
    const { exit, process: parent } = play(stage, { role: "parent", epoch: 0, diesAt, isAnswered });
    await once(parent.stdout, "data");
    const child = stage.launch(1);
    await stage.serves(child, 1);
    assert.deepEqual(await exit, [null, "SIGKILL"], where);
    const response = await fetch(`http://127.0.0.1:${stage.port}/`);
    assert.equal(await response.text(), "fine", where);
    child.process.kill("SIGKILL");
    await child.exit;
    assert.deepEqual(stage.namesBound(), [], where);
  }
});

function play(stage: GenerationStage, part: Omit<MortalPart, "baseId" | "port">) {
  const { port, baseId } = stage;
  const program = path.resolve("test/support/mortal-generation.ts");
  const child = spawn(process.execPath, [program, JSON.stringify({ ...part, port, baseId })], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  return { process: child, exit: once(child, "exit") };
}

function pidOf({ process: { pid } }: Generation): number {
  assert(pid !== undefined, "it has not started");
  return pid;
}
