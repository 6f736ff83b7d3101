// `npm run check`: what to run before every push. Types, lint, format, dead code, unit tests.
import { spawnSync } from "node:child_process";

const steps = [
  ["types", "tsc", ["--noEmit"]],
  ["lint", "oxlint", ["--deny-warnings", "src", "test", "bench"]],
  ["format", "oxfmt", ["--check", "src", "test", "bench"]],
  ["unused", "knip", []],
  // What opens sockets, starts processes or runs against the clock belongs to `npm test`.
  ["unit tests", process.execPath, ["scripts/test.mjs", "--unit", "--test-reporter=dot"]],
];

for (const [name, command, args] of steps) {
  process.stderr.write(`check: ${name}\n`);
  const result = spawnSync(command, args, { stdio: "inherit" });
  if (result.status !== 0) {
    process.stderr.write(`check: ${name} failed\n`);
    process.exit(1);
  }
}
