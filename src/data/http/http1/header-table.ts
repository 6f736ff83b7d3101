/**
 * Where the fields of the message that was parsed last lie in the arena. One table a thread, written
 * over by every parse: whoever reads it does so before anything else is parsed, which holds because
 * a head is parsed, routed, rewritten and sent within one callback.
 */
import { equalsIgnoringCase, latin1, latin1Text } from "./ascii.ts";
import { knownHeaderIdOf } from "./known-headers.ts";

/** Most fields of one message, whatever the configuration allows. */
export const headersMax = 4096;

export class HeaderTable {
  count = 0;
  readonly nameStart = new Int32Array(headersMax);
  readonly nameEnd = new Int32Array(headersMax);
  readonly valueStart = new Int32Array(headersMax);
  readonly valueEnd = new Int32Array(headersMax);
  /** After the line's CRLF. */
  readonly lineEnd = new Int32Array(headersMax);
  /** `knownHeader`, or 0. */
  readonly id = new Uint8Array(headersMax);
  /** 1: is not forwarded. Cleared by the parse, set by whoever rewrites the head. */
  readonly isDropped = new Uint8Array(headersMax);

  /** Keeps what it holds while something else is parsed; what is returned puts it back. */
  save(): () => void {
    const { count } = this;
    const { nameStart, nameEnd, valueStart, valueEnd, lineEnd, id, isDropped } = this;
    const rows = [nameStart, nameEnd, valueStart, valueEnd, lineEnd, id, isDropped];
    const kept = rows.map((row) => row.slice(0, count));
    return () => {
      this.count = count;
      for (const [i, row] of rows.entries()) row.set(kept[i] ?? []);
    };
  }
}

/** The thread's table. */
export const headers = new HeaderTable();

/** Behind the blank line that ends the fields of the head that was parsed last. */
export function fieldsEnd(): number {
  return (headers.lineEnd[headers.count - 1] as number) + "\r\n".length;
}

/** A name from configuration, ready to be looked for. */
export class HeaderName {
  readonly text: string;
  readonly bytes: Uint8Array;
  readonly id: number;

  /** `text` in lower case. */
  constructor(text: string) {
    this.text = text;
    this.bytes = latin1(text);
    this.id = knownHeaderIdOf(text);
  }
}

/** Index of the first field with the name at or after `from`; -1 when there is none. */
export function findHeader(bytes: Uint8Array, name: HeaderName, from = 0): number {
  for (let i = from; i < headers.count; i++) {
    if (headers.isDropped[i] === 1 || headers.id[i] !== name.id) continue;
    if (name.id !== 0) return i;
    const start = headers.nameStart[i] as number;
    if (equalsIgnoringCase(bytes, start, headers.nameEnd[i] as number, name.bytes)) return i;
  }
  return -1;
}

/** Every field with the known id is not forwarded. */
export function dropFields(id: number): void {
  for (let i = 0; i < headers.count; i++) {
    if (headers.id[i] === id) headers.isDropped[i] = 1;
  }
}

/** Value of the field `index` as text. */
export function headerText(buffer: Buffer, index: number): string {
  return latin1Text(buffer, headers.valueStart[index] as number, headers.valueEnd[index] as number);
}

/** All values of the name joined by `,` as Envoy joins them; undefined when there is none. */
export function headerValue(buffer: Buffer, name: HeaderName): string | undefined {
  let index = findHeader(buffer, name);
  if (index < 0) return undefined;
  let text = headerText(buffer, index);
  while ((index = findHeader(buffer, name, index + 1)) >= 0) {
    text += `,${headerText(buffer, index)}`;
  }
  return text;
}
