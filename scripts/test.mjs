// `npm test [-- files…]`: every suite that CI runs, or these files. `npm run check` is the quick one.
import { globSync } from "node:fs";
import path from "node:path";
import { run } from "node:test";
import * as reporters from "node:test/reporters";
import { parseArgs } from "node:util";
import { allTests } from "./test-files.mjs";

// Most of what a file costs is stripping types from the same modules again, also in the proxies that it starts and
// in their threads: what the first has compiled serves all others, of this run and of the next.
process.env.NODE_COMPILE_CACHE ??= path.resolve("node_modules/.cache/compile");

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    /** Only what needs neither sockets nor processes. */
    unit: { type: "boolean", default: false },
    /** As `node --test` has them. */
    "test-name-pattern": { type: "string", multiple: true },
    "test-reporter": { type: "string", default: "spec" },
  },
});

const files = chosen();
const report = run({
  files,
  // One more than CI has processors: half of what the long files do is wait, for drains and deadlines.
  concurrency: 3,
  // A test that hangs is a failure with a name, not a run without an end: far above what any test takes.
  timeout: 300_000,
  // So is a file whose tests are over and that does not end: several times what all of them take.
  signal: AbortSignal.timeout(45 * 60_000),
  ...(values["test-name-pattern"] && { testNamePatterns: values["test-name-pattern"] }),
});
report.on("test:summary", ({ success }) => {
  if (!success) process.exitCode = 1;
});
report.compose(reporterOf(values["test-reporter"])).pipe(process.stdout);

function chosen() {
  if (values.unit) return ["scripts/unit-tests.mjs"];
  if (positionals.length === 0) return allTests();
  return positionals.flatMap((pattern) => {
    const found = globSync(pattern).sort();
    if (found.length === 0) fail(`no such test: ${pattern}`);
    return found;
  });
}

function reporterOf(name) {
  if (!(name in reporters)) fail(`no such reporter: ${name}`);
  // `spec` and `lcov` are classes, which compose as instances.
  const { [name]: reporter } = reporters;
  return name === "spec" ? new reporter() : reporter;
}

function fail(message) {
  process.stderr.write(`test: ${message}\n`);
  process.exit(1);
}
