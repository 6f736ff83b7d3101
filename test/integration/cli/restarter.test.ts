import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { suite, test, type TestContext } from "node:test";
import { SluiceProgram } from "../../support/sluice-program.ts";
import { until } from "../../support/until.ts";

const child = [process.execPath, path.resolve("test/support/restarter-child.mjs")];
/** A start has succeeded as soon as it may have: nothing here waits for time to pass. */
const quick = ["--settle-s", "0"];

/** A restarter over the child of `test/support`, and what that has said. */
class Restarter extends SluiceProgram {
  constructor(flags: readonly string[], config = "good", env: NodeJS.ProcessEnv = {}) {
    const command = ["--", ...child, "--epoch={epoch}"];
    super(["restarter", ...flags, ...command], { files: { config }, env });
  }

  get said(): readonly string[] {
    return this.file("said").split("\n").filter(Boolean);
  }

  async says(line: string): Promise<void> {
    await until(() => this.said.includes(line), `'${line}' in ${this.said.join(" / ")}`);
  }

  async reports(text: string): Promise<void> {
    await until(() => this.stderr.includes(text), `the restarter says '${text}': ${this.stderr}`);
  }

  /** The pid of an epoch, once its process runs. */
  async pid(epoch: number): Promise<number> {
    return await until(() => {
      const pid = new RegExp(`^${epoch} pid (\\d+)`, "m").exec(this.file("said"))?.[1];
      return pid === undefined ? undefined : Number(pid);
    }, `epoch ${epoch} runs`);
  }

  signal(name: NodeJS.Signals): void {
    this.child.kill(name);
  }
}

function started(t: TestContext, ...args: ConstructorParameters<typeof Restarter>): Restarter {
  const restarter = new Restarter(...args);
  t.after(() => endAll(restarter));
  return restarter;
}

/** Whatever a test that failed has left running. */
async function endAll(restarter: Restarter): Promise<void> {
  for (const [, pid] of restarter.file("said").matchAll(/pid (\d+)/g)) kill(Number(pid));
  await restarter[Symbol.asyncDispose]();
}

function kill(pid: number): void {
  if (isAlive(pid)) process.kill(pid, "SIGKILL");
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

suite("sluice restarter", () => {
  test("starts epochs beside each other, forwards signals, and ends them all", async (t) => {
    const restarter = started(t, ["--no-validate", ...quick]);
    const first = await restarter.pid(0);
    await restarter.reports("epoch 0 serves");
    restarter.signal("SIGHUP");
    const second = await restarter.pid(1);
    await restarter.reports("epoch 1 serves");
    assert(restarter.said.includes(`1 pid ${second} args --epoch=1`));

    restarter.signal("SIGUSR1");
    await restarter.says("0 SIGUSR1");
    await restarter.says("1 SIGUSR1");
    restarter.signal("SIGUSR2");
    await restarter.says("1 SIGUSR2");

    restarter.signal("SIGTERM");
    assert.equal(await restarter.exit, 0);
    assert(restarter.said.includes("0 SIGTERM") && restarter.said.includes("1 SIGTERM"));
    assert(!restarter.said.includes("0 SIGUSR2"));
    assert(!isAlive(first) && !isAlive(second));
  });

  test("keeps who serves when the configuration is refused", async (t) => {
    const command =
      "test $(cat config) != bad || { echo epoch $RESTART_EPOCH is bad >&2; exit 1; }";
    const restarter = started(t, ["--validate-command", command, ...quick]);
    const pid = await restarter.pid(0);
    await restarter.reports("epoch 0 serves");
    restarter.write("config", "bad");
    restarter.signal("SIGHUP");
    await restarter.reports("epoch 1 is refused, and epoch 0 goes on serving");
    await restarter.reports("epoch 1 is bad");
    assert.equal(restarter.said.length, 1);

    restarter.write("config", "good");
    restarter.signal("SIGHUP");
    await restarter.pid(1);
    assert(isAlive(pid));
  });

  test("keeps who serves when the next one dies of its configuration, unlike Envoy's", async (t) => {
    const folder = mkdtempSync(path.join(tmpdir(), "sluice-restarter-"));
    t.after(() => rmSync(folder, { recursive: true }));
    const admin = path.join(folder, "admin");
    const restarter = started(t, ["--no-validate", "--admin", admin], "good", {
      ADMIN_SOCKET: admin,
    });
    const pid = await restarter.pid(0);
    await restarter.reports("epoch 0 serves");
    restarter.write("config", "bad");
    restarter.signal("SIGHUP");
    await restarter.reports("epoch 1 ended with code 3 before it served, and epoch 0 goes on");
    assert(isAlive(pid));

    restarter.write("config", "good");
    restarter.signal("SIGHUP");
    await restarter.pid(1);
    await restarter.reports("epoch 1 serves");
  });

  test("starts who was killed again, as epoch 0, for no parent is left", async (t) => {
    const restarter = started(t, ["--no-validate", ...quick]);
    const first = await restarter.pid(0);
    await restarter.reports("epoch 0 serves");
    process.kill(first, "SIGKILL");
    await restarter.reports("epoch 0 ended: SIGKILL");
    await until(() => restarter.said.length === 2, "it runs again");
    assert.match(restarter.said[1] ?? "", /^0 pid/);
  });

  test("ends everything when who serves dies, where that is wanted", async (t) => {
    const restarter = started(t, ["--no-validate", "--on-crash", "exit", ...quick]);
    const first = await restarter.pid(0);
    await restarter.reports("epoch 0 serves");
    restarter.signal("SIGHUP");
    const second = await restarter.pid(1);
    await restarter.reports("epoch 1 serves");
    process.kill(second, "SIGKILL");
    assert.equal(await restarter.exit, 1);
    assert(restarter.said.includes("0 SIGTERM"));
    assert(!isAlive(first));
  });

  test("kills who does not end, at the deadline", async (t) => {
    const restarter = started(t, ["--no-validate", "--term-timeout-s", "0.2", ...quick], "deaf");
    const pid = await restarter.pid(0);
    restarter.signal("SIGTERM");
    assert.equal(await restarter.exit, 1);
    assert(restarter.said.includes("0 SIGTERM"));
    assert(!isAlive(pid));
  });

  test("ends with the code of a first start that fails", async (t) => {
    const restarter = started(t, ["--no-validate", "--settle-s", "20"], "bad");
    assert.equal(await restarter.exit, 3);
    assert.match(restarter.stderr, /epoch 0 ended with code 3 before it served/);
  });

  test("says what cannot be started", async () => {
    await using program = new SluiceProgram(["restarter", "--", "/nowhere/proxy"]);
    assert.equal(await program.exit, 1);
    assert.match(program.stderr, /it cannot be started: spawn \/nowhere\/proxy ENOENT/);
  });

  test("explains itself", async () => {
    await using help = new SluiceProgram(["restarter", "--help"]);
    assert.equal(await help.exit, 0);
    assert.match(help.stdout, /^usage: sluice restarter/);
    await using wrong = new SluiceProgram(["restarter"]);
    assert.equal(await wrong.exit, 1);
    assert.match(wrong.stderr, /^sluice restarter: no command/);
  });
});
