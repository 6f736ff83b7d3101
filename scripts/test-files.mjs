// Which test files there are, in the order in which to start them.
import { globSync } from "node:fs";

// Suites that open sockets, start processes or run against the clock. What is among none of them is a unit test.
const suites = ["conformance", "interop", "integration", "simulation", "fuzz"];

/** Every suite that CI runs: the longest files first, so that the last of the run are many short ones. */
export function allTests() {
  const all = globSync("test/**/*.test.ts").sort();
  const [conformance, ...others] = suites.map((suite) =>
    all.filter((file) => suiteOf(file) === suite),
  );
  return [...conformance, "scripts/unit-tests.mjs", ...others.flat()];
}

export function unitTests() {
  return globSync("test/**/*.test.ts")
    .filter((file) => !suites.includes(suiteOf(file)))
    .sort();
}

function suiteOf(file) {
  return file.split("/")[1];
}
