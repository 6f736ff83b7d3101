import { performance } from "node:perf_hooks";
import type { Observations } from "./observations.ts";
import { Stage, type StageOptions } from "./stage.ts";

/** A script that one proxy plays; its steps are notes of what was seen. */
export interface Scenario {
  readonly name: string;
  /** More of the command line. */
  readonly flags?: readonly string[];
  readonly hasSilentServer?: boolean;
  readonly bootstrap?: StageOptions["bootstrap"];
  readonly play: (stage: Stage) => Promise<void>;
}

/** Long enough to tell its parts from each other on a busy machine, short enough to wait for. */
export const drainTimeMs = 6_000;
const drainTime = ["--drain-time-s", String(drainTimeMs / 1000)];

export const immediate = ["--drain-strategy", "immediate"] as const;

/** A scenario that waits for what never comes fails by its name, far above what any takes. */
const stuckMs = 120_000;

let stages = 0;

export async function observe(scenario: Scenario, program: string): Promise<Observations> {
  const { flags = [], hasSilentServer = false, bootstrap = () => ({}) } = scenario;
  await using stage = await Stage.start({
    program,
    number: 2 + (stages++ % 250),
    flags: [...drainTime, ...flags],
    hasSilentServer,
    bootstrap,
  });
  const stuck = Promise.withResolvers<never>();
  const timer = setTimeout(() => stuck.reject(new Error("stuck")), stuckMs);
  try {
    await Promise.race([scenario.play(stage), stuck.promise]);
  } catch (error) {
    throw new Error(
      `${scenario.name}, at "${stage.current}": the proxy's log:\n${stage.proxy.log}`,
      { cause: error },
    );
  } finally {
    clearTimeout(timer);
  }
  return stage.observations;
}

/** What the drain that the next statement starts is timed by. */
export function now(): number {
  return performance.now();
}
