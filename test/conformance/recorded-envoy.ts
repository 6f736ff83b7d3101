/** What Envoy did, for machines that have none: a file a scenario, written by `SLUICE_CONFORMANCE_RECORD=1`. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { Observations } from "./observations.ts";

const folder = path.join(import.meta.dirname, "recorded");

export function readRecorded(scenario: string): Observations | undefined {
  const file = fileOf(scenario);
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Observations) : undefined;
}

export function record(scenario: string, observations: Observations): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(fileOf(scenario), `${JSON.stringify(observations, undefined, 2)}\n`);
}

function fileOf(scenario: string): string {
  return path.join(folder, `${scenario.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-")}.json`);
}
