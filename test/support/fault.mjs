// Loaded into every thread of a proxy under test (NODE_OPTIONS=--import): once the file SLUICE_FAULT_FILE exists,
// does in the thread it names what it says: `main throw`, `worker reject`, `worker exit`.
import { existsSync, readFileSync } from "node:fs";
import { isMainThread } from "node:worker_threads";

const file = process.env["SLUICE_FAULT_FILE"];

function fail(how) {
  if (how === "throw") throw new Error("planted throw");
  if (how === "reject") return void Promise.reject(new Error("planted rejection"));
  process.exit(isMainThread ? 70 : 3);
}

const timer = setInterval(() => {
  if (!file || !existsSync(file)) return;
  const [thread, how] = readFileSync(file, "utf8").split(" ");
  if ((thread === "main") !== isMainThread) return;
  clearInterval(timer);
  fail(how);
}, 10);
timer.unref();
