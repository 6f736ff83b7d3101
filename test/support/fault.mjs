// Loaded into every thread of a proxy under test (NODE_OPTIONS=--import): once the file SLUICE_FAULT_FILE exists,
// does in the thread it names what it says: `main throw`, `worker reject` (every worker), `worker_0 exit`, `main hang 300`.
import { existsSync, readFileSync } from "node:fs";
import { isMainThread, threadName } from "node:worker_threads";

const file = process.env["SLUICE_FAULT_FILE"];

const self = isMainThread ? "main" : threadName.replace(" ", "_");

function fail(how, forMs) {
  if (how === "hang") {
    // Without turning its loop; without a number it never comes back.
    const sleeper = new Int32Array(new SharedArrayBuffer(4));
    Atomics.wait(sleeper, 0, 0, forMs === undefined ? undefined : Number(forMs));
    return;
  }
  if (how === "throw") throw new Error("planted throw");
  if (how === "reject") return void Promise.reject(new Error("planted rejection"));
  process.exit(isMainThread ? 70 : 3);
}

const timer = setInterval(() => {
  if (!file || !existsSync(file)) return;
  const [thread, how, forMs] = readFileSync(file, "utf8").split(" ");
  if (thread !== self && !(thread === "worker" && self.startsWith("worker"))) return;
  clearInterval(timer);
  fail(how, forMs);
}, 10);
timer.unref();
