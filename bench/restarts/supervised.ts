/** Sluice or Envoy under `sluice restarter`, which starts the next epoch on SIGHUP as Envoy's own restarter would. */
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { cores, PinnedProcess } from "../measure/pinned-process.ts";
import { childrenOf } from "../measure/process-tree.ts";
import { generationArgs, type GenerationsOptions, servesText } from "./generations.ts";

export interface ReloadTimes {
  /** From SIGHUP until the new process serves all that the old one did. */
  readonly servesMs: number;
  /** From there until the old one, which has no connection, has ended. */
  readonly goneMs: number;
}

/** Envoy's restarter does not try the configuration first; Sluice's does unless it is told not to. */
export async function reloadTimes(
  options: GenerationsOptions,
  validates: boolean,
): Promise<ReloadTimes> {
  const sluice = path.join(import.meta.dirname, "../../bin/sluice");
  const command = [options.program, ...generationArgs(options, "{epoch}")];
  const args = ["restarter", ...(validates ? [] : ["--no-validate"]), "--", ...command];
  await using restarter = new PinnedProcess({ program: sluice, args }, cores.proxy);
  await restarter.printed(servesText);
  const startedMs = performance.now();
  const serves = restarter.printed(servesText);
  restarter.signal("SIGHUP");
  await serves;
  const servedMs = performance.now();
  // The one that tried the configuration has ended: what is left are generations.
  while (childrenOf(restarter.pid).length > 1) await pause(5);
  return { servesMs: servedMs - startedMs, goneMs: performance.now() - servedMs };
}
