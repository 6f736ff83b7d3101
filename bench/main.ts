import { cpus, loadavg, release } from "node:os";
import { type Options, parseOptions, type SuiteName, usage } from "./options.ts";
import { reportText } from "./report.ts";
import { type Report, runSuite } from "./runner.ts";
import { runDrain } from "./suites/drain.ts";
import { runPush } from "./suites/push.ts";
import { runRestart } from "./suites/restart.ts";
import { filtersSuite } from "./suites/filters.ts";
import { http1Suite } from "./suites/http1.ts";
import { grpcSuite } from "./suites/grpc.ts";
import { http2Suite, http2UpstreamSuite } from "./suites/http2.ts";
import type { Suite } from "./suites/suite.ts";
import { tcpSuite } from "./suites/tcp.ts";
import { sniSuite, tlsSuite } from "./suites/tls.ts";
import { webSocketSuite } from "./suites/web-socket.ts";

/** A change of what a proxy serves is no load: those suites have runs of their own. */
const ownRuns = { push: runPush, drain: runDrain, restart: runRestart };

/** `npm run bench -- http1` and `-- tcp`; how and why is in bench/README.md. */
const suites: Readonly<Record<Exclude<SuiteName, keyof typeof ownRuns>, Suite>> = {
  http1: http1Suite,
  filters: filtersSuite,
  http2: http2Suite,
  "http2-upstream": http2UpstreamSuite,
  grpc: grpcSuite,
  ws: webSocketSuite,
  tcp: tcpSuite,
  tls: tlsSuite,
  sni: sniSuite,
};

async function main(): Promise<void> {
  const { run: measure, options } = asked(process.argv.slice(2));
  const say = (line: string): void => void process.stderr.write(`bench: ${line}\n`);
  const machine = { cpu: cpus()[0]?.model ?? "", kernel: release(), loadBefore: loadavg()[0] };
  const report = await measure(say);
  const run = { ...options, ...machine, loadAfter: loadavg()[0], date: new Date().toISOString() };
  if (options.isJson) console.log(JSON.stringify({ run, ...report }, undefined, 2));
  else console.log(`${JSON.stringify(run)}\n\n${reportText(report)}`);
}

interface Asked {
  readonly options: Options;
  readonly run: (say: (line: string) => void) => Promise<Report>;
}

function asked(args: readonly string[]): Asked {
  try {
    const options = parseOptions(args);
    const { suite: name, only } = options;
    if (name === "push" || name === "drain" || name === "restart")
      return { options, run: (say) => ownRuns[name](options, say) };
    const suite = limited(suites[name], only);
    return { options, run: (say) => runSuite(suite, options, say) };
  } catch (error) {
    throw new Error(`${messageOf(error)}\n\n${usage}`, { cause: error });
  }
}

/** `--only` names proxies, cases or both; a kind that it names nothing of is not limited. */
function limited(suite: Suite, only: readonly string[]): Suite {
  const { contenders, cases } = suite;
  const known = [...Object.keys(contenders), ...cases.map((each) => each.name)];
  const unknown = only.filter((name) => !known.includes(name));
  if (unknown.length > 0) {
    throw new Error(`--only: no ${unknown.join(", ")} among ${known.join(", ")}`);
  }
  const chosen = <T>(all: readonly T[], nameOf: (one: T) => string): T[] => {
    const named = all.filter((one) => only.includes(nameOf(one)));
    return named.length > 0 ? named : [...all];
  };
  return {
    ...suite,
    contenders: Object.fromEntries(chosen(Object.entries(contenders), ([name]) => name)),
    cases: chosen(cases, (each) => each.name),
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

try {
  await main();
} catch (error) {
  console.error(`bench: ${messageOf(error)}`);
  process.exitCode = 1;
}
