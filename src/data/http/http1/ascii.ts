/**
 * Tables and comparisons over bytes of the arena. Text is never made from what can be compared in
 * place; strings exist only where the router needs them.
 *
 * All of these take the bytes as an argument: the arena belongs to a worker, the tables to everyone.
 */

/** RFC 9110 §5.6.2 `tchar`, mapped to lower case; 0 for every other byte. */
export const tokenLower = new Uint8Array(256);
/** ASCII lower case of any byte. */
export const lower = new Uint8Array(256);
/** 1 for what a field value may hold: HTAB, SP, VCHAR, obs-text (RFC 9110 §5.5). */
export const isValueByte = new Uint8Array(256);
/** 1 for what a request target may hold: visible ASCII but `#`, for a fragment is never sent. */
export const isTargetByte = new Uint8Array(256);
/** Value of a hexadecimal digit, else -1. */
export const hexValue = new Int8Array(256).fill(-1);

const tokenCharacters =
  "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

for (let byte = 0; byte < 256; byte++) {
  lower[byte] = byte >= 0x41 && byte <= 0x5a ? byte + 32 : byte;
  isValueByte[byte] = (byte >= 0x20 && byte !== 0x7f) || byte === 0x09 ? 1 : 0;
  isTargetByte[byte] = byte > 0x20 && byte < 0x7f && byte !== 0x23 ? 1 : 0;
}
for (const character of tokenCharacters) {
  const byte = character.charCodeAt(0);
  tokenLower[byte] = lower[byte] as number;
}
for (let digit = 0; digit < 16; digit++) {
  const text = digit.toString(16);
  hexValue[text.charCodeAt(0)] = digit;
  hexValue[text.toUpperCase().charCodeAt(0)] = digit;
}

export const space = 0x20;
export const tab = 0x09;
export const carriageReturn = 0x0d;
export const lineFeed = 0x0a;
export const colon = 0x3a;
export const comma = 0x2c;
export const questionMark = 0x3f;

/** Bytes of a literal that goes out or is compared with what came in. */
export function latin1(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "latin1"));
}

/** Node has it on every Buffer, and without it each slice would look its encoding up by name. */
interface Latin1Buffer {
  latin1Slice(start: number, end: number): string;
}

/** Bytes [start, end) as text, one character a byte. */
export function latin1Text(buffer: Buffer, start: number, end: number): string {
  return (buffer as Buffer & Latin1Buffer).latin1Slice(start, end);
}

/** True when bytes[start, end) are `literal`, which is lower case, in whatever case. */
export function equalsIgnoringCase(
  bytes: Uint8Array,
  start: number,
  end: number,
  literal: Uint8Array,
): boolean {
  const length = literal.length;
  if (end - start !== length) return false;
  for (let i = 0; i < length; i++) {
    if (lower[bytes[start + i] as number] !== literal[i]) return false;
  }
  return true;
}

/** True when the comma-separated list in bytes[start, end) has the token `literal` (lower case). */
export function listHasToken(
  bytes: Uint8Array,
  start: number,
  end: number,
  literal: Uint8Array,
): boolean {
  let at = start;
  while (at < end) {
    while (at < end && isListFiller(bytes[at] as number)) at++;
    const tokenStart = at;
    while (at < end && bytes[at] !== comma) at++;
    if (equalsIgnoringCase(bytes, tokenStart, trimmedEnd(bytes, tokenStart, at), literal)) {
      return true;
    }
  }
  return false;
}

/** `end` moved back over trailing blanks. */
export function trimmedEnd(bytes: Uint8Array, start: number, end: number): number {
  let at = end;
  while (at > start && isBlank(bytes[at - 1] as number)) at--;
  return at;
}

/**
 * A decimal number of at most 15 digits (exact in a double), or -1: empty, signed, padded with
 * blanks or longer are all refused, as RFC 9112 §6.3 asks of Content-Length.
 */
export function parseDecimal(bytes: Uint8Array, start: number, end: number): number {
  if (start === end || end - start > 15) return -1;
  let value = 0;
  for (let at = start; at < end; at++) {
    const digit = (bytes[at] as number) - 0x30;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value;
}

function isBlank(byte: number): boolean {
  return byte === space || byte === tab;
}

function isListFiller(byte: number): boolean {
  return byte === comma || isBlank(byte);
}
