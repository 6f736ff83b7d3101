/**
 * What can go wrong around a hot restart by epochs, on one stage: whoever is at fault is told so in one message, and the
 * generation that serves goes on as if nothing had been, with nothing left over.
 */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import net from "node:net";
import path from "node:path";
import { test } from "node:test";
import { frame } from "../../../src/control/hot-restart/frames.ts";
import {
  type Generation,
  GenerationStage,
  waitingBootstrap,
} from "../../support/generation-stage.ts";
import { heldDescriptors } from "../../support/held-descriptors.ts";
import { goesOnWithAll, pushWrong } from "../../support/pushed-wrong.ts";
import { httpListener, routesTo } from "../../support/truth-resources.ts";
import { until } from "../../support/until.ts";

const isLinux = process.platform === "linux";
const onLinux = { skip: !isLinux && "sockets are handed over on Linux alone", timeout: 180_000 };
const nobody = 65_534;

interface Fault {
  readonly what: string;
  /** Does the harm; resolves with the log that tells of it. */
  readonly happen: (stage: GenerationStage, parent: Generation) => Promise<() => string>;
  readonly message: RegExp;
  readonly isPossible?: boolean;
}

const faults: readonly Fault[] = [
  {
    what: "garbage, and messages that are cut, with descriptors",
    happen: async (stage, parent) => {
      const { StraySender } = await import("../../support/stray-sender.ts");
      const sender = new StraySender();
      for (const bytes of garbage) sender.send(parentName(stage), bytes, [0, 1]);
      return () => parent.log;
    },
    message: /refused a message: a datagram of 3 bytes has no length/,
  },
  {
    what: "a configuration that is refused",
    happen: (stage) => {
      stage.write("bad.json", { static_resources: { listeners: [{ name: "web" }] } });
      return logOfRefused(stage, "bad.json");
    },
    message: /error initializing configuration/,
  },
  {
    what: "another user's message, with a descriptor",
    isPossible: process.getuid?.() === 0,
    happen: async (stage, parent) => {
      const terminate = Buffer.from(frame(Buffer.from("0a022a00", "hex"))[0] ?? "").toString("hex");
      const program = path.resolve("test/support/stray-sender.ts");
      const args = [program, String(nobody), parentName(stage), terminate];
      const sender = spawn(process.execPath, args, { stdio: ["ignore", "inherit", "inherit"] });
      assert.deepEqual(await once(sender, "exit"), [0, null]);
      return () => parent.log;
    },
    message: /refused a message: it is from user 65534, not 0/,
  },
  {
    what: "another user at the line that no Envoy knows",
    isPossible: process.getuid?.() === 0,
    happen: async (stage, parent) => {
      const program = path.resolve("test/support/stray-caller.ts");
      const args = [program, String(nobody), `@envoy_domain_socket_sluice_${stage.baseId * 10}`];
      const caller = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
      const [said] = (await once(caller.stdout, "data")) as [Buffer];
      assert.equal(String(said), "end\n", "it is told nothing");
      return () => parent.log;
    },
    message: /hot restart: refused user 65534/,
  },
  {
    what: "an address that another process has",
    happen: async (stage) => {
      const stranger = net.createServer().listen(0, "127.0.0.1");
      await once(stranger, "listening");
      const { port } = stranger.address() as net.AddressInfo;
      const config = goodConfig(stage);
      config.static_resources.listeners.push(listenerAt("other", port));
      stage.write("taken.json", config);
      const log = await logOfRefused(stage, "taken.json");
      stranger.close();
      return log;
    },
    message:
      /error adding listener 'other': cannot bind '127\.0\.0\.1:\d+': Address already in use/,
  },
  {
    what: "another version of hot restart",
    happen: async (stage) => {
      const segment = `/dev/shm/envoy_shared_memory_${stage.baseId * 10}`;
      const bytes = readFileSync(segment);
      const other = Buffer.from(bytes);
      other.writeBigUInt64LE(12n, 8);
      writeFileSync(segment, other);
      const log = await logOfRefused(stage, "good.json");
      writeFileSync(segment, bytes);
      return log;
    },
    message: /the parent's hot restart version is 12\.104, this process's is 11\.104/,
  },
  {
    what: "no room on the disk for the socket",
    isPossible: canMount(),
    happen: async (stage) => {
      const full = path.join(stage.folder, "full");
      mkdirSync(full);
      using _mount = mountFull(full);
      return await logOfRefused(stage, "good.json", ["--socket-path", path.join(full, "s")]);
    },
    message: /unable to bind domain socket .*errno=28 .*No space left on device/,
  },
  {
    what: "two children at once, and the first hangs and is killed",
    happen: async (stage) => {
      stage.write("waiting.json", waitingBootstrap(stage.admin));
      const hanging = stage.launch(1, { config: "waiting.json" });
      await until(() => /stream to control .* closed/.test(hanging.log), "it waits");
      const log = await logOfRefused(stage, "good.json");
      await kill(hanging);
      return log;
    },
    message:
      /unable to bind domain socket with base_id=\d+, id=1, errno=98 \(see --base-id option\)/,
  },
];

test("whatever goes wrong is told once, and the parent serves on", onLinux, async (context) => {
  await using stage = await GenerationStage.start();
  const parent = stage.launch(0);
  await stage.serves(parent, 0);
  const { kept, short } = stage.load(5);
  const { pid = 0 } = parent.process;
  const descriptors = heldDescriptors(pid);
  for (const { what, happen, message, isPossible = true } of faults) {
    await context.test(what, { skip: !isPossible && "not as this user" }, async () => {
      const log = await happen(stage, parent);
      await until(() => message.test(log()), `it is told: ${log()}`);
      assert.equal(log().match(new RegExp(message, "g"))?.length, 1, "once");
      const [keptBefore, shortBefore] = [kept.completed, short.completed];
      await until(
        () => kept.completed > keptBefore + 50 && short.completed > shortBefore + 20,
        "the parent serves",
      );
      await stage.serves(parent, 0);
      await until(() => heldDescriptors(pid) <= descriptors, "no descriptor is left over");
      assert.deepEqual(stage.namesBound(), stage.namesOf(0));
    });
  }
  await context.test("what is good after all takes over, and not before all of it is", () =>
    takesOverLate(stage, parent),
  );
  assert.deepEqual([...(await kept.stop()), ...(await short.stop())], []);
});

async function takesOverLate(stage: GenerationStage, parent: Generation): Promise<void> {
  const wrongs = pushWrong(stage);
  const child = stage.launch(1, { config: "pushed.json" });
  for (const { message, mend } of wrongs) {
    await until(() => message.test(child.log), `it waits: ${child.log}`);
    await stage.serves(parent, 0);
    mend();
  }
  await stage.serves(child, 1);
  assert.match(child.log, goesOnWithAll);
  assert.doesNotMatch(child.log, /is not supported/);
  assert.deepEqual(await parent.exit, [0, null], parent.log);
}

test("a child may have fewer workers, or more, or other socket options", onLinux, async () => {
  await using stage = await GenerationStage.start();
  const config = goodConfig(stage);
  for (const listener of config.static_resources.listeners) listener["enable_reuse_port"] = true;
  stage.write("good.json", config);
  let last = stage.launch(0, { concurrency: 2 });
  await stage.serves(last, 0);
  const { kept, short } = stage.load(5);
  for (const [epoch, concurrency] of [
    [1, 1],
    [2, 3],
  ] as const) {
    const [web] = config.static_resources.listeners;
    const options = [{ level: 6, name: 9, int_value: epoch, state: "STATE_PREBIND" }];
    stage.write("other.json", {
      ...config,
      static_resources: {
        ...config.static_resources,
        listeners: [{ ...web, socket_options: options }],
      },
    });
    const next = stage.launch(epoch, { concurrency, config: "other.json" });
    await stage.serves(next, epoch);
    assert.deepEqual(await last.exit, [0, null], last.log);
    assert.match(
      next.log,
      /listener 'web': the open socket of 127\.0\.0\.1:\d+ keeps its socket options/,
    );
    const [keptBefore, shortBefore] = [kept.completed, short.completed];
    await until(
      () => kept.completed > keptBefore + 50 && short.completed > shortBefore + 50,
      "all of them are served",
    );
    last = next;
  }
  assert.deepEqual([...(await kept.stop()), ...(await short.stop())], []);
});

test("socket files of the dead are no obstacle, and none is left", onLinux, async () => {
  await using stage = await GenerationStage.start();
  const folder = path.join(stage.folder, "sockets");
  mkdirSync(folder);
  const flags = ["--socket-path", path.join(folder, "s"), "--socket-mode", "600"];
  const dead = stage.launch(0, { flags });
  await stage.serves(dead, 0);
  await until(() => readdirSync(folder).length === 5, "all names are bound");
  await kill(dead);
  assert.equal(readdirSync(folder).length, 5, "nobody has removed them");
  const parent = stage.launch(0, { flags });
  await stage.serves(parent, 0);
  const child = stage.launch(1, { flags });
  await stage.serves(child, 1);
  assert.deepEqual(await parent.exit, [0, null], parent.log);
  child.process.kill("SIGTERM");
  assert.deepEqual(await child.exit, [0, null], child.log);
  assert.deepEqual(readdirSync(folder), []);
});

const garbage: readonly Uint8Array[] = [
  Buffer.from("abc"),
  Buffer.alloc(0),
  // The length: too long for anything, shorter than what comes, longer than what comes.
  Buffer.alloc(8, 255),
  Buffer.concat([frame(Buffer.from("ab"))[0] ?? Buffer.alloc(0), Buffer.from("c")]),
  Buffer.from([0, 0, 0, 0, 0, 0, 1, 0, 10]),
  // Longer than a datagram may be.
  Buffer.alloc(5_000),
  // No message, an empty one, an answer that nobody waits for.
  frame(Buffer.alloc(32, 255))[0] ?? Buffer.alloc(0),
  frame(Buffer.alloc(0))[0] ?? Buffer.alloc(0),
  frame(Buffer.from("1200", "hex"))[0] ?? Buffer.alloc(0),
];

function parentName({ baseId }: GenerationStage): string {
  return `@envoy_domain_socket_parent_${baseId * 10}`;
}

/** A child that ends by itself. */
async function logOfRefused(
  stage: GenerationStage,
  config: string,
  flags: readonly string[] = [],
): Promise<() => string> {
  const child = stage.launch(1, { config, flags });
  assert.deepEqual(await child.exit, [1, null], child.log);
  return () => child.log;
}

async function kill({ process: child, exit }: Generation): Promise<void> {
  child.kill("SIGKILL");
  await exit;
}

interface StageConfig {
  readonly admin: object;
  readonly static_resources: {
    readonly listeners: Record<string, unknown>[];
    readonly clusters: object[];
  };
}

function goodConfig(stage: GenerationStage): StageConfig {
  return stage.read("good.json") as StageConfig;
}

function listenerAt(name: string, port: number): Record<string, unknown> {
  return {
    ...httpListener(name, { route_config: routesTo("up") }),
    address: { socket_address: { address: "127.0.0.1", port_value: port } },
  };
}

function canMount(): boolean {
  const { status } = spawnSync("unshare", ["--mount", "true"]);
  return status === 0 && process.getuid?.() === 0;
}

/** Of one inode, which is the folder's own. */
function mountFull(folder: string): Disposable {
  const options = "size=4k,nr_inodes=1";
  const { status, stderr } = spawnSync("mount", ["-t", "tmpfs", "-o", options, "none", folder]);
  assert.equal(status, 0, String(stderr));
  return { [Symbol.dispose]: () => void spawnSync("umount", ["-l", folder]) };
}
