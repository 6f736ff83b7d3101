/** Starts the thread of `main-watch.ts`. It keeps nothing alive, and ends with the process. */
import { Worker } from "node:worker_threads";
import type { MainWatchData } from "./main-watch.ts";

export function watchMain(data: MainWatchData): void {
  // `.ts` in a checkout, `.js` in the package.
  const entry = new URL(`main-watch${import.meta.url.slice(-3)}`, import.meta.url);
  new Worker(entry, { workerData: data, name: "guard dog" }).unref();
}
