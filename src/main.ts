/**
 * The program: joins the towers, runs the server, ends with its exit code. Modules come by `import()`, so
 * that the compile cache is on before the first of them is compiled.
 */
import { enableCompileCache } from "node:module";
import { setFlagsFromString } from "node:v8";

let exit = (code: number): never => process.exit(code);

// Whoever ends us while modules still load gets what it would get later.
const endEarly = (): void => exit(0);
process.once("SIGTERM", endEarly).once("SIGINT", endEarly);

enableCompileCache();
// Regular expressions from configurations run in time linear in their input (flag `l`).
setFlagsFromString("--enable-experimental-regexp-engine");

const { run } = await import("./control/server/run.ts");

const code = await run(process.argv.slice(2), async () => {
  const { createDataPlane } = await import("./data/connection-handler/data-plane.ts");
  const dataPlane = await createDataPlane(reactorOf(process.env["SLUICE_REACTOR"]));
  exit = (exitCode) => dataPlane.exit(exitCode);
  return dataPlane;
});
// Whatever is still open (a client that will not close) must not keep the process.
exit(code);

/** epoll wherever there is one; `SLUICE_REACTOR=node` is for machines without, and for tests. */
function reactorOf(wanted: string | undefined): "epoll" | "node" {
  if (wanted === "epoll" || wanted === "node") return wanted;
  return process.platform === "linux" ? "epoll" : "node";
}
