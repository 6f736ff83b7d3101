/** A process of `exit.test.ts`: with a busy worker, ends as its argument says. */
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { exitNow } from "../../../src/shared/io/exit-now.ts";

const worker = new Worker(new URL("exit-worker.ts", import.meta.url));
await once(worker, "message");
if (process.argv[2] === "now") exitNow(7);
worker.postMessage(process.argv[2]);
const [code] = (await once(worker, "exit")) as [number];
process.exitCode = 20 + code;
