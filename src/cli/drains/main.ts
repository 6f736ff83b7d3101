/** `sluice drains`: the drains of a running proxy, seen and steered. */
import { AdminConnection } from "../admin-connection.ts";
import { paletteFor } from "../palette.ts";
import { runSubcommand } from "../run-subcommand.ts";
import { detailLines } from "./drain-detail.ts";
import { type DrainDetailJson, type DrainsJson, hasSurvivors, isUnderWay } from "./drain-json.ts";
import { giveOrder, refusalText } from "./drain-orders.ts";
import { drainStream } from "./drain-stream.ts";
import { drainLine, drainTable } from "./drains-view.ts";
import { parseDrainsOptions, usage } from "./drains-options.ts";
import { followDrains } from "./follow.ts";

/** Of `--wait`. */
const exitCodes = { done: 0, survivors: 2, gone: 1 } as const;

await runSubcommand("drains", async () => {
  const { command, admin: address, json } = parseDrainsOptions(process.argv.slice(2));
  if (command.kind === "help") {
    process.stdout.write(usage);
    return 0;
  }
  const proxy: Proxy = { admin: new AdminConnection(address), json };
  switch (command.kind) {
    case "show":
      return command.id === undefined ? await showAll(proxy) : await showOne(proxy, command.id);
    case "follow":
      return await follow(proxy, command.id, command.untilDone);
    case "order":
      return await order(proxy, command.path, command.waits);
    default:
      return command satisfies never;
  }
});

interface Proxy {
  readonly admin: AdminConnection;
  readonly json: boolean;
}

async function showAll({ admin, json }: Proxy): Promise<number> {
  const view = await admin.json<DrainsJson>("/drains");
  print(json ? JSON.stringify(view, undefined, 1) : drainTable(view.drains, Date.now()).join("\n"));
  return 0;
}

async function showOne({ admin, json }: Proxy, id: number): Promise<number> {
  const drain = await oneDrain(admin, id);
  print(json ? JSON.stringify(drain, undefined, 1) : detailLines(drain, Date.now()).join("\n"));
  return 0;
}

async function oneDrain(admin: AdminConnection, id: number): Promise<DrainDetailJson> {
  const path = `/drains/${id}`;
  const { status, body } = await admin.text(path);
  if (status !== 200) throw new Error(refusalText(status, body));
  return admin.parsed<DrainDetailJson>(path, body);
}

async function follow(
  { admin, json }: Proxy,
  id: number | undefined,
  untilDone: boolean,
): Promise<number> {
  if (id !== undefined) {
    const drain = await oneDrain(admin, id);
    if (!isUnderWay(drain)) {
      print(json ? JSON.stringify({ drains: [drain] }) : drainLine(drain));
      return untilDone && hasSurvivors(drain) ? exitCodes.survivors : exitCodes.done;
    }
  }
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stop.abort());
  const outcome = await followDrains({
    events: drainStream(admin, stop.signal),
    output: process.stdout,
    palette: paletteFor(process.stdout, process.env),
    json,
    id,
    untilDone,
    now: () => Date.now(),
  });
  // Whoever only watches sees the end of the proxy as the end, and so does who stops by a signal.
  if (!untilDone) return 0;
  if (outcome === "gone") process.stderr.write("sluice drains: the proxy has gone\n");
  return exitCodes[outcome];
}

async function order(proxy: Proxy, path: string, waits: boolean): Promise<number> {
  const drain = await giveOrder(proxy.admin, path);
  if (waits) return await follow(proxy, drain.id, true);
  print(proxy.json ? JSON.stringify(drain, undefined, 1) : drainLine(drain));
  if (drain.note !== undefined) process.stderr.write(`sluice drains: ${drain.note}\n`);
  return 0;
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
