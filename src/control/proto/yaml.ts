/**
 * Text of a configuration as a JSON value. JSON is tried first: it is valid YAML too, and parses ten
 * times faster. YAML is read by its JSON schema, so `yes` and `0x10` stay strings as in Envoy.
 */
import { JSON_SCHEMA, load } from "js-yaml";
import { messageOf } from "../../shared/common/errors.ts";
import type { ReadResult } from "./binary.ts";

export type JsonValue =
  | string
  | number
  | boolean
  | null
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue };

export type JsonObject = { readonly [key: string]: JsonValue };

/** Deeper than protobuf's own limit of messages, far below what the stack bears. */
const depthMax = 200;
/** Aliases repeat what they name: a few lines can stand for billions of values. */
const valuesMax = 5_000_000;

export function readYaml(text: string): ReadResult<JsonValue> {
  try {
    const value = parse(text);
    const excess = excessOf(value);
    if (excess !== undefined) return failed(excess);
    return { ok: true, value };
  } catch (thrown) {
    return failed(messageOf(thrown));
  }
}

const failed = (reason: string): ReadResult<JsonValue> => ({
  ok: false,
  errors: [`Unable to convert YAML as JSON: ${reason}`],
});

function parse(text: string): JsonValue {
  const start = /^\s*[{[]/.test(text);
  if (start) {
    try {
      return JSON.parse(text) as JsonValue;
    } catch {
      // Flow-style YAML begins alike; if it is neither, YAML's parser says where.
    }
  }
  return load(text, { schema: JSON_SCHEMA, maxDepth: depthMax }) as JsonValue;
}

/** Counts each value as often as aliases repeat it, and looks no further than a limit. */
function excessOf(root: JsonValue): string | undefined {
  let count = 0;
  let level: readonly JsonValue[] = [root];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > depthMax) return `nested deeper than ${depthMax}`;
    const next: JsonValue[] = [];
    for (const value of level) {
      if (typeof value !== "object" || value === null) continue;
      for (const inner of Object.values(value)) next.push(inner);
      if (count + next.length > valuesMax) return `more than ${valuesMax} values, aliases expanded`;
    }
    count += next.length;
    level = next;
  }
  return undefined;
}
