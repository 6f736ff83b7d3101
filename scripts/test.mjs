// `npm test [-- files…]`: every suite that CI runs. `npm run check` is the quick one.
import { spawnSync } from "node:child_process";
import { globSync } from "node:fs";

const wanted = process.argv.slice(2);
const files = wanted.length > 0 ? wanted : globSync("test/**/*.test.ts").sort();
// A test that hangs is a failure with a name, not a run without an end: far above what any test takes.
const hang = "--test-timeout=300000";
const args = ["--test", "--test-reporter=spec", "--test-concurrency=2", hang, ...files];
const result = spawnSync(process.execPath, args, { stdio: "inherit" });
process.exit(result.status ?? 1);
