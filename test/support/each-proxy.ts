/**
 * Runs a test of the whole program once for each reactor, or on the one of SLUICE_REACTOR; `SLUICE_TEST_PROXY=envoy` runs
 * it against Envoy, once.
 */
import { test } from "node:test";
import { ProxyProcess } from "./proxy-process.ts";

export type StartProxy = (bootstrap: object, flags?: readonly string[]) => Promise<ProxyProcess>;

const isOther = process.env["SLUICE_TEST_PROXY"] !== undefined;
const wanted = process.env["SLUICE_REACTOR"];

export function forEachProxy(
  name: string,
  body: (start: StartProxy, open: AsyncDisposableStack, isNode: boolean) => Promise<void>,
): void {
  const reactors = isOther ? ["other"] : ["epoll", "node"];
  for (const reactor of reactors) {
    if (!isOther && wanted !== undefined && wanted !== reactor) continue;
    if (reactor === "epoll" && process.platform !== "linux") continue;
    test(`${name} [${isOther ? "other" : reactor}]`, { timeout: 120_000 }, async () => {
      await using open = new AsyncDisposableStack();
      const environment: NodeJS.ProcessEnv = isOther ? {} : { SLUICE_REACTOR: reactor };
      const start: StartProxy = async (bootstrap, flags = []) =>
        open.use(await ProxyProcess.start(bootstrap, flags, undefined, environment));
      await body(start, open, reactor === "node");
    });
  }
}
