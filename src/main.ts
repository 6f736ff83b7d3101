/**
 * The program: joins the towers, runs the server, ends with its exit code. Modules come by `import()`, so
 * that the compile cache is on before the first of them is compiled.
 */
import { enableCompileCache } from "node:module";
import { setFlagsFromString } from "node:v8";

enableCompileCache();
// Regular expressions from configurations run in time linear in their input (flag `l`).
setFlagsFromString("--enable-experimental-regexp-engine");

const { run } = await import("./control/server/run.ts");

process.exitCode = await run(process.argv.slice(2), async () => {
  const { createDataPlane } = await import("./data/connection-handler/data-plane.ts");
  return createDataPlane(reactorOf(process.env["SLUICE_REACTOR"]));
});
// Whatever is still open (a client that will not close) must not keep the process.
process.exit();

/** epoll wherever there is one; `SLUICE_REACTOR=node` is for machines without, and for tests. */
function reactorOf(wanted: string | undefined): "epoll" | "node" {
  if (wanted === "epoll" || wanted === "node") return wanted;
  return process.platform === "linux" ? "epoll" : "node";
}
