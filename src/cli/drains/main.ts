/** `sluice drains`: the drains of a running proxy, once, live, or until they have ended. */
import { parseArgs } from "node:util";
import { AdminConnection, adminAddressDefault } from "../admin-connection.ts";
import { runSubcommand } from "../run-subcommand.ts";
import { drainStream } from "./drain-stream.ts";
import { type DrainsJson, drainTable } from "./drains-view.ts";
import { followDrains } from "./follow.ts";

const usage = `usage: sluice drains [--admin ADDRESS] [--watch | --wait] [--json]
  --admin ADDRESS  the proxy's admin: host:port or the path of a socket (default ${adminAddressDefault})
  --watch          go on showing them: the default at a terminal
  --wait           until all that are under way now have ended; exit code 0, or 2 if connections outlived one
  --json           print them once as JSON
`;

/** Of `--wait`. */
const exitCodes = { done: 0, survivors: 2, gone: 1 } as const;

await runSubcommand("drains", async () => {
  const { values } = parseArgs({
    options: {
      admin: { type: "string", default: adminAddressDefault },
      watch: { type: "boolean", default: false },
      wait: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(usage);
    return 0;
  }
  const admin = new AdminConnection(values.admin);
  const isLive = values.wait || values.watch || (process.stdout.isTTY && !values.json);
  return isLive ? await follow(admin, values.wait) : await printOnce(admin, values.json);
});

async function printOnce(admin: AdminConnection, isJson: boolean): Promise<number> {
  const view = await admin.json<DrainsJson>("/drains");
  const text = isJson
    ? JSON.stringify(view, undefined, 1)
    : drainTable(view.drains, Date.now()).join("\n");
  process.stdout.write(`${text}\n`);
  return 0;
}

async function follow(admin: AdminConnection, untilDone: boolean): Promise<number> {
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stop.abort());
  const outcome = await followDrains({
    events: drainStream(admin, stop.signal),
    output: process.stdout,
    untilDone,
    now: () => Date.now(),
  });
  // Whoever only watches sees the end of the proxy as the end, and so does who stops by a signal.
  if (!untilDone) return 0;
  if (outcome === "gone") process.stderr.write("sluice drains: the proxy has gone\n");
  return exitCodes[outcome];
}
