import { parseArgs } from "node:util";

/** What a run of the benchmark is asked to do: `npm run bench -- <suite> [flags]`. */
export const suiteNames = [
  "http1",
  "filters",
  "http2",
  "http2-upstream",
  "grpc",
  "ws",
  "tcp",
  "tls",
  "sni",
  "push",
  "drain",
  "restart",
] as const;
export type SuiteName = (typeof suiteNames)[number];

export interface Options {
  readonly suite: SuiteName;
  readonly rounds: number;
  /** Length of one measurement. */
  readonly seconds: number;
  /** Names of proxies or cases to which the run is limited; empty means all. */
  readonly only: readonly string[];
  readonly isJson: boolean;
  /** As little as shows that all works. */
  readonly isQuick: boolean;
}

export const usage = `npm run bench -- <${suiteNames.join("|")}> [flags]
  --rounds N      rounds over all proxies (5)
  --seconds S     length of one measurement (2)
  --only A,B      only these proxies and cases, by name
  --quick         one round of half a second: shows that all works, measures little
  --json          JSON on standard output in place of the table`;

/** Throws with a message for a person where the arguments make no sense. */
export function parseOptions(args: readonly string[]): Options {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      rounds: { type: "string" },
      seconds: { type: "string" },
      only: { type: "string", multiple: true },
      quick: { type: "boolean" },
      json: { type: "boolean" },
    },
  });
  const suite = suiteNames.find((name) => name === positionals[0]);
  if (suite === undefined || positionals.length !== 1) {
    throw new Error(`name one suite: ${suiteNames.join(" or ")}`);
  }
  const quick = values.quick === true;
  return {
    suite,
    rounds: positive("--rounds", values.rounds ?? (quick ? "1" : "5")),
    seconds: positive("--seconds", values.seconds ?? (quick ? "0.5" : "2")),
    only: (values.only ?? []).flatMap((names) => names.split(",")),
    isJson: values.json === true,
    isQuick: quick,
  };
}

function positive(flag: string, text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new Error(`${flag} wants a number above 0, not "${text}"`);
  return value;
}
