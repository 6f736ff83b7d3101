// `npm test [-- files…]`: every suite that CI runs. `npm run check` is the quick one.
import { spawnSync } from "node:child_process";
import { globSync } from "node:fs";

const wanted = process.argv.slice(2);
const files = wanted.length > 0 ? wanted : globSync("test/**/*.test.ts").sort();
const args = ["--test", "--test-reporter=spec", "--test-concurrency=2", ...files];
const result = spawnSync(process.execPath, args, { stdio: "inherit" });
process.exit(result.status ?? 1);
