import { cpus, loadavg, release } from "node:os";
import { type Options, parseOptions, type SuiteName, usage } from "./options.ts";
import { reportText } from "./report.ts";
import { runSuite } from "./runner.ts";
import { http1Suite } from "./suites/http1.ts";
import type { Suite } from "./suites/suite.ts";
import { tcpSuite } from "./suites/tcp.ts";

/** `npm run bench -- http1` and `-- tcp`; how and why is in bench/README.md. */
const suites: Readonly<Record<SuiteName, (wanted: (name: string) => boolean) => Suite>> = {
  http1: http1Suite,
  tcp: tcpSuite,
};

async function main(): Promise<void> {
  const options = parseOptions(process.argv.slice(2));
  const suite = limited(options);
  const say = (line: string): void => void process.stderr.write(`bench: ${line}\n`);
  const machine = { cpu: cpus()[0]?.model ?? "", kernel: release(), loadBefore: loadavg()[0] };
  const report = await runSuite(suite, options, say);
  const run = { ...options, ...machine, loadAfter: loadavg()[0], date: new Date().toISOString() };
  if (options.isJson) console.log(JSON.stringify({ run, ...report }, undefined, 2));
  else console.log(`${JSON.stringify(run)}\n\n${reportText(report)}`);
}

/** `--only` names proxies, cases or both; a kind that it names nothing of is not limited. */
function limited({ suite, only }: Options): Suite {
  const everything = suites[suite](() => true);
  const proxies = everything.contenders.map((contender) => contender.name);
  const cases = everything.cases.map((each) => each.name);
  const unknown = only.filter((name) => !proxies.includes(name) && !cases.includes(name));
  if (unknown.length > 0) {
    throw new Error(`--only: no ${unknown.join(", ")} among ${[...proxies, ...cases].join(", ")}`);
  }
  const among = (names: readonly string[]): ((name: string) => boolean) =>
    names.some((name) => only.includes(name)) ? (name) => only.includes(name) : () => true;
  return {
    ...suites[suite](among(proxies)),
    cases: everything.cases.filter((each) => among(cases)(each.name)),
  };
}

try {
  await main();
} catch (error) {
  console.error(`bench: ${error instanceof Error ? error.message : String(error)}\n\n${usage}`);
  process.exitCode = 1;
}
