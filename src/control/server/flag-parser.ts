/**
 * Reads a command line against the flag table, in the manner of Envoy's parser (TCLAP): no positional
 * arguments, every flag at most once unless it is a list, `--` ends the flags. `--flag=value` is taken too.
 */
import { type FlagSpec, flagTable } from "./flag-table.ts";

export type FlagValues = ReadonlyMap<string, readonly string[]>;

export type ParsedFlags =
  | { readonly ok: true; readonly values: FlagValues }
  | { readonly ok: false; readonly error: string };

export function parseFlags(args: readonly string[]): ParsedFlags {
  const values = new Map<string, string[]>();
  for (let i = 0; i < args.length; i++) {
    const argument = args[i] as string;
    if (argument === "--") break;
    const { spec, inline } = lookUp(argument);
    if (!spec) return failed(`${argument} -- Couldn't find match for argument`);
    const given = values.get(spec.name) ?? [];
    if (given.length > 0 && spec.kind !== "list")
      return failed(`${label(spec)} -- Argument already set!`);
    if (spec.kind === "switch" && inline !== undefined)
      return failed(`${label(spec)} -- takes no value`);
    const value = spec.kind === "switch" ? "true" : (inline ?? args[++i]);
    if (value === undefined) return failed(`${label(spec)} -- Missing a value for this argument!`);
    // Number() would take "", " 7 " and "1e3": a count is digits.
    if (spec.kind === "number" && (!/^\d{1,15}$/.test(value) || Number(value) > uint32Max))
      return failed(`${label(spec)} -- Couldn't read argument value from string '${value}'`);
    values.set(spec.name, [...given, value]);
  }
  return { ok: true, values };
}

const uint32Max = 2 ** 32 - 1;

function lookUp(argument: string): {
  readonly spec: FlagSpec | undefined;
  readonly inline: string | undefined;
} {
  if (argument.startsWith("--")) {
    const equals = argument.indexOf("=");
    const name = argument.slice(2, equals < 0 ? undefined : equals);
    const inline = equals < 0 ? undefined : argument.slice(equals + 1);
    return { spec: flagTable.find((flag) => flag.name === name), inline };
  }
  const short = /^-(?<short>[a-z])$/.exec(argument)?.groups?.["short"];
  return {
    spec: short === undefined ? undefined : flagTable.find((flag) => flag.short === short),
    inline: undefined,
  };
}

function failed(error: string): ParsedFlags {
  return { ok: false, error };
}

function label({ short, name }: FlagSpec): string {
  return short ? `-${short} (--${name})` : `(--${name})`;
}
