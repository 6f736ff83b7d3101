/** `sluice status`: what is true of every resource of a running proxy. */
import { parseArgs } from "node:util";
import { AdminConnection, adminAddressDefault } from "../admin-connection.ts";
import { runSubcommand } from "../run-subcommand.ts";
import { type StatusJson, statusLines } from "./status-table.ts";

const usage = `usage: sluice status [--admin ADDRESS] [--name REGEX] [--json]
  --admin ADDRESS  the proxy's admin: host:port or the path of a socket (default ${adminAddressDefault})
  --name REGEX     only resources whose name matches (RE2)
  --json           the same as JSON
`;

await runSubcommand("status", async () => {
  const { values } = parseArgs({
    options: {
      admin: { type: "string", default: adminAddressDefault },
      name: { type: "string" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  process.stdout.write(values.help ? usage : await report(values));
  return 0;
});

async function report(values: {
  readonly admin: string;
  readonly name?: string | undefined;
  readonly json: boolean;
}): Promise<string> {
  const admin = new AdminConnection(values.admin);
  const query = values.name === undefined ? "" : `?name_regex=${encodeURIComponent(values.name)}`;
  const status = await admin.json<StatusJson>(`/status${query}`);
  if (values.json) return `${JSON.stringify(status, undefined, 1)}\n`;
  return `${statusLines(status, Date.now()).join("\n")}\n`;
}
