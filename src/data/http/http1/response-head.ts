/** The head of a response in the arena; the thread's, written over by every parse. */
import { carriageReturn, isValueByte, latin1, lineFeed } from "./ascii.ts";
import { fieldsEnd, headers } from "./header-table.ts";
import { knownHeader } from "./known-headers.ts";
import { fieldsOk, MessageFields } from "./message-fields.ts";
import { incomplete, malformed, parseHeaders } from "./parse-headers.ts";
import { problemOf } from "./request-head.ts";
import type { SpelledNames } from "./spelled-names.ts";

const statusPrefix = latin1("HTTP/1.");

export class ResponseHead {
  minorVersion = 1;
  status = 0;
  /** `200 OK`: status and reason, as received. */
  statusStart = 0;
  statusEnd = 0;
  hasDate = false;
  serverIndex = -1;
  /** Set by a codec that keeps them, for this head alone. */
  spelledNames: SpelledNames | undefined;
  readonly fields = new MessageFields();

  /** RFC 9112 §6.3: these never have a body, whatever the fields say. */
  get isBodyless(): boolean {
    return this.status < 200 || this.status === 204 || this.status === 304;
  }

  /** HTTP/1.0 keeps the connection only when it says so. */
  get isPersistent(): boolean {
    const { saysClose, saysKeepAlive } = this.fields;
    return !saysClose && (this.minorVersion === 1 || saysKeepAlive);
  }

  /** As `RequestHead.parse`. */
  parse(bytes: Uint8Array, start: number, end: number, countMax: number): number {
    const lineEnd = this.#parseLine(bytes, start, end);
    if (lineEnd < 0) return lineEnd;
    const headEnd = parseHeaders(bytes, lineEnd, end, countMax);
    if (headEnd < 0) return headEnd;
    const problem = this.fields.read(bytes);
    if (problem !== fieldsOk) return problemOf(problem);
    this.locate();
    return headEnd;
  }

  /** As `RequestHead.forgetLength`. */
  forgetLength(): number {
    this.fields.forgetLength();
    this.locate();
    return fieldsEnd();
  }

  #parseLine(bytes: Uint8Array, start: number, end: number): number {
    const prefixLength = statusPrefix.length;
    for (let i = 0; i < prefixLength; i++) {
      if (start + i >= end) return incomplete;
      if (bytes[start + i] !== statusPrefix[i]) return malformed;
    }
    const at = start + prefixLength;
    // `1 200` and one byte more, which is a blank or the CR of an empty reason without its blank.
    if (at + 5 >= end) return incomplete;
    this.minorVersion = (bytes[at] as number) - 0x30;
    if (this.minorVersion !== 0 && this.minorVersion !== 1) return malformed;
    if (bytes[at + 1] !== 0x20) return malformed;
    this.status = digitsOf(bytes, at + 2);
    if (this.status < 100) return malformed;
    const afterStatus = bytes[at + 5];
    if (afterStatus !== 0x20 && afterStatus !== carriageReturn) return malformed;
    this.statusStart = at + 2;
    return this.#parseReason(bytes, at + 5, end);
  }

  #parseReason(bytes: Uint8Array, start: number, end: number): number {
    let at = start;
    while (at < end && isValueByte[bytes[at] as number] === 1) at++;
    if (at >= end) return incomplete;
    if (bytes[at] !== carriageReturn) return malformed;
    this.statusEnd = at;
    if (at + 1 >= end) return incomplete;
    return bytes[at + 1] === lineFeed ? at + 2 : malformed;
  }

  /** Notes where the fields are that forwarding needs. */
  locate(): void {
    this.hasDate = false;
    this.serverIndex = -1;
    this.spelledNames = undefined;
    for (let i = 0; i < headers.count; i++) {
      const id = headers.id[i] as number;
      if (id === knownHeader.date) this.hasDate = true;
      else if (id === knownHeader.server) this.serverIndex = i;
    }
  }
}

/** The thread's. */
export const responseHead = new ResponseHead();

/** Three digits as a number; below 100 when they are none. */
function digitsOf(bytes: Uint8Array, at: number): number {
  const hundreds = (bytes[at] as number) - 0x30;
  const tens = (bytes[at + 1] as number) - 0x30;
  const ones = (bytes[at + 2] as number) - 0x30;
  if (hundreds < 1 || hundreds > 9 || tens < 0 || tens > 9 || ones < 0 || ones > 9) return 0;
  return hundreds * 100 + tens * 10 + ones;
}
