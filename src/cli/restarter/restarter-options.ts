/** The command line of `sluice restarter`, read. Pure; what is wrong is thrown as a sentence that says what would be right. */
import { parseArgs } from "node:util";
import { messageOf } from "../../shared/common/errors.ts";

export const usage = `usage: sluice restarter [FLAGS] -- COMMAND [ARGS]

  Runs COMMAND and starts it anew, beside the one that runs, on SIGHUP. In ARGS {epoch} is the number of the start, which
  is in the environment as RESTART_EPOCH too ({{epoch}} is {epoch} itself). envoy and sluice are told theirs without it.

  SIGHUP            the next epoch: tries the configuration first, and keeps who serves if anything goes wrong
  SIGTERM, SIGINT   ends all; a second SIGINT at once
  SIGUSR1           for all: access logs are reopened
  SIGUSR2           for the one that serves

  --validate-command C  a shell command that fails where the configuration is bad
                        (default for envoy and sluice: COMMAND ARGS --mode validate)
  --no-validate         start the next epoch untried
  --validate-timeout-s S  a configuration that takes longer is refused (default 60)
  --admin ADDRESS       a start has succeeded when this admin says that its epoch is LIVE: host:port or the path of a
                        socket (default for envoy and sluice: what --admin-address-path of ARGS holds)
  --start-timeout-s S   ends a start that takes longer, and keeps who serves (default 300; with an admin only)
  --settle-s S          without an admin: a start has succeeded when it has lived so long (default 1)
  --retire-after-s S    ends the one before with SIGTERM, so long after the next serves (default: it ends by itself, as
                        envoy and sluice do)
  --on-crash C          when the one that serves dies: restart (default; after a delay that grows), or exit
  --crashes-max N       so many failures in a row are too many (default 10)
  --generations-max N   processes at once, draining ones included; a SIGHUP beyond waits (default 3)
  --term-timeout-s S    at the end, SIGKILL after so long (default 30)
`;

export interface RestarterOptions {
  readonly command: readonly string[];
  readonly validateCommand: string | undefined;
  readonly validates: boolean;
  readonly validateTimeoutMs: number;
  readonly admin: string | undefined;
  readonly startTimeoutMs: number;
  readonly settleMs: number;
  /** Undefined: who is replaced ends by itself. */
  readonly retireAfterMs: number | undefined;
  readonly onCrash: "restart" | "exit";
  readonly crashesMax: number;
  readonly generationsMax: number;
  readonly termTimeoutMs: number;
}

const seeHelp = "; see sluice restarter --help";
const secondsMax = 7 * 86_400;

/** Undefined: help is asked for. */
export function parseRestarterOptions(args: readonly string[]): RestarterOptions | undefined {
  const end = args.indexOf("--");
  const own = end < 0 ? args : args.slice(0, end);
  const command = end < 0 ? [] : args.slice(end + 1);
  const { values, positionals } = parse(own);
  if (values.help) return undefined;
  if (positionals.length > 0)
    throw new Error(
      `'${positionals.join(" ")}' comes before --: the command comes after it${seeHelp}`,
    );
  if (command.length === 0)
    throw new Error(`no command: sluice restarter -- COMMAND ARGS${seeHelp}`);
  const validateCommand = values["validate-command"];
  if (validateCommand !== undefined && values["no-validate"])
    throw new Error("--validate-command and --no-validate: choose one");
  const retireAfter = values["retire-after-s"];
  return {
    command,
    validateCommand,
    validates: !values["no-validate"],
    validateTimeoutMs: milliseconds("validate-timeout-s", values["validate-timeout-s"]),
    admin: values.admin,
    startTimeoutMs: milliseconds("start-timeout-s", values["start-timeout-s"]),
    settleMs: milliseconds("settle-s", values["settle-s"]),
    retireAfterMs:
      retireAfter === undefined ? undefined : milliseconds("retire-after-s", retireAfter),
    onCrash: crashPolicy(values["on-crash"]),
    crashesMax: whole("crashes-max", values["crashes-max"], 0),
    // Two, or nobody could ever take over.
    generationsMax: whole("generations-max", values["generations-max"], 2),
    termTimeoutMs: milliseconds("term-timeout-s", values["term-timeout-s"]),
  };
}

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
      "validate-command": { type: "string" },
      "no-validate": { type: "boolean", default: false },
      "validate-timeout-s": { type: "string", default: "60" },
      admin: { type: "string" },
      "start-timeout-s": { type: "string", default: "300" },
      "settle-s": { type: "string", default: "1" },
      "retire-after-s": { type: "string" },
      "on-crash": { type: "string", default: "restart" },
      "crashes-max": { type: "string", default: "10" },
      "generations-max": { type: "string", default: "3" },
      "term-timeout-s": { type: "string", default: "30" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
}

function milliseconds(flag: string, text: string): number {
  const seconds = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (!(seconds <= secondsMax))
    throw new Error(`--${flag} '${text}': want seconds, 0 to ${secondsMax}`);
  return seconds * 1000;
}

function whole(flag: string, text: string, min: number): number {
  const number = /^\d{1,3}$/.test(text) ? Number(text) : Number.NaN;
  if (!(number >= min)) throw new Error(`--${flag} '${text}': want a number, ${min} to 999`);
  return number;
}

function crashPolicy(text: string): "restart" | "exit" {
  if (text === "restart" || text === "exit") return text;
  throw new Error(`--on-crash '${text}': want restart or exit`);
}
