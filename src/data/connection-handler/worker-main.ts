/**
 * Entry of a worker thread. As in `main.ts`, modules come by `import()`, so that the compile cache is on before the
 * first of them is compiled: a thread does not take it over from the one that starts it.
 */
import { enableCompileCache } from "node:module";

enableCompileCache();
await import("./worker-thread.ts");
