/**
 * The units of `deploy/systemd`, word for word, under a real systemd: starting, reloading and ending are what their comments
 * say, and who connects meanwhile is served.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { SystemdStage, whyNoSystemd } from "../../support/systemd-stage.ts";
import { answersWith, httpListener } from "../../support/truth-resources.ts";
import { until } from "../../support/until.ts";

const port = 8080;
const adminPort = 9901;
const answers = { route_config: answersWith("served") };
const good = bootstrap([
  { ...httpListener("web", answers), address: socketAddress("0.0.0.0", port) },
]);
const bad = bootstrap([{ name: "web" }]);
const ifItRuns = { skip: whyNoSystemd() ?? false, timeout: 240_000 };

test("the units under a real systemd", ifItRuns, async (context) => {
  await using stage = await SystemdStage.start({
    "sluice.service": unit("sluice.service"),
    "sluice.socket": unit("sluice.socket"),
    "sluice.service.d/log.conf": "[Service]\nStandardOutput=append:/run/stage/log\n",
    "etc/bootstrap.yaml": bad,
  });
  for (const [what, story] of stories) await context.test(what, () => story(stage));
});

const stories: readonly (readonly [string, (stage: SystemdStage) => Promise<void>])[] = [
  ["with a bootstrap that is bad it does not start, and says why", startsBad],
  ["it is up when it serves; with ports of systemd a restart refuses nobody", restarts],
  ["under the restarter a reload ends when the next process serves", reloads],
  ["by a directory the next process becomes the main one", handsOver],
  ["the watchdog is told that this one lives, and ends it where it hangs", hangs],
];

async function startsBad(stage: SystemdStage): Promise<void> {
  await assert.rejects(stage.order("start", "sluice"), /control process exited with error code/);
  assert.match(stage.read("log"), /error initializing configuration/);
  await stage.order("stop", "sluice");
  stage.write("etc/bootstrap.yaml", good);
}

async function restarts(stage: SystemdStage): Promise<void> {
  await stage.order("start", "sluice.socket");
  await stage.order("start", "sluice");
  assert.equal(served(stage), "served");
  assert.equal(stage.property("sluice", "StatusText"), "serving");
  const clients = new Clients(stage);
  await clients.served();
  await stage.order("restart", "sluice");
  await clients.served();
  assert.equal(await clients.failures(), "[]");
  await stop(stage, "sluice.socket", "sluice");
  assert.match(stage.read("log"), /caught SIGTERM: draining/);
}

async function reloads(stage: SystemdStage): Promise<void> {
  await useDropIn(stage, "restarter.conf");
  await stage.order("start", "sluice");
  const pid = stage.property("sluice", "MainPID");
  const clients = new Clients(stage);
  await clients.served();
  assert.equal(epoch(stage), 0);
  await stage.order("reload", "sluice");
  assert.equal(epoch(stage), 1);
  stage.write("etc/bootstrap.yaml", bad);
  await stage.order("reload", "sluice");
  stage.write("etc/bootstrap.yaml", good);
  assert.equal(epoch(stage), 1, "a bad one changes nothing");
  assert.match(stage.property("sluice", "StatusText"), /epoch 1/);
  await clients.served();
  assert.equal(await clients.failures(), "[]");
  assert.equal(stage.property("sluice", "MainPID"), pid);
  await stop(stage, "sluice");
}

async function handsOver(stage: SystemdStage): Promise<void> {
  const watchdog = "[Service]\nWatchdogSec=1\nEnvironment=WATCHDOG_USEC=1000000\n";
  stage.write("sluice.service.d/watchdog.conf", watchdog);
  await useDropIn(stage, "handover.conf");
  await stage.order("start", "sluice");
  const clients = new Clients(stage);
  await clients.served();
  for (let i = 0; i < 2; i++) {
    const pid = stage.property("sluice", "MainPID");
    await stage.order("reload", "sluice");
    await until(() => stage.property("sluice", "MainPID") !== pid, "another one is");
    await until(() => stage.run("kill", "-0", pid).status !== 0, "the first has ended");
    await clients.served();
    assert.equal(stage.property("sluice", "ActiveState"), "active");
  }
  const pid = stage.property("sluice", "MainPID");
  stage.write("etc/bootstrap.yaml", bad);
  await assert.rejects(stage.order("reload", "sluice"), /Job for sluice.service failed/);
  stage.write("etc/bootstrap.yaml", good);
  assert.equal(stage.property("sluice", "MainPID"), pid, "a bad one changes nothing");
  await clients.served();
  assert.equal(await clients.failures(), "[]");
}

/** The one that runs. */
async function hangs(stage: SystemdStage): Promise<void> {
  const told = (): string => stage.property("sluice", "WatchdogTimestampMonotonic");
  const first = told();
  await until(() => told() !== first, "it says that it lives");
  await stage.order("kill", "--kill-whom=main", "--signal=STOP", "sluice");
  await until(() => stage.property("sluice", "Result") === "watchdog", "it is ended");
  await until(() => served(stage) === "served", "the next one serves");
  await stop(stage, "sluice");
  assert.equal(served(stage), "", "no process is left");
}

async function stop(stage: SystemdStage, ...units: readonly string[]): Promise<void> {
  await stage.order("stop", ...units);
  assert.equal(stage.property("sluice", "Result"), "success");
}

/** One of the two that change how the unit is reloaded. */
async function useDropIn(stage: SystemdStage, name: string): Promise<void> {
  for (const each of ["restarter.conf", "handover.conf"])
    stage.write(`sluice.service.d/${each}`, each === name ? unit(`sluice.service.d/${each}`) : "");
  await stage.order("daemon-reload");
}

function unit(name: string): string {
  return readFileSync(path.join("deploy/systemd", name), "utf8");
}

/** What the proxy answers; empty: nothing. */
function served(stage: SystemdStage): string {
  return stage.run("curl", "-s", `http://127.0.0.1:${port}/`).stdout;
}

function epoch(stage: SystemdStage): number {
  const { stdout } = stage.run("curl", "-s", `http://127.0.0.1:${adminPort}/server_info`);
  const info = JSON.parse(stdout) as { command_line_options: { restart_epoch?: number } };
  return info.command_line_options.restart_epoch ?? 0;
}

/** Four that connect anew for each request. */
class Clients {
  readonly #process: ReturnType<SystemdStage["join"]>;
  #said = "";

  constructor(stage: SystemdStage) {
    const program = path.resolve("test/support/steady-program.ts");
    this.#process = stage.join(process.execPath, program, String(port));
    for (const stream of [this.#process.stdout, this.#process.stderr])
      stream?.on("data", (bytes) => (this.#said += String(bytes)));
  }

  /** From now on. */
  async served(): Promise<void> {
    const before = this.#said.length;
    const isLater = (): boolean => this.#said.length >= before + 3 * "ten\n".length;
    await until(isLater, `they are served: ${this.#said.slice(-200)}`);
  }

  async failures(): Promise<string | undefined> {
    const ended = once(this.#process, "close");
    // nsenter has become the program.
    this.#process.kill("SIGTERM");
    await ended;
    return /failed (.*)/.exec(this.#said)?.[1];
  }
}

function bootstrap(listeners: readonly object[]): string {
  // JSON is YAML.
  return JSON.stringify({
    admin: { address: socketAddress("127.0.0.1", adminPort) },
    static_resources: { listeners },
  });
}

function socketAddress(address: string, port_value: number): object {
  return { socket_address: { address, port_value } };
}
