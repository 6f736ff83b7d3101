/**
 * `npm run bench -- push`: listeners pushed by the thousand from go-control-plane, and one of them changed.
 *
 * Each proxy runs alone on core 0, from its start to its end, a process for each case; rounds alternate. The
 * control plane makes the listeners itself and says when it hands them out; the time from there on has the
 * time in it that it needs to write them, which is the same for all. The CPU time is the proxy's alone.
 */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { findGo, GoControlPlane } from "../../src/cli/go-control-plane.ts";
import { pushBootstrap } from "../load/push-bootstrap.ts";
import { PushedProxy } from "../load/pushed-proxy.ts";
import { freePort } from "../measure/free-port.ts";
import { MainTurns } from "../measure/main-turns.ts";
import { cores, leaveCoreToProxy, PinnedProcess } from "../measure/pinned-process.ts";
import { pause } from "../measure/pause.ts";
import type { Usage } from "../measure/process-tree.ts";
import { ms, SampleTable, type Samples } from "../measure/sample-table.ts";
import type { Options } from "../options.ts";
import { versionOf } from "../programs.ts";
import type { Report } from "../runner.ts";
import { chosen, type Rival, rivals } from "./rivals.ts";

/** What a proxy still does after a push (collecting, deleting) is of the push. */
const settleTimeMs = 2_000;

interface PushCase {
  readonly name: string;
  /** Cases of one kind differ in the count alone. */
  readonly kind: string;
  readonly count: number;
  readonly rds: boolean;
  readonly isDelta: boolean;
  /** One listener is changed afterwards. */
  readonly hasChange: boolean;
  /** Only the first round has it. */
  readonly isOnce?: boolean;
}

interface Measured {
  readonly samples: Samples;
  readonly residentKib: number;
  readonly peakKib: number;
}

function casesOf(isQuick: boolean): readonly PushCase[] {
  const [few, many, most] = isQuick ? [200, 1_000, 2_000] : [1_000, 5_000, 10_000];
  const made = (kind: string, count: number, more: Partial<PushCase> = {}): PushCase => ({
    name: `${kind}-${count}`,
    kind,
    count,
    rds: false,
    isDelta: false,
    hasChange: false,
    ...more,
  });
  return [
    made("inline", few),
    made("inline", many, { hasChange: true }),
    made("rds", few, { rds: true }),
    made("rds", many, { rds: true }),
    made("delta", many, { isDelta: true, hasChange: true }),
    made("inline", most, { hasChange: true, isOnce: true }),
  ];
}

export async function runPush(
  { rounds, only, isQuick }: Options,
  say: (line: string) => void,
): Promise<Report> {
  const go = await findGo();
  assert(go !== undefined, "this suite needs Go: the control plane is on go-control-plane");
  const programs = chosen(rivals(), only);
  const cases = chosen(casesOf(isQuick), only);
  leaveCoreToProxy();
  const source = path.join(import.meta.dirname, "../../test/interop/go-control-plane");
  await using controlPlane = await GoControlPlane.start(source, "bench");
  const results = new Results();
  for (let round = 0; round < rounds; round++)
    for (const one of cases.filter(({ isOnce }) => round === 0 || isOnce !== true))
      for (const program of round % 2 === 0 ? programs : programs.toReversed()) {
        say(`round ${round + 1} of ${rounds}: ${one.name}: ${program.name}`);
        results.add(program.name, one, await measure(program, one, controlPlane));
      }
  const versions = programs.map(({ name, file }) => [name, versionOf(file, "--version")] as const);
  return { ...results.table.report(), versions: Object.fromEntries(versions) };
}

let nodeNumber = 0;

async function measure(
  program: Rival,
  { count, rds, isDelta, hasChange }: PushCase,
  controlPlane: GoControlPlane,
): Promise<Measured> {
  const folder = mkdtempSync(path.join(tmpdir(), "sluice-bench-"));
  await using cleanup = new AsyncDisposableStack();
  cleanup.defer(() => rmSync(folder, { recursive: true, force: true }));
  const node = `bench-${++nodeNumber}`;
  const { xdsAddress } = controlPlane;
  const config = path.join(folder, "bootstrap.json");
  writeFileSync(config, JSON.stringify(pushBootstrap({ node, xdsAddress, isDelta })));
  const turns = new MainTurns(folder);
  // What its main thread does can be watched.
  const hasTurns = program.name === "sluice";
  const adminPath = path.join(folder, "admin");
  const flags = ["-c", config, "--admin-address-path", adminPath, "--concurrency", "1"];
  const args = [...flags, "--disable-hot-restart", "-l", "error"];
  const environment = hasTurns ? turns.environment : {};
  const proxy = cleanup.use(
    new PinnedProcess({ program: program.file, args, environment }, cores.proxy),
  );
  const admin = (): string => readFileSync(adminPath, "utf8").trim();
  const pushed = new PushedProxy({ proxy, controlPlane, node, admin });
  const order = { count, port: await freePort(), rds, changed: count >> 1, mark: "a" };
  const longest = (sinceMs: number): Samples =>
    hasTurns ? { "longest turn of main": ms(turns.longestMs(sinceMs)) } : {};

  await pushed.push({ ...order, count: 0 });
  await pause(settleTimeMs);
  const before = proxy.usage;
  const first = await pushed.push(order);
  await pause(settleTimeMs);
  const after = proxy.usage;
  const samples: Samples = {
    "push until all answer": ms(first.answeringMs),
    "push, CPU": ms(cpuMs(before, after)),
    ...longest(first.pushedAtMs),
  };
  const change = hasChange ? await measureChange() : {};
  // The next process has another name: what this one was sent is no longer needed.
  await controlPlane.generate(node, { ...order, count: 0 });
  return {
    samples: { ...samples, ...change },
    residentKib: after.residentKib,
    peakKib: proxy.usage.peakResidentKib,
  };

  async function measureChange(): Promise<Samples> {
    const { ackMs, pushedAtMs } = await pushed.change({ ...order, mark: "b" });
    await pause(settleTimeMs);
    return {
      "one changed, until the ACK": ms(ackMs),
      "one changed, CPU": ms(cpuMs(after, proxy.usage)),
      ...(hasTurns ? { "one changed, longest turn of main": ms(turns.longestMs(pushedAtMs)) } : {}),
    };
  }
}

function cpuMs(before: Usage, after: Usage): number {
  return (after.cpuNs - before.cpuNs) / 1e6;
}

/** The slope of memory needs two cases of one round. */
class Results {
  readonly table = new SampleTable();
  readonly #last = new Map<string, { readonly count: number; readonly residentKib: number }>();

  add(proxy: string, { name, kind, count }: PushCase, measured: Measured): void {
    const { residentKib, peakKib } = measured;
    this.table.peaked(proxy, peakKib);
    this.table.add(proxy, name, {
      ...measured.samples,
      resident: { unit: "MiB", value: residentKib / 1024 },
    });
    const smaller = this.#last.get(`${proxy} ${kind}`);
    this.#last.set(`${proxy} ${kind}`, { count, residentKib });
    if (!smaller || smaller.count >= count) return;
    const value = (residentKib - smaller.residentKib) / (count - smaller.count);
    const between = `memory from ${smaller.count} to ${count}`;
    this.table.add(proxy, kind, { [between]: { unit: "KiB/listener", value } });
  }
}
