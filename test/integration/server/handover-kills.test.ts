/**
 * Either side of a hand-over by a directory is killed at each of its steps. Whoever is left serves, has the admin, and can
 * be taken over from; an old one that drains yet takes back what it gave. `SLUICE_KILLS=all` tries every step of the old one.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import net from "node:net";
import path from "node:path";
import { test } from "node:test";
import { decodeListenerYaml, valueOf } from "../../support/config-tools.ts";
import { type Generation, GenerationStage } from "../../support/generation-stage.ts";
import { heldDescriptors } from "../../support/held-descriptors.ts";
import { LastingStream, webSocketOpening } from "../../support/lasting-stream.ts";
import type { MortalHandover } from "../../support/mortal-handover.ts";
import { until } from "../../support/until.ts";

const isLinux = process.platform === "linux";
const onLinux = { skip: !isLinux && "sockets are handed over on Linux alone", timeout: 180_000 };
const isWhole = process.env["SLUICE_KILLS"] === "all";

test("a new process that is killed at any step leaves the old one serving", onLinux, async () => {
  await using stage = await GenerationStage.start();
  const old = launch(stage, 0);
  await stage.serves(old, 0);
  const { kept, short } = stage.load(5);
  const { pid = 0 } = old.process;
  using held = await Held.connect(stage.tcpPort);
  const descriptors = heldDescriptors(pid);
  for (const diesAt of [
    ...(["bound", "dialed", "greeted", "given"] as const),
    ...(["serves", "marked", "released", "reachable"] as const),
  ]) {
    const { exit } = play(stage, { role: "new", diesAt });
    assert.deepEqual(await exit, [null, "SIGKILL"], diesAt);
    const [keptBefore, shortBefore] = [kept.completed, short.completed];
    await until(
      () => kept.completed > keptBefore + 50 && short.completed > shortBefore + 20,
      `the old one serves after a death at ${diesAt}`,
    );
    await stage.serves(old, 0);
    await held.echoes();
    // Of one that has not dialled nobody knows: the next one replaces its file.
    const leaves = diesAt === "bound" ? ["listen.sock", "reconfig.sock"] : ["reconfig.sock"];
    await until(
      () => readdirSync(dirOf(stage)).join() === leaves.join(),
      `what one that died at ${diesAt} leaves`,
    );
  }
  await until(() => heldDescriptors(pid) <= descriptors, "no descriptor is left over");
  const next = launch(stage, 1);
  await stage.serves(next, 1);
  held[Symbol.dispose]();
  assert.deepEqual(await old.exit, [0, null], old.log);
  assert.deepEqual(readdirSync(dirOf(stage)), ["reconfig.sock"]);
  assert.deepEqual([...(await kept.stop()), ...(await short.stop())], []);
});

test("what a new process dies of before it takes it goes on in the old one", onLinux, async () => {
  await using stage = await GenerationStage.start();
  const old = launch(stage, 0);
  await stage.serves(old, 0);
  using stream = new LastingStream(stage.port, { opening: webSocketOpening });
  await until(() => stream.echoedBytes > 0, "the WebSocket is open");
  const { static_resources: resources } = JSON.parse(
    readFileSync(path.join(stage.folder, "good.json"), "utf8"),
  );
  const { hash } = valueOf(decodeListenerYaml(JSON.stringify(resources.listeners[0])));
  for (let i = 0; i < 3; i++) {
    const { exit } = play(stage, { role: "new", diesAt: "moving", hash });
    assert.deepEqual(await exit, [null, "SIGKILL"]);
    const { echoedBytes } = stream;
    await until(() => stream.echoedBytes > echoedBytes, "it goes on");
    await stage.serves(old, 0);
  }
  const next = launch(stage, 1);
  await stage.serves(next, 1);
  assert.deepEqual(await old.exit, [0, null], old.log);
  const { echoedBytes } = stream;
  await until(() => stream.echoedBytes > echoedBytes, "it goes on there");
  assert.equal(await stage.stat("hot_restart.connections_moved"), 1);
  await stream.stop();
  assert.deepEqual([stream.cuts, stream.wrong], [0, 0]);
});

const oldDeaths = ["dialed", "greeted", "connected", "half", "given", "released"] as const;

test(
  "an old process that is killed at any step leaves a new one that serves",
  onLinux,
  async () => {
    await using stage = await GenerationStage.start();
    mkdirSync(dirOf(stage));
    for (const diesAt of isWhole ? oldDeaths : (["half", "given", "released"] as const)) {
      const { exit, process: old } = play(stage, { role: "old", diesAt });
      await once(old.stdout, "data");
      const next = launch(stage, 1);
      await stage.serves(next, 1);
      assert.deepEqual(await exit, [null, "SIGKILL"], diesAt);
      const response = await fetch(`http://127.0.0.1:${stage.port}/`);
      assert.equal(await response.text(), "fine", diesAt);
      await kill(next);
    }
  },
);

test(
  "one that drains takes back from a successor that dies, and not from one that was succeeded",
  onLinux,
  async () => {
    await using stage = await GenerationStage.start();
    const first = launch(stage, 0);
    await stage.serves(first, 0);
    using held = await Held.connect(stage.tcpPort);
    const second = launch(stage, 1, ["--keep-connections"]);
    await stage.serves(second, 1);
    const { kept, short } = stage.load(5);
    await kill(second);
    await stage.serves(first, 0);
    const before = short.completed;
    await until(() => short.completed > before + 20, "it serves");
    // Who was on a connection of the dead one has lost that, and nobody else anything.
    const lost = await kept.stop();
    assert(lost.length <= 8, String(lost));
    assert.deepEqual(await short.stop(), []);
    await held.echoes();
    const third = launch(stage, 2, ["--keep-connections"]);
    await stage.serves(third, 2);
    const fourth = launch(stage, 3, ["--keep-connections"]);
    await stage.serves(fourth, 3);
    assert.deepEqual(await third.exit, [0, null], third.log);
    assert.equal(first.hasEnded, false, "it has a connection yet");
    await held.echoes();
    assert.equal((await stage.info())?.command_line_options.service_node, "n3");
    assert.equal(
      first.log.match(/took over is gone: this one serves again/g)?.length,
      1,
      first.log,
    );
    held[Symbol.dispose]();
    assert.deepEqual(await first.exit, [0, null], first.log);
  },
);

test("SIGTERM ends an old process when it is empty, a second one at once", onLinux, async () => {
  await using stage = await GenerationStage.start();
  const old = launch(stage, 0);
  await stage.serves(old, 0);
  using held = await Held.connect(stage.tcpPort);
  const next = launch(stage, 1, ["--keep-connections"]);
  await stage.serves(next, 1);
  old.process.kill("SIGTERM");
  await until(() => /caught SIGTERM: draining for/.test(old.log), "it drains");
  await held.echoes();
  old.process.kill("SIGTERM");
  assert.deepEqual(await old.exit, [0, null], old.log);
  assert.equal(next.hasEnded, false);
});

/** A connection of the TCP proxy, which a drain leaves alone until its deadline. */
class Held implements Disposable {
  readonly #socket: net.Socket;

  private constructor(port: number) {
    this.#socket = net.connect(port, "127.0.0.1");
    this.#socket.on("error", () => {});
  }

  static async connect(port: number): Promise<Held> {
    const held = new Held(port);
    await held.echoes();
    return held;
  }

  async echoes(): Promise<void> {
    const came = once(this.#socket, "data");
    this.#socket.write("ping");
    assert.equal(String((await came)[0]), "ping");
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }
}

function launch(stage: GenerationStage, number: number, flags: readonly string[] = []): Generation {
  return stage.launch(number, { handoverDir: dirOf(stage), flags, endsAfterS: 60 });
}

function dirOf({ folder }: GenerationStage): string {
  return path.join(folder, "handover");
}

function play(stage: GenerationStage, part: Omit<MortalHandover, "dir" | "port">) {
  const program = path.resolve("test/support/mortal-handover.ts");
  const whole: MortalHandover = { ...part, dir: dirOf(stage), port: stage.port };
  const child = spawn(process.execPath, [program, JSON.stringify(whole)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  return { process: child, exit: once(child, "exit") };
}

async function kill({ process: child, exit }: Generation): Promise<void> {
  child.kill("SIGKILL");
  await exit;
}
