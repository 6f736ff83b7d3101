/**
 * `header_key_format: proper_case_words`: names of fields on their way out as peers want them that tell cases apart,
 * though RFC 9110 §5.1 forbids it. `x-foo_bar` becomes `X-Foo_Bar`.
 *
 * What one would get wrong: the bytes are changed where they lie, so a head that may go out over HTTP/2 is copied first.
 */
import { colon, lineFeed } from "./ascii.ts";
import type { HeadWriter } from "./head-writer.ts";

/** Where the fields of the head begin that the writer holds: behind its first line. */
export function fieldsStart({ bytes, start, at: end }: HeadWriter): number {
  let at = start;
  while (at < end && bytes[at] !== lineFeed) at++;
  return at + 1;
}

/** Of the lines bytes[start, end), each `name: value` CRLF. */
export function properCaseLines(bytes: Uint8Array, start: number, end: number): void {
  eachName(bytes, start, end, (from, to) => properCaseName(bytes, from, to));
}

export function eachName(
  bytes: Uint8Array,
  start: number,
  end: number,
  visit: (nameStart: number, nameEnd: number) => void,
): void {
  let at = start;
  while (at < end) {
    const nameStart = at;
    while (at < end && bytes[at] !== colon && bytes[at] !== lineFeed) at++;
    if (bytes[at] === colon) visit(nameStart, at);
    while (at < end && bytes[at] !== lineFeed) at++;
    at++;
  }
}

export function properCaseName(bytes: Uint8Array, start: number, end: number): void {
  let isFirst = true;
  for (let at = start; at < end; at++) {
    const byte = bytes[at] as number;
    const isLower = byte >= 0x61 && byte <= 0x7a;
    if (isFirst && isLower) bytes[at] = byte - 0x20;
    isFirst = !isLower && !isUpperOrDigit(byte);
  }
}

function isUpperOrDigit(byte: number): boolean {
  return (byte >= 0x41 && byte <= 0x5a) || (byte >= 0x30 && byte <= 0x39);
}
