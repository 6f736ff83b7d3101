/**
 * The field lines of a head: one pass over the bytes that checks every one of them, lower-cases names
 * in place (Envoy forwards them so) and notes offsets in the table.
 *
 * Strict on purpose: whatever two parsers could read differently is refused, since that is how requests
 * are smuggled (RFC 9112 §5, §11.2): bare CR or LF, obs-fold, blanks before the colon, NUL.
 */
import {
  carriageReturn,
  colon,
  isValueByte,
  lineFeed,
  space,
  tab,
  tokenLower,
  trimmedEnd,
} from "./ascii.ts";
import { headers, headersMax } from "./header-table.ts";
import { hashSeed, knownHeaderId } from "./known-headers.ts";

/** Results of the parsers that are no position. */
export const incomplete = -1;
export const malformed = -2;
/** More fields than `countMax`. */
export const tooMany = -3;

/**
 * Parses bytes[start, end) up to and with the blank line. Returns the position after it, or
 * `incomplete`, `malformed`, `tooMany`. Reads nothing outside the range.
 */
export function parseHeaders(
  bytes: Uint8Array,
  start: number,
  end: number,
  countMax: number,
): number {
  // Taken out of the loop by hand: V8 loads each array anew after every store otherwise.
  const { nameStart, nameEnd, valueStart, valueEnd, lineEnd, id, isDropped } = headers;
  const most = countMax < headersMax ? countMax : headersMax;
  let at = start;
  let count = 0;
  for (;;) {
    if (at >= end) return incomplete;
    let byte = bytes[at] as number;
    if (byte === carriageReturn) return endOfHead(bytes, at, end, count);
    if (count === most) return tooMany;
    const nameAt = at;
    let hash = 0;
    for (;;) {
      const letter = tokenLower[byte] as number;
      if (letter === 0) break;
      if (letter !== byte) bytes[at] = letter;
      hash = (Math.imul(hash, hashSeed) + letter) | 0;
      if (++at >= end) return incomplete;
      byte = bytes[at] as number;
    }
    if (byte !== colon || at === nameAt) return malformed;
    const colonAt = at++;
    while (at < end && (bytes[at] === space || bytes[at] === tab)) at++;
    const valueAt = at;
    while (at < end && isValueByte[bytes[at] as number] === 1) at++;
    const returnAt = at;
    if (at >= end) return incomplete;
    if (bytes[at] !== carriageReturn) return malformed;
    if (at + 1 >= end) return incomplete;
    if (bytes[at + 1] !== lineFeed) return malformed;
    at += 2;
    nameStart[count] = nameAt;
    nameEnd[count] = colonAt;
    valueStart[count] = valueAt;
    valueEnd[count] = trimmedEnd(bytes, valueAt, returnAt);
    lineEnd[count] = at;
    id[count] = knownHeaderId(bytes, nameAt, colonAt, hash);
    isDropped[count] = 0;
    count++;
  }
}

function endOfHead(bytes: Uint8Array, at: number, end: number, count: number): number {
  if (at + 1 >= end) return incomplete;
  if (bytes[at + 1] !== lineFeed) return malformed;
  headers.count = count;
  return at + 2;
}
