/**
 * The rules of protoc-gen-validate for one value, with the texts of its C++ plugin, which Envoy prints
 * (github.com/bufbuild/protoc-gen-validate). A check gives the reason against a value, or undefined.
 */
import { isFieldSet } from "@bufbuild/protobuf";
import type { DescMessage, Message } from "@bufbuild/protobuf";
import type { Duration } from "@bufbuild/protobuf/wkt";

export type Check = (value: unknown) => string | undefined;

/** The rules that were written down, by their proto names: absent and zero differ here. */
export type Rules = ReadonlyMap<string, unknown>;

export function rulesOf(desc: DescMessage, message: Message): Rules {
  const values = message as unknown as Readonly<Record<string, unknown>>;
  const set = desc.fields.filter((field) => isFieldSet(message, field));
  return new Map(
    set.map((field) => {
      const { oneof, localName } = field;
      const value = oneof
        ? (values[oneof.localName] as { value: unknown }).value
        : values[localName];
      return [field.name, value];
    }),
  );
}

/** The check for one kind of rules (`string`, `uint32`, `duration`, …); all of its conditions in order. */
export function checkOf(
  kind: string,
  rules: Rules,
  enumNumbers: ReadonlySet<number>,
): Check | undefined {
  const checks = checksOf(kind, rules, enumNumbers);
  if (checks.length === 0) return undefined;
  const check: Check = (value) => {
    for (const one of checks) {
      const reason = one(value);
      if (reason !== undefined) return reason;
    }
    return undefined;
  };
  if (rules.get("ignore_empty") !== true) return check;
  return (value) => (isEmpty(value) ? undefined : check(value));
}

const isEmpty = (value: unknown): boolean =>
  value === "" ||
  value === 0 ||
  value === 0n ||
  (value instanceof Uint8Array && value.length === 0);

function checksOf(kind: string, rules: Rules, enumNumbers: ReadonlySet<number>): Check[] {
  switch (kind) {
    case "string":
      return stringChecks(rules);
    case "bytes":
      return bytesChecks(rules);
    case "bool":
      return constCheck(rules, String);
    case "enum":
      return [...definedCheck(rules, enumNumbers), ...listChecks(rules)];
    case "duration":
    case "timestamp":
      return rangeCheck(rules, instantNanos, (limit) => goDuration(instantNanos(limit)));
    case "any":
      return [];
    default:
      return [
        ...constCheck(rules, String),
        ...rangeCheck(rules, (value) => value as number, String),
        ...listChecks(rules),
      ];
  }
}

const when = (isBad: (value: unknown) => boolean, reason: string): Check => {
  return (value) => (isBad(value) ? reason : undefined);
};

function constCheck(rules: Rules, show: (value: unknown) => string): Check[] {
  if (!rules.has("const")) return [];
  const wanted = rules.get("const");
  return [when((value) => value !== wanted, `value must equal ${show(wanted)}`)];
}

function definedCheck(rules: Rules, numbers: ReadonlySet<number>): Check[] {
  if (rules.get("defined_only") !== true) return [];
  const isUndefined = (value: unknown): boolean => !numbers.has(value as number);
  return [when(isUndefined, "value must be one of the defined enum values")];
}

/** `in` and `not_in`; the lists are printed as the plugin does, with a blank after each item. */
function listChecks(rules: Rules): Check[] {
  const print = (items: readonly unknown[]): string =>
    `[${items.map((item) => `${String(item)} `).join("")}]`;
  const checks: Check[] = [];
  const allowed = rules.get("in") as readonly unknown[] | undefined;
  if (allowed)
    checks.push(when((v) => !allowed.includes(v), `value must be in list ${print(allowed)}`));
  const forbidden = rules.get("not_in") as readonly unknown[] | undefined;
  if (forbidden)
    checks.push(
      when((v) => forbidden.includes(v), `value must not be in list ${print(forbidden)}`),
    );
  return checks;
}

/** `lt`, `lte`, `gt`, `gte`; a lower limit above the upper one means: outside of both. */
function rangeCheck<T>(
  rules: Rules,
  measure: (value: unknown) => T,
  show: (limit: unknown) => string,
): Check[] {
  const upper = rules.get("lt") ?? rules.get("lte");
  const lower = rules.get("gt") ?? rules.get("gte");
  const isUpperIn = rules.has("lte");
  const isLowerIn = rules.has("gte");
  const isBelow = (value: unknown): boolean =>
    isUpperIn ? measure(value) <= measure(upper) : measure(value) < measure(upper);
  const isAbove = (value: unknown): boolean =>
    isLowerIn ? measure(value) >= measure(lower) : measure(value) > measure(lower);
  const orEqual = (isIn: boolean): string => (isIn ? "or equal to " : "");
  if (upper !== undefined && lower !== undefined) {
    if (measure(lower) > measure(upper)) {
      const range = `${isUpperIn ? "(" : "["}${show(upper)}, ${show(lower)}${isLowerIn ? ")" : "]"}`;
      return [when((v) => !isBelow(v) && !isAbove(v), `value must be outside range ${range}`)];
    }
    const range = `${isLowerIn ? "[" : "("}${show(lower)}, ${show(upper)}${isUpperIn ? "]" : ")"}`;
    return [when((v) => !isBelow(v) || !isAbove(v), `value must be inside range ${range}`)];
  }
  if (upper !== undefined)
    return [
      when((v) => !isBelow(v), `value must be less than ${orEqual(isUpperIn)}${show(upper)}`),
    ];
  if (lower !== undefined)
    return [
      when((v) => !isAbove(v), `value must be greater than ${orEqual(isLowerIn)}${show(lower)}`),
    ];
  return [];
}

const codePoints = (value: unknown): number => Array.from(value as string).length;
const utf8Length = (value: unknown): number => Buffer.byteLength(value as string);

function stringChecks(rules: Rules): Check[] {
  const checks = constCheck(rules, (value) => String(value));
  const number = (name: string): number => Number(rules.get(name));
  const add = (name: string, isBad: (value: unknown) => boolean, reason: string): void => {
    if (rules.has(name)) checks.push(when(isBad, reason));
  };
  const [len, min, max] = [number("len"), number("min_len"), number("max_len")];
  const [minBytes, maxBytes] = [number("min_bytes"), number("max_bytes")];
  add("len", (v) => codePoints(v) !== len, `value length must be ${len} characters`);
  add("min_len", (v) => codePoints(v) < min, `value length must be at least ${min} characters`);
  add("max_len", (v) => codePoints(v) > max, `value length must be at most ${max} characters`);
  add(
    "min_bytes",
    (v) => utf8Length(v) < minBytes,
    `value length must be at least ${minBytes} bytes`,
  );
  add(
    "max_bytes",
    (v) => utf8Length(v) > maxBytes,
    `value length must be at most ${maxBytes} bytes`,
  );
  const { prefix, suffix, contains, notContains } = affixes(rules);
  add("prefix", (v) => !(v as string).startsWith(prefix), `value does not have prefix "${prefix}"`);
  add("suffix", (v) => !(v as string).endsWith(suffix), `value does not have suffix "${suffix}"`);
  add(
    "contains",
    (v) => !(v as string).includes(contains),
    `value does not contain substring "${contains}"`,
  );
  add(
    "not_contains",
    (v) => (v as string).includes(notContains),
    `value contains substring "${notContains}"`,
  );
  add("uri", (v) => !URL.canParse(v as string), "value must be a valid URI");
  return [...checks, ...patternChecks(rules), ...listChecks(rules)];
}

function affixes(rules: Rules): Record<"prefix" | "suffix" | "contains" | "notContains", string> {
  const text = (name: string): string => (rules.get(name) as string | undefined) ?? "";
  return {
    prefix: text("prefix"),
    suffix: text("suffix"),
    contains: text("contains"),
    notContains: text("not_contains"),
  };
}

/** HTTP_HEADER_NAME, HTTP_HEADER_VALUE: strict unless `strict: false`. */
const wellKnownPatterns: Readonly<Record<number, string>> = {
  1: "^:?[0-9a-zA-Z!#$%&'*+-.^_|~`]+$",
  2: "^[^\\x00-\\x08\\x0A-\\x1F\\x7F]*$",
};
const laxHeaderPattern = "^[^\\x00\\n\\r]*$";

function patternChecks(rules: Rules): Check[] {
  const patterns: string[] = [];
  const pattern = rules.get("pattern");
  if (typeof pattern === "string") patterns.push(pattern);
  const wellKnown = wellKnownPatterns[Number(rules.get("well_known_regex") ?? 0)];
  if (wellKnown) patterns.push(rules.get("strict") === false ? laxHeaderPattern : wellKnown);
  return patterns.map((source) => {
    // Written in Envoy's protos, not by whoever sends a configuration: RegExp is safe with them.
    const regex = new RegExp(source);
    const isBad = (value: unknown): boolean => !regex.test(value as string);
    return when(isBad, `value does not match regex pattern "${source}"`);
  });
}

function bytesChecks(rules: Rules): Check[] {
  const checks: Check[] = [];
  const size = (value: unknown): number => (value as Uint8Array).length;
  const add = (name: string, isBad: (n: number, limit: number) => boolean, words: string): void => {
    const limit = Number(rules.get(name));
    if (!rules.has(name)) return;
    const reason = `value length must be ${words}${limit} bytes`;
    checks.push(when((value) => isBad(size(value), limit), reason));
  };
  add("len", (n, limit) => n !== limit, "");
  add("min_len", (n, limit) => n < limit, "at least ");
  add("max_len", (n, limit) => n > limit, "at most ");
  return checks;
}

const instantNanos = (value: unknown): bigint => {
  const { seconds, nanos } = value as Duration;
  return seconds * 1_000_000_000n + BigInt(nanos);
};

/** As Go prints a duration, which is how the plugin wrote the limits: `1ms`, `5m0s`, `1h0m0s`. */
function goDuration(nanos: bigint): string {
  if (nanos === 0n) return "0s";
  if (nanos < 1_000n) return `${nanos}ns`;
  if (nanos < 1_000_000n) return `${Number(nanos) / 1e3}µs`;
  if (nanos < 1_000_000_000n) return `${Number(nanos) / 1e6}ms`;
  const hours = nanos / 3_600_000_000_000n;
  const minutes = (nanos / 60_000_000_000n) % 60n;
  const seconds = `${Number(nanos % 60_000_000_000n) / 1e9}s`;
  if (hours > 0n) return `${hours}h${minutes}m${seconds}`;
  return minutes > 0n ? `${minutes}m${seconds}` : seconds;
}
