/** What a process shows of those that it took over from, while they drain: their drains, and stats that go on. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import path from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import type { DrainView } from "../../../src/control/listener/drain-view.ts";
import {
  type Generation,
  GenerationStage,
  type LaunchOptions,
} from "../../support/generation-stage.ts";
import { get } from "../../support/http-client.ts";
import { LastingStream, webSocketOpening } from "../../support/lasting-stream.ts";
import { until } from "../../support/until.ts";

const isLinux = process.platform === "linux";
const onLinux = { skip: !isLinux && "sockets are handed over on Linux alone", timeout: 120_000 };

for (const how of ["epochs", "a directory"])
  test(`drains and stats span generations, three at once, by ${how}`, onLinux, async () => {
    await using stage = await GenerationStage.start();
    await using owned = new AsyncDisposableStack();
    const place = placeOf(stage, how);
    const launched: Generation[] = [];
    const held: LastingStream[] = [];
    /** With a connection that cannot move, so that it stays when the next one serves. */
    async function start(): Promise<void> {
      const number = launched.length;
      const next = stage.launch(number, place);
      launched.push(next);
      await stage.serves(next, number);
      if (number === 0)
        for (let i = 0; i < 5; i++) assert.equal((await get(stage.port)).status, 200);
      const stream = owned.use(new LastingStream(stage.port, { opening: webSocketOpening }));
      await until(() => stream.echoedBytes > 0, "it is open");
      held.push(stream);
    }
    await start();
    await start();
    await showsElder(stage);

    await start();
    const drains = await until(async () => {
      const elders = await elderDrains(stage);
      return elders.length === 2 && elders;
    }, "both drains are seen");
    assert.deepEqual(new Set(drains.map(({ process_generation: of }) => of)), new Set([1, 2]));
    assert.equal(launched[0]?.hasEnded, false);

    const next = stage.launch(3, place);
    if (how === "epochs")
      await until(() => /waiting for the process of epoch 0/.test(next.log), "it waits for a name");
    held[0]?.[Symbol.dispose]();
    await launched[0]?.exit;
    await stage.serves(next, 3);
    const ended = await until(
      async () => (await elderDrains(stage)).find(({ state }) => state !== "draining"),
      "the end of the first is seen",
    );
    assert.deepEqual(
      [ended.process_generation, ended.state, ended.connections.remaining],
      [1, "complete", 0],
    );
    assert.deepEqual(
      held.map(({ cuts }) => cuts),
      [0, 0, 0],
    );
    for (const stream of held) stream[Symbol.dispose]();
    for (const generation of launched)
      assert.deepEqual(await generation.exit, [0, null], generation.log);
    await until(
      async () =>
        (await stage.stat("server.parent_connections")) === 0 &&
        (await stage.stat("http.web.downstream_cx_active")) === 0,
      "what they had open has gone with them",
    );
    assert.equal(await stage.stat("http.web.downstream_rq_total"), 8);
    assert.equal(await stage.stat("server.hot_restart_generation"), 4);
  });

/** The second process, of the first. */
async function showsElder(stage: GenerationStage): Promise<void> {
  const drain = await until(async () => (await elderDrains(stage))[0], "its drain is seen");
  assert.deepEqual(
    [drain.cause, drain.process_generation, drain.state, drain.listener],
    ["hot-restart", 1, "draining", null],
  );
  assert.equal(drain.connections.remaining, 1);
  await refuses(stage, drain.id);
  assert.match(await table(stage), /the server of generation 1 +hot-restart +draining/);
  await until(
    async () => (await stage.stat("http.web.downstream_rq_total")) === 7,
    "what the first has counted goes on",
  );
  await until(async () => (await stage.stat("server.parent_connections")) === 1, "it has one");
  assert.equal(await stage.stat("server.hot_restart_generation"), 2);
  // Of workers, and so of this process alone.
  assert.equal(await stage.stat("http.web.downstream_cx_upgrades_active"), 1);
  await until(
    async () => (await stage.stat("http.web.downstream_cx_active")) === 2,
    "what the first has open is seen, too",
  );
}

/** Longer than any of it lasts, on a busy machine too: what ends here ends because it is empty, and nothing moves. */
function placeOf(stage: GenerationStage, how: string): LaunchOptions {
  const handoverDir = how === "epochs" ? undefined : path.join(stage.folder, "handover");
  return { handoverDir, endsAfterS: 90, drainS: 90, flags: ["--keep-connections"] };
}

async function drainsOf(stage: GenerationStage): Promise<readonly DrainView[]> {
  const response = await fetch(`${stage.admin}/drains`);
  return ((await response.json()) as { drains: readonly DrainView[] }).drains;
}

/** Of processes before, with the WebSocket. */
async function elderDrains(stage: GenerationStage): Promise<readonly DrainView[]> {
  return (await drainsOf(stage)).filter(
    ({ process_generation: of, by_protocol: by }) => of !== null && by["websocket"],
  );
}

/** Its own process alone can change it. */
async function refuses(stage: GenerationStage, id: number): Promise<void> {
  const shown = await fetch(`${stage.admin}/drains/${id}`);
  assert.equal(((await shown.json()) as DrainView).process_generation, 1);
  const answer = await fetch(`${stage.admin}/drains/${id}/end`, { method: "POST" });
  assert.equal(answer.status, 409);
  assert.match(await answer.text(), /of process generation 1, which alone can change it/);
}

async function table(stage: GenerationStage): Promise<string> {
  const { host } = new URL(stage.admin);
  const run = promisify(execFile);
  return (await run(path.resolve("bin/sluice"), ["drains", "--admin", host])).stdout;
}
