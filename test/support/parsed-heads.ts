/** Heads parsed from text, as plain values that tests compare. */
import { headers } from "../../src/data/http/http1/header-table.ts";
import { requestHead } from "../../src/data/http/http1/request-head.ts";
import { responseHead } from "../../src/data/http/http1/response-head.ts";

export interface ParsedHead {
  /** Position after the head, or the negative problem. */
  readonly end: number;
  readonly fields: readonly (readonly [name: string, value: string])[];
}

/** Room around the text, filled with what must not be read: a parse that depends on it differs. */
const margin = 64;

export function bytesOf(text: string, filler: number): Uint8Array {
  const bytes = new Uint8Array(text.length + 2 * margin).fill(filler);
  for (let i = 0; i < text.length; i++) bytes[margin + i] = text.charCodeAt(i);
  return bytes;
}

export function parseRequest(text: string, countMax = 100, filler = 0x61): ParsedHead {
  const bytes = bytesOf(text, filler);
  const end = requestHead.parse(bytes, margin, margin + text.length, countMax);
  return { end: end < 0 ? end : end - margin, fields: end < 0 ? [] : fieldsOf(bytes) };
}

export function parseResponse(text: string, countMax = 100, filler = 0x61): ParsedHead {
  const bytes = bytesOf(text, filler);
  const end = responseHead.parse(bytes, margin, margin + text.length, countMax);
  return { end: end < 0 ? end : end - margin, fields: end < 0 ? [] : fieldsOf(bytes) };
}

/** Fields that are forwarded. */
function fieldsOf(bytes: Uint8Array): (readonly [string, string])[] {
  const text = (start: number | undefined, end: number | undefined): string =>
    Buffer.from(bytes.subarray(start, end)).toString("latin1");
  const fields: (readonly [string, string])[] = [];
  for (let i = 0; i < headers.count; i++) {
    if (headers.isDropped[i] === 1) continue;
    const name = text(headers.nameStart[i], headers.nameEnd[i]);
    fields.push([name, text(headers.valueStart[i], headers.valueEnd[i])]);
  }
  return fields;
}
