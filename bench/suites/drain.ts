/**
 * What a change of listeners costs, and whom: `npm run bench -- drain`.
 *
 * What one would get wrong: a drain of idle connections takes as long as it is told to, so what it costs is
 * CPU over that whole time less what the same proxy uses when nothing drains.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { answeringListener } from "../load/answering-listener.ts";
import { ChangingProxy } from "../load/changing-proxy.ts";
import { latencyCommand, tailMs } from "../load/latency.ts";
import { freePort } from "../measure/free-port.ts";
import { leaveCoreToProxy, runLoad } from "../measure/pinned-process.ts";
import { pause } from "../measure/pause.ts";
import { ms, type Samples, SampleTable } from "../measure/sample-table.ts";
import { ScriptedLoad } from "../measure/scripted-load.ts";
import { summarise } from "../measure/statistics.ts";
import type { Options } from "../options.ts";
import { versionOf } from "../programs.ts";
import type { Report } from "../runner.ts";
import { chosen, type Rival, rivals } from "./rivals.ts";

/** How much of each, for a whole run and for a quick one. */
interface Size {
  readonly chains: number;
  readonly chainChanges: number;
  readonly idleConnections: number;
  readonly drainSeconds: number;
  readonly removals: number;
}

const whole: Size = {
  chains: 1_000,
  chainChanges: 11,
  idleConnections: 5_000,
  drainSeconds: 10,
  removals: 25,
};
const quick: Size = {
  chains: 100,
  chainChanges: 3,
  idleConnections: 200,
  drainSeconds: 6,
  removals: 3,
};

/** What a proxy still does after a change (collecting, deleting) is of the change. */
const settleTimeMs = 2_000;
const dialingProcesses = 2;
const dialersEach = 32;

interface DrainCase {
  readonly name: string;
  measure(rival: Rival, round: number): Promise<Samples>;
}

function casesOf(size: Size): readonly DrainCase[] {
  return [
    { name: `chain-of-${size.chains}`, measure: (rival) => changeOneChain(rival, size) },
    { name: "removals", measure: (rival) => removeUnderLoad(rival, size) },
    {
      name: `idle-${size.idleConnections}`,
      measure: (rival, round) => drainIdleConnections(rival, round, size),
    },
  ];
}

export async function runDrain(
  { rounds, only, isQuick }: Options,
  say: (line: string) => void,
): Promise<Report> {
  const programs = chosen(rivals(), only);
  const cases = chosen(casesOf(isQuick ? quick : whole), only);
  leaveCoreToProxy();
  const table = new SampleTable();
  for (let round = 0; round < rounds; round++)
    for (const one of cases)
      for (const rival of round % 2 === 0 ? programs : programs.toReversed()) {
        say(`round ${round + 1} of ${rounds}: ${one.name}: ${rival.name}`);
        table.add(rival.name, one.name, await one.measure(rival, round));
      }
  const versions = programs.map(({ name, file }) => [name, versionOf(file, "--version")] as const);
  return { ...table.report(), versions: Object.fromEntries(versions) };
}

/** The first change runs code that never ran before, so it has a figure of its own. */
async function changeOneChain(rival: Rival, { chains, chainChanges }: Size): Promise<Samples> {
  const listener = { name: "chains", port: await freePort(), chains };
  await using proxy = await ChangingProxy.start(rival, [answeringListener(listener)]);
  await pause(settleTimeMs);
  const used: number[] = [];
  for (let i = 0; i < chainChanges; i++) {
    const before = proxy.cpuMs;
    const changed = { chain: chains >> 1, statPrefix: `changed-${i}` };
    await proxy.push([answeringListener({ ...listener, changed })]);
    await pause(settleTimeMs);
    used.push(proxy.cpuMs - before);
  }
  const [first = Number.NaN, ...others] = used;
  return {
    "first change, CPU": ms(first),
    "a later change, CPU": ms(summarise(others).median),
  };
}

/** A listener goes and comes under clients that dial in a loop; another one has a client that stays. */
async function removeUnderLoad(rival: Rival, { removals }: Size): Promise<Samples> {
  const port = await freePort();
  const going = answeringListener({ name: "going", port });
  const staying = answeringListener({ name: "staying", port: await freePort() });
  await using proxy = await ChangingProxy.start(rival, [staying, going]);
  await using cleanup = new AsyncDisposableStack();
  const dialing = Array.from({ length: dialingProcesses }, () =>
    cleanup.use(new ScriptedLoad("dialers.ts", [port, dialersEach])),
  );
  let reset = 0;
  let answered = 0;
  for (let i = 0; i < removals; i++) {
    await pause(200);
    await proxy.push([staying]);
    // Whoever is still on his way gets there, or is told that he cannot.
    await pause(1_200);
    for (const each of dialing) {
      const counts = JSON.parse(await each.ask("")) as { answered: number; reset: number };
      reset += counts.reset;
      answered += counts.answered;
    }
    await proxy.push([staying, going]);
  }
  return {
    "reset after they had connected": { unit: `in ${removals} removals`, value: reset },
    answered: { unit: `in ${removals} removals`, value: answered },
  };
}

async function drainIdleConnections(rival: Rival, round: number, size: Size): Promise<Samples> {
  const { idleConnections, drainSeconds } = size;
  const folder = mkdtempSync(path.join(tmpdir(), "sluice-bench-"));
  await using cleanup = new AsyncDisposableStack();
  cleanup.defer(() => rmSync(folder, { recursive: true, force: true }));
  const [idlePort, busyPort] = [await freePort(), await freePort()];
  const idle = answeringListener({ name: "idle", port: idlePort });
  const busy = answeringListener({ name: "busy", port: busyPort });
  const flags = ["--drain-time-s", String(drainSeconds)];
  const proxy = cleanup.use(await ChangingProxy.start(rival, [busy, idle], flags));

  /** Holds the connections while `body` runs; the listener is there again after it. */
  const withConnections = async (body: () => Promise<void>): Promise<void> => {
    await proxy.push([busy, idle]);
    using held = new ScriptedLoad("idle-connections.ts", [idlePort]);
    await held.ask(String(idleConnections));
    await pause(settleTimeMs);
    await body();
    await proxy.drained((drainSeconds + 10) * 1_000);
  };
  const load = async (): Promise<number> =>
    tailMs(await runLoad(latencyCommand(folder, busyPort, drainSeconds)));
  const overTheDrain = async (begin: () => Promise<void>): Promise<number> => {
    const before = proxy.cpuMs;
    await begin();
    await pause(drainSeconds * 1_000 + settleTimeMs);
    return proxy.cpuMs - before;
  };

  await load();
  let still = 0;
  let draining = 0;
  let cpu = 0;
  const without = (): Promise<void> =>
    withConnections(async () => {
      still = await load();
    });
  const during = (): Promise<void> =>
    withConnections(async () => {
      const [tail] = await Promise.all([load(), proxy.push([busy])]);
      draining = tail;
    });
  const steps = round % 2 === 0 ? [without, during] : [during, without];
  for (const step of steps) await step();
  await withConnections(async () => {
    const nothing = await overTheDrain(() => Promise.resolve());
    cpu = (await overTheDrain(() => proxy.push([busy]))) - nothing;
  });
  return {
    "drain, CPU": ms(cpu),
    "another listener, p99.9 without": ms(still),
    "another listener, p99.9 during": ms(draining),
    "another listener, p99.9 during, of without": { unit: "ratio", value: draining / still },
  };
}
