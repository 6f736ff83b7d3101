/**
 * `npm run bench -- listeners`: 10,000 listeners pushed at once by real gRPC ADS, and one of them changed.
 *
 * Each proxy runs alone, on core 0, from its start to its end; rounds alternate. State of the world: the
 * change of one listener is a push of all of them. The time to the ACK has the control plane's own time
 * in it (it writes 20 MB), the CPU time is the proxy's alone.
 */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { ManagementServer } from "../../src/xds-server/management-server.ts";
import { ResourceFolder } from "../../src/xds-server/resource-folder.ts";
import { servedTypes } from "../../src/xds-server/resource-types.ts";
import type { ServedResource } from "../../src/xds-server/discovery-wire.ts";
import { adsBootstrap, manyListener } from "../load/many-listeners.ts";
import { cores, PinnedProcess } from "../measure/pinned-process.ts";
import type { Options } from "../options.ts";
import { findEnvoy, versionOf } from "../programs.ts";
import type { Report, Result } from "../runner.ts";

const listenerCount = 10_000;
const quickListenerCount = 1_000;
const stepTimeMs = 120_000;
/** What a proxy still does after a push (collecting, deleting) is of the push. */
const settleTimeMs = 2_000;

const lds = servedTypes.find(({ shortName }) => shortName === "LDS");

interface Program {
  readonly name: string;
  readonly file: string;
  readonly flags: readonly string[];
}

type Samples = Readonly<Record<string, { readonly unit: string; readonly value: number }>>;

export async function runListeners(
  { rounds, only, isQuick }: Options,
  say: (line: string) => void,
): Promise<Report> {
  const programs = allPrograms().filter(({ name }) => only.length === 0 || only.includes(name));
  assert(programs.length > 0, "--only: the proxies of this suite are sluice and envoy");
  const pushes = encode(isQuick ? quickListenerCount : listenerCount);
  const results = new Map<string, Result & { samples: number[] }>();
  const peakResidentMib: Record<string, number> = {};
  for (let round = 0; round < rounds; round++) {
    for (const program of round % 2 === 0 ? programs : programs.toReversed()) {
      say(`round ${round + 1} of ${rounds}: ${program.name}`);
      const { samples, peakKib } = await measure(program, pushes);
      peakResidentMib[program.name] = peakKib / 1024;
      for (const [name, { unit, value }] of Object.entries(samples)) {
        const key = `${program.name} ${name}`;
        const result = results.get(key) ?? { proxy: program.name, case: name, unit, samples: [] };
        result.samples.push(value);
        results.set(key, result);
      }
    }
  }
  const versions = Object.fromEntries(
    programs.map(({ name, file }) => [name, versionOf(file, "--version")]),
  );
  return { versions, results: [...results.values()], peakResidentMib };
}

function allPrograms(): readonly Program[] {
  return [
    { name: "sluice", file: path.join(import.meta.dirname, "../../bin/sluice"), flags: [] },
    { name: "envoy", file: findEnvoy(), flags: [] },
  ];
}

interface Pushes {
  readonly count: number;
  readonly first: readonly ServedResource[];
  readonly second: readonly ServedResource[];
}

function encode(count: number): Pushes {
  assert(lds);
  const folder = new ResourceFolder(".");
  const read = (indexes: readonly number[], mark: string): readonly ServedResource[] => {
    const listeners = indexes.map((index) => manyListener(index, mark));
    const result = folder.readText(lds, JSON.stringify(listeners));
    assert(result.ok, result.ok ? "" : result.errors.slice(0, 5).join("\n"));
    return result.value.map(({ name, typeUrl, bytes }) => ({ name, typeUrl, bytes }));
  };
  const first = read(
    Array.from({ length: count }, (_, index) => index),
    "a",
  );
  const changed = Math.floor(count / 2);
  const [other] = read([changed], "b");
  assert(other);
  return { count, first, second: first.with(changed, other) };
}

async function measure(
  { file, flags }: Program,
  pushes: Pushes,
): Promise<{ samples: Samples; peakKib: number }> {
  const folder = mkdtempSync(path.join(tmpdir(), "sluice-bench-"));
  await using cleanup = new AsyncDisposableStack();
  cleanup.defer(() => rmSync(folder, { recursive: true, force: true }));
  const server = cleanup.use(await ManagementServer.start());
  const config = path.join(folder, "bootstrap.json");
  const adminPath = path.join(folder, "admin");
  writeFileSync(config, JSON.stringify(adsBootstrap(server.port)));
  const args = ["-c", config, "--admin-address-path", adminPath, "--concurrency", "1", ...flags];
  const quiet = ["--disable-hot-restart", "-l", "error"];
  const proxy = cleanup.use(
    new PinnedProcess({ program: file, args: [...args, ...quiet] }, cores.proxy),
  );
  const pushing = new Pushing(server, proxy, () => readFileSync(adminPath, "utf8").trim());

  await pushing.push([], 0);
  const before = proxy.usage;
  const { ackMs, activeMs } = await pushing.push(pushes.first, pushes.count);
  await pause(settleTimeMs);
  const after = proxy.usage;
  const change = await pushing.push(pushes.second, pushes.count);
  await pause(settleTimeMs);
  const afterChange = proxy.usage;
  return {
    peakKib: afterChange.peakResidentKib,
    samples: {
      "push to ACK": { unit: "ms", value: ackMs },
      "push to all active": { unit: "ms", value: activeMs },
      "push, CPU of the proxy": { unit: "ms", value: (after.cpuNs - before.cpuNs) / 1e6 },
      "memory of a listener": {
        unit: "KiB",
        value: (after.residentKib - before.residentKib) / pushes.count,
      },
      "resident after the push": { unit: "MiB", value: after.residentKib / 1024 },
      "descriptors after the push": { unit: "open", value: descriptorsOf(proxy.pid) },
      "one changed, to ACK": { unit: "ms", value: change.ackMs },
      "one changed, CPU of the proxy": {
        unit: "ms",
        value: (afterChange.cpuNs - after.cpuNs) / 1e6,
      },
    },
  };
}

function descriptorsOf(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

class Pushing {
  readonly #server: ManagementServer;
  readonly #proxy: PinnedProcess;
  readonly #admin: () => string;

  constructor(server: ManagementServer, proxy: PinnedProcess, admin: () => string) {
    this.#server = server;
    this.#proxy = proxy;
    this.#admin = admin;
  }

  /** Throws if the proxy refuses, ends, or takes too long. */
  async push(
    listeners: readonly ServedResource[],
    activeCount: number,
  ): Promise<{ ackMs: number; activeMs: number }> {
    assert(lds);
    const start = performance.now();
    this.#server.setResources(lds.typeUrl, listeners);
    const [answer] = await this.#within(this.#server.awaitAnswer(lds.typeUrl));
    assert(answer?.verdict.kind === "acked", JSON.stringify(answer).slice(0, 2_000));
    const ackMs = performance.now() - start;
    while ((await this.#activeCount()) !== activeCount) {
      this.#proxy.assertAlive();
      assert(performance.now() - start < stepTimeMs, "not every listener became active");
      await pause(10);
    }
    return { ackMs, activeMs: performance.now() - start };
  }

  /** Undefined while the admin is not there, or the server has not started. */
  async #activeCount(): Promise<number | undefined> {
    try {
      const url = `http://${this.#admin()}`;
      if (!(await fetch(`${url}/ready`)).ok) return undefined;
      const filter = "listener_manager.total_listeners_active";
      const text = await (await fetch(`${url}/stats?filter=${filter}`)).text();
      return Number(text.split(": ")[1]);
    } catch {
      return undefined;
    }
  }

  async #within<T>(work: Promise<T>): Promise<T> {
    const timer = Promise.withResolvers<never>();
    const timeout = setTimeout(
      () => timer.reject(new Error(`no answer to the push\n${this.#proxy.log}`)),
      stepTimeMs,
    );
    try {
      return await Promise.race([work, timer.promise]);
    } finally {
      clearTimeout(timeout);
    }
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
