import assert from "node:assert/strict";
import path from "node:path";
import { suite, test } from "node:test";
import { findEnvoy, versionOf } from "../../bench/programs.ts";
import { documentedRows, rowOf } from "./documented-differences.ts";
import { differencesOf, type Observations } from "./observations.ts";
import { readRecorded, record } from "./recorded-envoy.ts";
import { observe, type Scenario } from "./scenario.ts";
import { drains } from "./scenarios/drains.ts";
import { generations } from "./scenarios/generations.ts";
import { limits } from "./scenarios/limits.ts";
import { refusals } from "./scenarios/refusals.ts";
import { updates } from "./scenarios/updates.ts";

/**
 * Every scenario is played by Envoy and by Sluice, at the same time; what they saw differently is exactly what
 * docs/COMPATIBILITY.md lists. It runs against the clock, so scenarios run side by side: most of each is waiting.
 */
const recordedVersion = "1.40.0";
const scenarios: readonly Scenario[] = [
  ...updates,
  ...generations,
  ...refusals,
  ...drains,
  ...limits,
];
const isRecording = process.env["SLUICE_CONFORMANCE_RECORD"] === "1";
const wanted = process.env["SLUICE_CONFORMANCE_ONLY"];
const chosen = scenarios.filter(
  ({ name }) => wanted === undefined || new RegExp(wanted).test(name),
);

/** A busy machine may come between two steps; what differs each time is a difference. */
const attemptsMax = isRecording ? 1 : 3;

const envoy = usableEnvoy();
const documented = documentedRows();

suite("conformance", { concurrency: 4 }, () => {
  for (const scenario of chosen) test(scenario.name, () => compare(scenario));
});

test("every documented difference has a reason, and a scenario that shows it", () => {
  for (const { row, reason } of documented) {
    assert(reason !== "", `no reason for: ${row}`);
    assert(
      scenarios.some((scenario) => isOf(scenario, row)),
      `no scenario for: ${row}`,
    );
  }
});

async function compare(scenario: Scenario): Promise<void> {
  const rows = documented.map(({ row }) => row).filter((row) => isOf(scenario, row));
  for (let attempt = 1; ; attempt++) {
    try {
      const seen = await differencesSeen(scenario);
      assert.deepEqual(seen.toSorted(), rows.toSorted(), "docs/COMPATIBILITY.md, side by side");
      return;
    } catch (error) {
      if (attempt === attemptsMax) throw error;
      console.error(`conformance: ${scenario.name} is played again: ${String(error)}`);
    }
  }
}

function isOf({ name }: Scenario, row: string): boolean {
  return row.startsWith(`${name}: `);
}

async function differencesSeen(scenario: Scenario): Promise<readonly string[]> {
  const [there, here] = await Promise.all([
    ofEnvoy(scenario),
    observe(scenario, path.resolve("bin/sluice")),
  ]);
  return differencesOf(there, here).map((difference) => rowOf(scenario.name, difference));
}

async function ofEnvoy(scenario: Scenario): Promise<Observations> {
  const recorded = readRecorded(scenario.name);
  if (envoy === undefined) {
    assert(recorded, `${scenario.name} was never recorded`);
    return recorded;
  }
  const observed = await observe(scenario, envoy);
  if (isRecording) record(scenario.name, observed);
  else assert.deepEqual(observed, recorded, "Envoy does what was recorded of it");
  return observed;
}

/** The Envoy that the table is about. */
function usableEnvoy(): string | undefined {
  try {
    const program = findEnvoy();
    const version = versionOf(program, "--version");
    if (version.includes(`/${recordedVersion}/`)) return program;
    console.error(`conformance: ${version} is not ${recordedVersion}; what was recorded counts`);
  } catch (error) {
    console.error(`conformance: no Envoy; what was recorded counts (${String(error)})`);
  }
  return undefined;
}
