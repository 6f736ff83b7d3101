/** `sluice plan`: what a push of listeners would do, before it is made: between two files, or to a running proxy. */
import { parseArgs } from "node:util";
import { AdminConnection, adminAddressDefault } from "../cli/admin-connection.ts";
import { runSubcommand } from "../cli/run-subcommand.ts";
import type { PlanView } from "../control/listener/plan-view.ts";
import { planBetween } from "./plan-between.ts";
import { exitCodeOf, planLines } from "./plan-table.ts";
import { readWrittenListeners } from "./written-listeners.ts";

const usage = `usage: sluice plan OLD NEW [--partial] [--json]
       sluice plan FILE [--admin ADDRESS] [--partial] [--json]
  OLD NEW FILE     listeners in YAML or JSON: a list of them, a DiscoveryResponse, a bootstrap (its static ones), or a
                   folder as \`sluice xds-server\` serves one
  --admin ADDRESS  the proxy that FILE would be pushed to: host:port or the path of a socket (default ${adminAddressDefault})
  --partial        listeners that are not in NEW or FILE stay; else they are removed
  --json           the plan as JSON
exit code: 0 nothing drains, 2 something drains, 1 a file cannot be read or a listener would be refused
`;

/** Decoding ten thousand listeners takes the proxy seconds. */
const answerMsMax = 60_000;

await runSubcommand("plan", async () => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      admin: { type: "string", default: adminAddressDefault },
      partial: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(usage);
    return 0;
  }
  const [first, second] = positionals;
  if (first === undefined || positionals.length > 2)
    throw new Error(`want one file, or two; try 'sluice plan --help'`);
  const isComplete = !values.partial;
  const plan =
    second === undefined
      ? await planAgainst(values.admin, first, isComplete)
      : await planBetween(first, second, isComplete);
  const text = values.json ? JSON.stringify(plan, undefined, 1) : planLines(plan).join("\n");
  process.stdout.write(`${text}\n`);
  return exitCodeOf(plan);
});

function planAgainst(address: string, file: string, isComplete: boolean): Promise<PlanView> {
  const { listeners } = readWrittenListeners(file);
  return new AdminConnection(address).json<PlanView>(
    `/listeners/plan${isComplete ? "" : "?partial"}`,
    {
      method: "POST",
      body: JSON.stringify({ resources: listeners }),
      timeoutMs: answerMsMax,
    },
  );
}
