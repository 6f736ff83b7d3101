// `npm run check`: what to run before every push. Types, lint, format, dead code, unit tests.
import { spawnSync } from "node:child_process";
import { globSync } from "node:fs";

/** Suites that open sockets, start processes or run against the clock belong to `npm test`. */
const slow = /^test\/(integration|interop|conformance|simulation|fuzz)\//;
const unitTests = globSync("test/**/*.test.ts").filter((file) => !slow.test(file));

const steps = [
  ["types", "tsc", ["--noEmit"]],
  ["lint", "oxlint", ["--deny-warnings", "src", "test", "bench"]],
  ["format", "oxfmt", ["--check", "src", "test", "bench"]],
  ["unused", "knip", []],
  [
    "unit tests",
    process.execPath,
    ["--test", "--test-reporter=dot", "--test-timeout=300000", ...unitTests],
  ],
];

for (const [name, command, args] of steps) {
  process.stderr.write(`check: ${name}\n`);
  const result = spawnSync(command, args, { stdio: "inherit" });
  if (result.status !== 0) {
    process.stderr.write(`check: ${name} failed\n`);
    process.exit(1);
  }
}
