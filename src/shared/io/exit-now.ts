/**
 * The only safe way to end a process whose epoll workers may be busy.
 *
 * `process.exit`, an uncaught error on the main thread and `worker.terminate()` all stop a worker in
 * the middle of its callbacks, and koffi's poll handle then aborts the whole process (napi_throw in
 * OnPoll: SIGABRT, code 134; koffi 3.3.4). So workers are asked to stop and dispose their reactor
 * first; where there is no time for that, this leaves at once. A worker that ends itself disposes its
 * reactor, then may call `process.exit` from a callback that is not the reactor's.
 */
import koffi from "koffi";

/** _exit(2): nothing is flushed and no handler runs. What must get out is written before, synchronously. */
export const exitNow: (code: number) => void = koffi.load(null).func("_exit", "void", ["int"]);
