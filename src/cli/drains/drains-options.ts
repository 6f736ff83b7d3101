/** The command line of `sluice drains`, read. Pure; what is wrong is thrown as a sentence that says what would be right. */
import { parseArgs } from "node:util";
import { messageOf } from "../../shared/common/errors.ts";
import { adminAddressDefault } from "../admin-connection.ts";

export const usage = `usage: sluice drains [ID] [--watch | --wait] [--json] [--admin ADDRESS]
       sluice drains start [--listener NAME [--filter-chain NAME] [--percent P]] [--time S] [--strategy S] [--wait]
       sluice drains cancel ID
       sluice drains extend ID --time S
       sluice drains end ID

  without an ID     every drain under way and the last hundred that ended
  ID                one drain, with the connections that remain in it
  --watch           go on showing it: bars at a terminal, elsewhere a line for each beginning and end
  --wait            until what is under way now has ended; exit code 0, 2 if connections were still there
                    at the end and were cut or live on, 1 if the proxy went away first
  --json            as JSON; with --watch or --wait one line for each change

  start             drain connections now: of one listener, which goes on serving, or of the whole server
    --listener NAME     of this listener; without it of all, and they stop accepting
    --filter-chain NAME of this filter chain alone
    --percent P         so much of the connections that there are now
    --graceful          of all: stop accepting at the end only
    --keep-accepting    of all: never stop accepting
    --inbound-only      of all: only listeners whose traffic_direction is INBOUND
    --time S            for so many seconds at most (default: the listener's own, or --drain-time-s)
    --strategy S        gradual or immediate (default: the listener's own, or --drain-strategy)
  cancel ID         take it back; who was told already closes after the next response all the same
  extend ID         move the deadline by --time seconds
  end ID            now: what remains is cut

  --admin ADDRESS   the proxy's admin: host:port or the path of a socket (default ${adminAddressDefault})
`;

export type DrainsCommand =
  | { readonly kind: "help" }
  /** Undefined: every drain. */
  | { readonly kind: "show"; readonly id: number | undefined }
  | { readonly kind: "follow"; readonly id: number | undefined; readonly untilDone: boolean }
  /** `path`: what to POST. `waits`: until the drain that it begins has ended. */
  | { readonly kind: "order"; readonly path: string; readonly waits: boolean };

export interface DrainsOptions {
  readonly command: DrainsCommand;
  readonly admin: string;
  readonly json: boolean;
}

const ofStart = [
  "listener",
  "filter-chain",
  "percent",
  "graceful",
  "keep-accepting",
  "inbound-only",
  "strategy",
] as const;

export function parseDrainsOptions(args: readonly string[]): DrainsOptions {
  const { values, positionals } = parse(args);
  const { admin, json } = values;
  if (values.help) return { command: { kind: "help" }, admin, json };
  const [first, ...rest] = positionals;
  if (first !== "start") {
    const stray = ofStart.find((flag) => values[flag] !== undefined);
    if (stray !== undefined) throw new Error(`--${stray} goes with start${seeHelp}`);
    if (values.time !== undefined && first !== "extend")
      throw new Error(`--time goes with start and extend${seeHelp}`);
  }
  return { command: commandOf(first, rest, values), admin, json };
}

const seeHelp = "; see sluice drains --help";

type Values = ReturnType<typeof parse>["values"];

function parse(args: readonly string[]) {
  try {
    return parseFlags(args);
  } catch (thrown) {
    // Node's advice about arguments that begin with a dash is more than one sentence.
    const [sentence = ""] = messageOf(thrown).split(/\.?(?:\s*\n|\. )/);
    throw new Error(sentence + seeHelp, { cause: thrown });
  }
}

function parseFlags(args: readonly string[]) {
  return parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      admin: { type: "string", default: adminAddressDefault },
      watch: { type: "boolean", default: false },
      wait: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      listener: { type: "string" },
      "filter-chain": { type: "string" },
      percent: { type: "string" },
      graceful: { type: "boolean" },
      "keep-accepting": { type: "boolean" },
      "inbound-only": { type: "boolean" },
      time: { type: "string" },
      strategy: { type: "string" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
}

function commandOf(
  first: string | undefined,
  rest: readonly string[],
  values: Values,
): DrainsCommand {
  if (first === undefined) return lookAt(undefined, values);
  switch (first) {
    case "start":
      if (rest.length > 0)
        throw new Error(`start takes no '${rest.join(" ")}': name a listener with --listener`);
      if (values.watch) throw new Error(`--watch does not go with start: use --wait${seeHelp}`);
      return { kind: "order", path: startPath(values), waits: values.wait };
    case "cancel":
    case "end":
    case "extend":
      if (values.watch || values.wait)
        throw new Error(`--watch and --wait do not go with ${first}${seeHelp}`);
      return { kind: "order", path: orderPath(first, rest, values), waits: false };
    default:
      if (rest.length > 0) throw new Error(`one drain at a time: '${rest.join(" ")}' is too much`);
      return lookAt(idOf(first), values);
  }
}

function lookAt(id: number | undefined, { watch, wait }: Values): DrainsCommand {
  if (watch && wait) throw new Error("--watch never ends, --wait does: choose one");
  return watch || wait ? { kind: "follow", id, untilDone: wait } : { kind: "show", id };
}

function orderPath(
  order: "cancel" | "extend" | "end",
  [text, ...more]: readonly string[],
  { time }: Values,
): string {
  if (text === undefined || more.length > 0)
    throw new Error(`${order} wants the id of one drain: sluice drains lists them`);
  const path = `/drains/${idOf(text)}/${order}`;
  if (order !== "extend") return path;
  if (time === undefined) throw new Error("extend wants --time: by how many seconds");
  return `${path}?time=${secondsOf(time)}`;
}

function startPath(values: Values): string {
  const { listener, percent, time, strategy } = values;
  const chain = values["filter-chain"];
  if (listener === undefined && (chain !== undefined || percent !== undefined))
    throw new Error("--filter-chain and --percent are of one listener: name it with --listener");
  const ofServer = (["graceful", "keep-accepting", "inbound-only"] as const).find(
    (flag) => values[flag],
  );
  if (listener !== undefined && ofServer !== undefined)
    throw new Error(`--${ofServer} is of the whole server and does not go with --listener`);
  if (strategy !== undefined && strategy !== "gradual" && strategy !== "immediate")
    throw new Error(`'${strategy}' is no strategy: gradual or immediate`);
  const query = new URLSearchParams();
  if (listener !== undefined) query.set("name", listener);
  if (chain !== undefined) query.set("filter_chain", chain);
  if (percent !== undefined) query.set("percent", percentOf(percent));
  if (values.graceful) query.set("graceful", "");
  if (values["keep-accepting"]) query.set("skip_exit", "");
  if (values["inbound-only"]) query.set("inboundonly", "");
  if (time !== undefined) query.set("time", secondsOf(time));
  if (strategy !== undefined) query.set("strategy", strategy);
  const text = query.toString();
  return text === "" ? "/drain_listeners" : `/drain_listeners?${text}`;
}

function idOf(text: string): number {
  if (!/^\d{1,15}$/.test(text))
    throw new Error(`'${text}' is no id of a drain and no order${seeHelp}`);
  return Number(text);
}

/** Bounds are the proxy's to say; here only what is no number. */
function secondsOf(text: string): string {
  const seconds = /^(\d+(?:\.\d+)?)s?$/.exec(text)?.[1];
  if (seconds === undefined) throw new Error(`'${text}' is no number of seconds`);
  return seconds;
}

function percentOf(text: string): string {
  const percent = /^(\d+(?:\.\d+)?)%?$/.exec(text)?.[1];
  if (percent === undefined) throw new Error(`'${text}' is no percentage`);
  return percent;
}
