/**
 * The differences that docs/COMPATIBILITY.md owns up to, under "Listeners and drains, side by side". The table is
 * the list: a difference that is not there fails the test, and so does a row that is no difference any more.
 */
import { readFileSync } from "node:fs";
import type { Difference } from "./observations.ts";

const heading = "## Listeners and drains, side by side";

export interface DocumentedRow {
  /** What `rowOf` gives for the difference. */
  readonly row: string;
  /** For readers; it must be there. */
  readonly reason: string;
}

export function documentedRows(): readonly DocumentedRow[] {
  const [, section = ""] = readFileSync("docs/COMPATIBILITY.md", "utf8").split(`${heading}\n`);
  const [table = ""] = section.split("\n## ");
  const lines = table
    .split("\n")
    .filter((line) => line.startsWith("| ") && !line.startsWith("| seen"));
  return lines.map((line) => {
    const [seen, envoy, sluice, reason = ""] = line.slice(2, -2).split(" | ");
    return { row: [seen, envoy, sluice].join(" | "), reason };
  });
}

export function rowOf(scenario: string, { step, what, envoy, sluice }: Difference): string {
  return [`${scenario}: ${step}: ${what}`, envoy, sluice].map(asCell).join(" | ");
}

function asCell(text: string): string {
  return text.replaceAll("|", "/").replaceAll("\n", " ").trim();
}
