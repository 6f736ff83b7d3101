import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { availableParallelism, tmpdir } from "node:os";
import path from "node:path";
import { freePort } from "./measure/free-port.ts";
import { cores, PinnedProcess, runLoad } from "./measure/pinned-process.ts";
import type { Options } from "./options.ts";
import type { Contender, Ports } from "./proxies/proxy.ts";
import type { Case, CostCase, Suite } from "./suites/suite.ts";

/**
 * Runs a suite. Every proxy is up all the time and one is driven at a time, in turn, so that what
 * the machine does meanwhile falls on all of them alike.
 */
export interface Result {
  readonly proxy: string;
  readonly case: string;
  readonly unit: string;
  /** One for each round; one alone for memory. */
  readonly samples: readonly number[];
}

export interface Report {
  readonly versions: Readonly<Record<string, string>>;
  readonly results: readonly Result[];
  /** MiB over the whole run, by proxy. */
  readonly peakResidentMib: Readonly<Record<string, number>>;
}

const unitScale: Readonly<Record<CostCase["unit"], number>> = {
  // From nanoseconds per request, message, connection or byte.
  "µs/request": 1e-3,
  "µs/message": 1e-3,
  "µs/connection": 1e-3,
  "s/GiB": 2 ** 30 / 1e9,
};
const warmUpSeconds = 1;
const startTimeMs = 20_000;

export async function runSuite(
  suite: Suite,
  options: Options,
  say: (line: string) => void,
): Promise<Report> {
  if (availableParallelism() < 2) throw new Error("two cores are needed: one for the proxy alone");
  const folder = mkdtempSync(path.join(tmpdir(), "sluice-bench-"));
  await using cleanup = new AsyncDisposableStack();
  cleanup.defer(() => rmSync(folder, { recursive: true, force: true }));

  const backendPort = await freePort();
  const backend = new PinnedProcess(suite.backend(folder, backendPort), cores.load);
  cleanup.use(backend);
  await accepting(backend, backendPort);

  const contenders = Object.values(suite.contenders).map((join) => join());
  const start = async (contender: Contender): Promise<Running> => {
    const ports = { proxy: await freePort(), backend: backendPort };
    const process = new PinnedProcess(contender.prepare(folder, ports), cores.proxy);
    await accepting(process, ports.proxy);
    return new Running(contender, ports, process);
  };
  const running: Running[] = [];
  for (const contender of contenders) running.push(cleanup.use(await start(contender)));

  const run = new Run({ folder, running, options, say });
  await run.verifyAndWarmUp(suite.cases);
  const costs = await run.costs(suite.cases);
  const peaks = running.map((r) => [r.contender.name, r.process.usage.peakResidentKib / 1024]);
  return {
    versions: Object.fromEntries(contenders.map(({ name, version }) => [name, version])),
    results: [...costs, ...(await run.memory(suite.cases, start))],
    peakResidentMib: Object.fromEntries(peaks) as Record<string, number>,
  };
}

class Running implements AsyncDisposable {
  readonly contender: Contender;
  readonly ports: Ports;
  readonly process: PinnedProcess;

  constructor(contender: Contender, ports: Ports, process: PinnedProcess) {
    this.contender = contender;
    this.ports = ports;
    this.process = process;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.process[Symbol.asyncDispose]();
  }
}

class Run {
  readonly #folder: string;
  readonly #running: readonly Running[];
  readonly #options: Options;
  readonly #say: (line: string) => void;

  constructor(run: {
    folder: string;
    running: readonly Running[];
    options: Options;
    say: (line: string) => void;
  }) {
    this.#folder = run.folder;
    this.#running = run.running;
    this.#options = run.options;
    this.#say = run.say;
  }

  async verifyAndWarmUp(cases: readonly Case[]): Promise<void> {
    for (const each of cases) {
      if (each.kind !== "cost") continue;
      for (const running of this.#running) {
        await this.#named(running, each, async () => {
          await each.verify(running.ports);
          await this.#cost(running, each, Math.min(warmUpSeconds, this.#options.seconds));
        });
      }
    }
  }

  /** Rounds outermost: a case is measured at several times, not several times at once. */
  async costs(cases: readonly Case[]): Promise<Result[]> {
    const results = new Map<string, Result & { samples: number[] }>();
    for (let round = 0; round < this.#options.rounds; round++) {
      this.#say(`round ${round + 1} of ${this.#options.rounds}`);
      for (const each of cases) {
        if (each.kind !== "cost") continue;
        for (const running of rotated(this.#running, round)) {
          const key = `${each.name} ${running.contender.name}`;
          const result = results.get(key) ?? emptyResult(each, running);
          results.set(key, result);
          await this.#named(running, each, async () => {
            result.samples.push(await this.#cost(running, each, this.#options.seconds));
          });
        }
      }
    }
    return [...results.values()];
  }

  /** Each on a new process: memory that one case has freed would hide what the next one takes. */
  async memory(
    cases: readonly Case[],
    start: (contender: Contender) => Promise<Running>,
  ): Promise<Result[]> {
    const results: Result[] = [];
    for (const each of cases) {
      if (each.kind !== "memory") continue;
      for (const { contender } of this.#running) {
        this.#say(`${each.name}: ${contender.name}`);
        await using fresh = await start(contender);
        const residentKib = (): number => fresh.process.usage.residentKib;
        await this.#named(fresh, each, async () => {
          const moved = await each.measure(fresh.ports.proxy, residentKib);
          results.push({ ...emptyResult(each, fresh), samples: [moved] });
        });
      }
    }
    return results;
  }

  async #cost(running: Running, each: CostCase, seconds: number): Promise<number> {
    const before = running.process.usage.cpuNs;
    const output = await runLoad(each.load(this.#folder, running.ports.proxy, seconds));
    const spent = running.process.usage.cpuNs - before;
    return (spent / each.completed(output)) * unitScale[each.unit];
  }

  async #named(running: Running, each: Case, step: () => Promise<void>): Promise<void> {
    try {
      await step();
    } catch (error) {
      const { log } = running.process;
      throw new Error(`${each.name}, ${running.contender.name}: ${String(error)}\n${log}`, {
        cause: error,
      });
    }
  }
}

function emptyResult(each: Case, { contender }: Running): Result & { samples: number[] } {
  return { proxy: contender.name, case: each.name, unit: each.unit, samples: [] };
}

/** Another proxy goes first in each round, so that none always follows the same neighbour. */
function rotated<T>(items: readonly T[], by: number): T[] {
  const start = by % Math.max(1, items.length);
  return [...items.slice(start), ...items.slice(0, start)];
}

async function accepting(process: PinnedProcess, port: number): Promise<void> {
  const deadline = performance.now() + startTimeMs;
  while (!(await canConnect(port))) {
    process.assertAlive();
    if (performance.now() > deadline) throw new Error(`nothing listens on ${port}: ${process.log}`);
    await new Promise((resolve) => {
      setTimeout(resolve, 20);
    });
  }
}

function canConnect(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.on("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });
}
