/** What a NACK of ours says is missing, by the names that `not-built.ts` and docs/COMPATIBILITY.md use. */
import assert from "node:assert/strict";
import type { RecordedResponse } from "./recording.ts";

/** Each finds one reason; its group is the name. */
const reasons: readonly RegExp[] = [
  /Didn't find a registered implementation for '[^']*' with type URL: '([^']+)' \([^)]*\)/g,
  /envoy\.[\w.]+\.(\w+) is not supported: [\w ]+/g,
  /cluster '[^']*': (?:type|lb_policy) (\w+) is not supported/g,
];

/** Fails on a NACK that gives any other reason. */
export function lackingBy(error: string, { names }: RecordedResponse): ReadonlySet<string> {
  const found = new Set<string>();
  let rest = error.replace(/^Error adding\/updating \w+\(s\) /, "");
  for (const reason of reasons)
    rest = rest.replaceAll(reason, (_, name: string) => {
      found.add(name);
      return "";
    });
  // The longest first: one name may begin with another.
  const longestFirst = names.toSorted((a, b) => b.length - a.length);
  for (const name of longestFirst) rest = rest.replaceAll(`${name}: `, "");
  assert.match(rest, /^[\s,;]*$/, `a NACK has another reason: ${error}`);
  return found;
}
