/** Whether all parts are in the bytes, one after another, with anything in between (Envoy: `PayloadMatcher`). */
import type { ExpectedBytes } from "../../config/health-check-config.ts";

export function containsInOrder(bytes: Buffer, expected: ExpectedBytes): boolean {
  let from = 0;
  for (const part of expected) {
    const at = bytes.indexOf(part, from);
    if (at < 0) return false;
    from = at + part.length;
  }
  return true;
}
