/** Builds the stage, runs the script on it, and keeps the picture current. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { systemClock } from "../../shared/common/clock.ts";
import { FolderWatcher } from "../../xds-server/folder-watcher.ts";
import { ResourceFolder, type FolderContent } from "../../xds-server/resource-folder.ts";
import { EmbeddedControlPlane, GoStoryControlPlane } from "./control-plane.ts";
import type { PushOutcome, StoryControlPlane } from "./control-plane.ts";
import { freePorts } from "./free-ports.ts";
import { LivePicture } from "./live-picture.ts";
import { ProxyProcess } from "./proxy-process.ts";
import { portOf, storySteps, type StoryStage } from "./script.ts";
import type { StoryOptions } from "./story-options.ts";
import type { StoryScreen } from "./terminal-screen.ts";
import { delay, Traffic } from "./traffic.ts";
import { Upstream } from "./upstream.ts";

export interface StoryResult {
  readonly made: number;
  readonly failed: number;
  /** What went wrong, other than single requests. */
  readonly error: string | undefined;
}

/** Long enough to see each step, at a terminal. */
const stepPauseMs = 2500;

/**
 * Runs until the script is through, or with `isOnce` off, until `signal`. `goProgram` is the folder of
 * the Go control plane, for when it is asked for.
 */
export async function runStory(
  options: StoryOptions,
  goProgram: string,
  screen: StoryScreen,
  signal: AbortSignal,
): Promise<StoryResult> {
  await using stack = new AsyncDisposableStack();
  const say = (line: string): void => screen.say(line);
  const workFolder = mkdtempSync(path.join(tmpdir(), "sluice-story-"));
  stack.defer(() => rmSync(workFolder, { recursive: true, force: true }));
  const ports = await openUpstreams(stack);
  const controlPlane = stack.use(await startControlPlane(options, goProgram, say));
  const folder = new ResourceFolder(path.join(options.example, "resources"), ports);
  await controlPlane.offer(contentOf(folder));
  const bootstrapFile = path.join(workFolder, "bootstrap.yaml");
  const bootstrap = readFileSync(path.join(options.example, "bootstrap.yaml"), "utf8");
  writeFileSync(bootstrapFile, bootstrap.replaceAll("${xds_port}", String(controlPlane.port)));
  const { proxy: program, drainTimeS } = options;
  const proxy = stack.use(
    await ProxyProcess.start({ program, bootstrapFile, workFolder, drainTimeS }),
  );
  const traffic = new Traffic();
  stack.defer(() => traffic.finish());
  const { admin } = proxy;
  const live = stack.use(new LivePicture({ screen, admin, traffic }));
  say(`${path.basename(program)} (pid ${proxy.pid}) under ${controlPlane.name}`);
  say(`admin http://${admin.address}   shop http://127.0.0.1:${portOf(ports, "shop")}`);
  const stage: StoryStage = {
    traffic,
    admin,
    ports,
    drainTimeS,
    say,
    lay: (step) => layOver(folder, controlPlane, path.join(options.example, "steps", step)),
    restore: () => layOver(folder, controlPlane, undefined),
  };
  try {
    await whileRunning(proxy, runScript(stage, live, options, signal), signal);
    if (!options.isOnce && !signal.aborted) {
      live.step = "The story is told; everything stays up. Ctrl-C ends it.";
      tellHowToLookFurther(stage, folder.root, proxy);
      await stayUp({ folder, controlPlane, proxy, say, signal });
    }
    await traffic.finish();
    return { made: traffic.made, failed: traffic.failed, error: failuresOf(traffic) };
  } catch (thrown) {
    const error = thrown instanceof Error ? thrown.message : String(thrown);
    const words = proxy.isRunning ? "" : `\nthe proxy has ended:\n${proxy.lastWords}`;
    for (const lane of traffic.lanes) traffic.stop(lane.name);
    return { made: traffic.made, failed: traffic.failed, error: error + words };
  }
}

async function runScript(
  stage: StoryStage,
  live: LivePicture,
  options: StoryOptions,
  signal: AbortSignal,
): Promise<void> {
  await until(() => stage.admin.isReady(), "the proxy to be ready");
  for (const step of options.isQuiet ? storySteps.slice(0, 1) : storySteps) {
    if (signal.aborted) return;
    live.step = step.title;
    stage.say(step.title);
    await step.run(stage);
    const { made, failed } = stage.traffic;
    stage.say(`   done; ${made} requests so far, ${failed} failed`);
    await delay(options.isOnce ? 300 : stepPauseMs);
  }
}

/** Three upstreams, and a port for every placeholder of the resources. */
async function openUpstreams(stack: AsyncDisposableStack): Promise<Record<string, number>> {
  const ports: Record<string, number> = {};
  for (const name of ["blue", "green", "moved"])
    ports[`${name}_port`] = stack.use(await Upstream.start(name)).port;
  const listeners = ["shop", "downloads", "news", "broken"];
  const free = await freePorts(listeners.length);
  for (const [index, name] of listeners.entries()) ports[`${name}_port`] = free[index] ?? 0;
  return ports;
}

function startControlPlane(
  options: StoryOptions,
  goProgram: string,
  say: (line: string) => void,
): Promise<StoryControlPlane> {
  if (options.controlPlane === "embedded")
    return EmbeddedControlPlane.start((line) => say(`   xds: ${line}`));
  say("building go-control-plane (a minute the first time)");
  return GoStoryControlPlane.start(goProgram, "story");
}

function contentOf(folder: ResourceFolder): FolderContent {
  const read = folder.read();
  if (!read.ok) throw new Error(read.errors.join("\n"));
  return read.value;
}

async function layOver(
  folder: ResourceFolder,
  controlPlane: StoryControlPlane,
  step: string | undefined,
): Promise<PushOutcome> {
  folder.overlays = step === undefined ? [] : [...folder.overlays, step];
  return controlPlane.push(contentOf(folder));
}

/** Follows the files until the signal. */
async function stayUp(stage: {
  readonly folder: ResourceFolder;
  readonly controlPlane: StoryControlPlane;
  readonly proxy: ProxyProcess;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { folder, controlPlane, proxy, say, signal } = stage;
  const push = async (content: FolderContent): Promise<void> => {
    try {
      const outcome = await controlPlane.push(content);
      say(outcome.kind === "accepted" ? "   accepted" : `   refused: ${outcome.reason}`);
    } catch (thrown) {
      say(`   ${thrown instanceof Error ? thrown.message : String(thrown)}`);
    }
  };
  using _watcher = new FolderWatcher({
    folder,
    clock: systemClock,
    log: say,
    onContent: (content) => void push(content),
  });
  const aborted = Promise.withResolvers<void>();
  signal.addEventListener("abort", () => aborted.resolve());
  await whileRunning(proxy, aborted.promise, signal);
}

function tellHowToLookFurther(stage: StoryStage, root: string, proxy: ProxyProcess): void {
  const admin = `http://${stage.admin.address}`;
  stage.say("");
  stage.say(`Edit a file in ${root} and save it: it is pushed. Then look:`);
  stage.say(`  curl http://127.0.0.1:${portOf(stage.ports, "shop")}/`);
  for (const page of ["listeners", "drains", "clusters", "config_dump", "stats?usedonly"])
    stage.say(`  curl '${admin}/${page}'`);
  stage.say(`  its log: ${proxy.logFile}`);
}

/** Ends early with an error if the proxy does, and quietly if asked to. */
async function whileRunning(
  proxy: ProxyProcess,
  work: Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = setInterval(() => {
    if (signal.aborted) resolve();
    else if (!proxy.isRunning) reject(new Error("the proxy ended unasked"));
  }, 100);
  try {
    await Promise.race([work, promise]);
  } finally {
    clearInterval(timer);
  }
}

async function until(condition: () => Promise<boolean>, what: string): Promise<void> {
  for (let waitedMs = 0; waitedMs < 30_000; waitedMs += 50) {
    if (await condition()) return;
    await delay(50);
  }
  throw new Error(`waited in vain for ${what}`);
}

function failuresOf(traffic: Traffic): string | undefined {
  const errors = traffic.lanes.filter(({ failed }) => failed > 0);
  if (errors.length === 0) return undefined;
  return errors
    .map((lane) => `${lane.name}: ${lane.failed} failed, last: ${lane.lastError}`)
    .join("\n");
}
