/**
 * What can go wrong around a hand-over by a directory, on one stage: whoever is at fault is told so, and the process that
 * serves goes on, with nothing left over. What a peer may say is in `test/control/hot-restart/handover/faults.test.ts`.
 */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import net from "node:net";
import path from "node:path";
import { test } from "node:test";
import {
  type Generation,
  GenerationStage,
  type LaunchOptions,
  waitingBootstrap,
} from "../../support/generation-stage.ts";
import { heldDescriptors } from "../../support/held-descriptors.ts";
import { goesOnWithAll, pushWrong } from "../../support/pushed-wrong.ts";
import { until } from "../../support/until.ts";

const isLinux = process.platform === "linux";
const onLinux = { skip: !isLinux && "sockets are handed over on Linux alone", timeout: 180_000 };
const isRoot = process.getuid?.() === 0;
const nobody = 65_534;

test("whatever goes wrong is told, and the old process serves on", onLinux, async (context) => {
  await using stage = await GenerationStage.start();
  mkdirSync(dirOf(stage));
  // Three inodes: of the folder itself and of the two sockets.
  const options = ["-t", "tmpfs", "-o", "size=64k,nr_inodes=3", "none", dirOf(stage)];
  const isMounted = spawnSync("mount", options).status === 0;
  using _mount = { [Symbol.dispose]: () => isMounted && spawnSync("umount", ["-l", dirOf(stage)]) };
  const old = launch(stage, 0, { concurrency: 1 });
  await stage.serves(old, 0);
  const { kept, short } = stage.load(5);
  const { pid = 0 } = old.process;
  const descriptors = heldDescriptors(pid);

  async function servesOn(): Promise<void> {
    const [keptBefore, shortBefore] = [kept.completed, short.completed];
    await until(
      () => kept.completed > keptBefore + 50 && short.completed > shortBefore + 20,
      "the old process serves",
    );
    await stage.serves(old, 0);
    await until(() => heldDescriptors(pid) <= descriptors, "no descriptor is left over");
    assert.deepEqual(readdirSync(dirOf(stage)), ["reconfig.sock"]);
  }

  await context.test("another user dials", { skip: !isRoot && "not as this user" }, async () => {
    for (const file of [stage.folder, dirOf(stage), path.join(dirOf(stage), "reconfig.sock")])
      chmodSync(file, 0o777);
    const program = path.resolve("test/support/stray-caller.ts");
    const args = [program, String(nobody), path.join(dirOf(stage), "reconfig.sock")];
    const caller = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
    const [said] = await once(caller.stdout, "data");
    assert.equal(String(said), "end\n", "it is told nothing");
    await until(() => /refused user 65534/.test(old.log), "it is told");
    await servesOn();
  });

  await context.test("the disk is full", { skip: !isMounted && "not as this user" }, async () => {
    const file = path.join(dirOf(stage), "file");
    writeFileSync(file, "");
    const next = launch(stage, 1);
    assert.deepEqual(await next.exit, [1, null]);
    assert.match(next.log, /cannot bind '.*listen\.sock': No space left on device/);
    rmSync(file);
    await servesOn();
  });

  await context.test("its configuration is bad", async () => {
    stage.write("bad.json", { static_resources: { listeners: [{ name: "web" }] } });
    const next = launch(stage, 1, { config: "bad.json" });
    assert.deepEqual(await next.exit, [1, null], next.log);
    await servesOn();
  });

  await context.test("the new process hangs while another one comes, and is killed", async () => {
    stage.write("waiting.json", waitingBootstrap(stage.admin));
    const hanging = launch(stage, 1, { config: "waiting.json" });
    await until(() => /stream to control .* closed/.test(hanging.log), "it waits for its clusters");
    const second = launch(stage, 2);
    assert.deepEqual(await second.exit, [1, null]);
    assert.match(second.log, /another process is starting at/);
    hanging.process.kill("SIGKILL");
    await hanging.exit;
    await until(() => /it has ended before it served/.test(old.log.slice(-400)), "it is missed");
    await until(() => readdirSync(dirOf(stage)).length === 1, "its file is removed");
    await servesOn();
  });

  await context.test(
    "another program has an address, as is known once sockets are taken",
    async () => {
      const stranger = net.createServer().listen(0, "127.0.0.1");
      await once(stranger, "listening");
      const { port } = stranger.address() as net.AddressInfo;
      stage.write("taken.json", withListenerAt(stage, port));
      const next = launch(stage, 1, { config: "taken.json" });
      assert.deepEqual(await next.exit, [1, null], next.log);
      assert.match(next.log, /cannot bind '127\.0\.0\.1:\d+': Address already in use/);
      stranger.close();
      await servesOn();
    },
  );

  const wrongs = pushWrong(stage);
  const next = launch(stage, 1, { config: "pushed.json", concurrency: 2 });
  await context.test("what it is pushed is refused, or does not come", async () => {
    for (const { message, mend } of wrongs.slice(0, -1)) {
      await until(() => message.test(next.log), `it waits: ${next.log}`);
      mend();
    }
    const last = wrongs.at(-1)?.message ?? /./;
    await until(() => last.test(next.log), `it waits: ${next.log}`);
    const [keptBefore, shortBefore] = [kept.completed, short.completed];
    await until(
      () => kept.completed > keptBefore + 50 && short.completed > shortBefore + 20,
      "the old process serves",
    );
    await stage.serves(old, 0);
  });

  await context.test("when all is there it takes over, with more workers", async () => {
    wrongs.at(-1)?.mend();
    await stage.serves(next, 1);
    assert.match(next.log, goesOnWithAll);
    assert.deepEqual(await old.exit, [0, null], old.log);
    // Of three inodes the old one's sockets had two: the new one's have room a moment later.
    await until(() => readdirSync(dirOf(stage)).includes("reconfig.sock"), "it can be dialed");
    const last = launch(stage, 2, { concurrency: 1 });
    await stage.serves(last, 2);
    assert.deepEqual(await next.exit, [0, null], next.log);
    const shortBefore = short.completed;
    await until(() => short.completed > shortBefore + 20, "with fewer");
    assert.deepEqual([...(await kept.stop()), ...(await short.stop())], []);
    last.process.kill("SIGKILL");
    await last.exit;
  });
  await context.test("what the dead have left there is no obstacle", async () => {
    await stage.serves(launch(stage, 3), 3);
    assert.equal(await (await fetch(`http://127.0.0.1:${stage.port}/`)).text(), "fine");
  });
});

function launch(stage: GenerationStage, number: number, options: LaunchOptions = {}): Generation {
  return stage.launch(number, { ...options, handoverDir: dirOf(stage) });
}

/** The good configuration, and one listener more. */
function withListenerAt(stage: GenerationStage, port: number): object {
  const good = stage.read("good.json") as { static_resources: { listeners: object[] } };
  const address = { socket_address: { address: "127.0.0.1", port_value: port } };
  good.static_resources.listeners.push({
    ...good.static_resources.listeners[0],
    name: "other",
    address,
  });
  return good;
}

function dirOf({ folder }: GenerationStage): string {
  return path.join(folder, "handover");
}
