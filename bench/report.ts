import { summarise } from "./measure/statistics.ts";
import type { Report, Result } from "./runner.ts";

/** The table a person reads: one block for each case, Sluice first, its ratio to every peer. */
const ours = "sluice";

export function reportText({ results, versions, peakResidentMib }: Report): string {
  const cases = [...new Set(results.map((result) => result.case))];
  const blocks = cases.map((name) => caseBlock(results.filter((result) => result.case === name)));
  const about = Object.entries(versions).map(([proxy, version]) =>
    row(proxy, [`${(peakResidentMib[proxy] ?? 0).toFixed(1)} MiB`, version]),
  );
  return [...blocks, ["peak resident memory and version", ...about].join("\n")].join("\n\n");
}

function caseBlock(results: readonly Result[]): string {
  const own = results.find((result) => result.proxy === ours);
  const ownMedian = own && summarise(own.samples).median;
  const rows = results.toSorted(ownFirst).map(({ proxy, samples }) => {
    const { median, min, max } = summarise(samples);
    const range = samples.length > 1 ? `[${figure(min)} - ${figure(max)}]` : "";
    // Memory may not have moved at all: nothing is no part of nothing.
    const isPeer = ownMedian !== undefined && proxy !== ours && median > 0;
    const ratio = isPeer ? `sluice is ${(ownMedian / median).toFixed(2)} of it` : "";
    return row(proxy, [figure(median), range, ratio]);
  });
  return [`${results[0]?.case}, ${results[0]?.unit}`, ...rows].join("\n");
}

function ownFirst(a: Result, b: Result): number {
  return Number(b.proxy === ours) - Number(a.proxy === ours);
}

function row(name: string, cells: readonly string[]): string {
  const [first = "", ...rest] = cells;
  const padded = rest.map((cell) => cell.padEnd(20)).join("");
  return `  ${name.padEnd(15)}${first.padStart(10)}  ${padded}`.trimEnd();
}

/** Three significant digits: no run of this kind knows more. */
function figure(value: number): string {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toFixed(digits);
}
