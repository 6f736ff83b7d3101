/**
 * Loaded into a Sluice under test (`node --import`): writes down every turn of the event loop of its main thread, and of its
 * worker, that took long, as CPU time of that thread, so that what else the machine does is not in it.
 *
 * An immediate that is not referenced neither keeps the loop turning nor lets it skip its sleep; it runs once
 * in each turn. A turn may hold several tasks: what is written down is no less than the longest of them.
 */
import { appendFileSync } from "node:fs";
import process from "node:process";
import { isMainThread } from "node:worker_threads";
import { turnsFileVariable } from "./main-turns.ts";

/** Shorter ones are of no interest, and writing them would be most of what is seen. */
const longUs = 5_000;

const file = process.env[turnsFileVariable];
const thread = isMainThread ? "main" : "worker";
if (file !== undefined) watch(file);

function watch(file: string): void {
  let lastUs = usedUs();
  const turn = (): void => {
    const nowUs = usedUs();
    if (nowUs - lastUs >= longUs)
      appendFileSync(file, `${Date.now()} ${nowUs - lastUs} ${thread} ${process.pid}\n`);
    lastUs = usedUs();
    setImmediate(turn).unref();
  };
  setImmediate(turn).unref();
}

function usedUs(): number {
  const { user, system } = process.threadCpuUsage();
  return user + system;
}
