/** A full collection of this thread's heap, which may take tens of milliseconds. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

let collect: (() => void) | undefined;

export function collectGarbage(): void {
  collect ??= collectorOfThread();
  collect();
}

/** V8 hands it out with this flag alone. */
function collectorOfThread(): () => void {
  setFlagsFromString("--expose-gc");
  return runInNewContext("gc") as () => void;
}
