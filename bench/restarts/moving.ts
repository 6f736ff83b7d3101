/**
 * A restart under connections that only have to go on: how long it takes until all are the new process's, and what it
 * costs that one. Nobody but these is connected, so the longest turn of a thread is what another client would have waited.
 */
import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import type { MainTurns, TurnsOf } from "../measure/main-turns.ts";
import { ms, type Samples } from "../measure/sample-table.ts";
import type { ScriptedLoad } from "../measure/scripted-load.ts";
import type { Generations } from "./generations.ts";

export interface MovingParts {
  readonly proxy: Generations;
  readonly held: ScriptedLoad;
  readonly count: number;
  readonly admin: number;
  readonly turns: MainTurns;
}

export async function moveAll({ proxy, held, count, admin, turns }: MovingParts): Promise<Samples> {
  assert.equal(await held.ask("open"), String(count), "all are open");
  const { usage: old, pid: oldPid } = proxy;
  await proxy.restart();
  const servesMs = Date.now();
  const before = proxy.usage;
  while ((await moved(admin)) < count) {
    assert(Date.now() < servesMs + givenUpMs, "they have not all moved");
    await pause(lookEveryMs);
  }
  const movedMs = Date.now() - servesMs;
  const after = proxy.usage;
  const longest = (thread: TurnsOf["thread"], pid: number) =>
    ms(turns.longestMs(servesMs, { thread, pid }));
  const answered = Number(await held.ask("use"));
  await proxy.alone();
  return {
    "serves until all have moved": ms(movedMs),
    "CPU of the new process meanwhile": ms((after.cpuNs - before.cpuNs) / 1e6),
    "longest turn of the old main thread": longest("main", oldPid),
    "longest turn of the old worker": longest("worker", oldPid),
    "longest turn of the new main thread": longest("main", proxy.pid),
    "longest turn of the new worker": longest("worker", proxy.pid),
    lost: { unit: "connections", value: count - answered },
    "old process": mib(old.residentKib),
    "new process": mib(after.residentKib),
    "new process, at most": mib(after.peakResidentKib),
  };
}

const givenUpMs = 60_000;
const lookEveryMs = 20;

async function moved(admin: number): Promise<number> {
  const url = `http://127.0.0.1:${admin}/stats?filter=%5Ehot_restart.connections_moved%24`;
  // For a moment nobody has the admin.
  const text = await fetch(url).then(
    (response) => response.text(),
    () => "",
  );
  return Number(text.split(": ")[1] ?? 0);
}

function mib(kib: number): { readonly unit: string; readonly value: number } {
  return { unit: "MiB", value: kib / 1024 };
}
