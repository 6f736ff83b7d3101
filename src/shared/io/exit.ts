/**
 * The end of a process that has used FFI. `process.exit` runs the C library's exit handlers, and koffi's
 * wait for ever, now and then, for a lock that a worker thread took with it (seen with 3.3: 1 exit of
 * some 100 with a worker just gone). A proxy that does not end is worse than handlers that do not run.
 */
import { flushCompileCache } from "node:module";
import { exitGroup } from "./syscalls.ts";

/** What was written by then is in the kernel; nothing is flushed but the compile cache. */
export function exitWithoutHandlers(code: number): never {
  flushCompileCache();
  exitGroup(code);
  throw new Error("bug: the process goes on after _exit");
}
