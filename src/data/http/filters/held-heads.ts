/**
 * Heads that wait at a filter. The table of heads is written over by the next message, so what a held head needs beside
 * the fields that filters see is kept as text, and parsed again when it goes on.
 */
import type { Arena } from "../../../shared/io/arena.ts";
import type { ExtraFields } from "../headers/extra-fields.ts";
import { latin1Text } from "../http1/ascii.ts";
import { headers, headerText } from "../http1/header-table.ts";
import { knownHeader } from "../http1/known-headers.ts";
import { requestHead } from "../http1/request-head.ts";
import { responseHead } from "../http1/response-head.ts";
import type { RequestLine } from "./request-line.ts";
import { layOutRequest, layOutResponse } from "../http1/staged-head.ts";

/** Of these the codec, the composer and the router make what they need. */
const staying: ReadonlySet<number> = new Set([
  knownHeader.host,
  knownHeader["content-length"],
  knownHeader.upgrade,
]);

const slash = 0x2f;

/** Moves all other fields of the head that was parsed last in front of `own`, which came after them. */
export function moveFields(buffer: Buffer, fields: ExtraFields, own: ExtraFields): void {
  const { nameStart, nameEnd, valueStart, valueEnd } = headers;
  fields.clear();
  const { from, to } = movingRange();
  // One text, of which names and values are pieces: making text costs more by the call than by the byte.
  const all = to > from ? latin1Text(buffer, from, to) : "";
  for (let i = 0; i < headers.count; i++) {
    if (!isMoving(i)) continue;
    const name = all.slice((nameStart[i] as number) - from, (nameEnd[i] as number) - from);
    fields.add(name, all.slice((valueStart[i] as number) - from, (valueEnd[i] as number) - from));
    headers.isDropped[i] = 1;
  }
  fields.addAll(own);
}

function isMoving(row: number): boolean {
  return headers.isDropped[row] !== 1 && !staying.has(headers.id[row] as number);
}

/** Where the fields lie that move. */
function movingRange(): { readonly from: number; readonly to: number } {
  let from = Infinity;
  let to = 0;
  for (let i = 0; i < headers.count; i++) {
    if (!isMoving(i)) continue;
    from = Math.min(from, headers.nameStart[i] as number);
    to = Math.max(to, headers.valueEnd[i] as number);
  }
  return { from, to };
}

/** What is left of a head when its fields have moved. */
export class HeldRequestHead {
  readonly #text: string;
  readonly #form = {
    minorVersion: requestHead.minorVersion,
    isChunked: requestHead.fields.isChunked,
  };

  /** Of the head that was parsed last. */
  constructor(buffer: Buffer) {
    const line = latin1Text(buffer, requestHead.methodStart, requestHead.targetEnd);
    this.#text = `${line} HTTP/1.1\r\n${stayingLines(buffer)}\r\n`;
  }

  restore(arena: Arena): void {
    layOutRequest(arena, this.#text, this.#form);
  }
}

/**
 * Another head in the place of the one in the table: what filters have made of its line, its host and its fields. False:
 * there is no room for it.
 */
export function layOutChanged(arena: Arena, line: RequestLine, fields: ExtraFields): boolean {
  const { buffer } = arena;
  const { minorVersion, methodStart, targetEnd, targetStart } = requestHead;
  const isAbsolute = buffer[targetStart] !== slash;
  const target = line.isLineChanged
    ? `${line.method} ${line.path}`
    : latin1Text(buffer, methodStart, targetEnd);
  // The authority of an absolute form goes with it.
  const saysHost = line.isAuthorityChanged || (line.isLineChanged && isAbsolute);
  if (saysHost && requestHead.hostIndex >= 0) headers.isDropped[requestHead.hostIndex] = 1;
  let text = `${target} HTTP/1.1\r\n${saysHost ? `host: ${line.authority}\r\n` : ""}`;
  text += stayingLines(buffer);
  for (const [name, value] of fields.entries()) text += `${name}: ${value}\r\n`;
  const { isChunked } = requestHead.fields;
  return layOutRequest(arena, `${text}\r\n`, { minorVersion, isChunked });
}

export class HeldResponseHead {
  readonly #text: string;
  readonly #names = responseHead.spelledNames;

  /** Of the head that was parsed last. */
  constructor(buffer: Buffer) {
    const { status, statusStart, statusEnd } = responseHead;
    const isOwn = statusEnd === statusStart;
    const line = isOwn ? `${status} ` : latin1Text(buffer, statusStart, statusEnd);
    this.#text = `HTTP/1.1 ${line}\r\n${stayingLines(buffer)}\r\n`;
  }

  restore(arena: Arena): void {
    layOutResponse(arena, this.#text);
    responseHead.spelledNames = this.#names;
  }
}

function stayingLines(buffer: Buffer): string {
  let lines = "";
  for (let i = 0; i < headers.count; i++) {
    if (headers.isDropped[i] === 1) continue;
    const name = latin1Text(buffer, headers.nameStart[i] as number, headers.nameEnd[i] as number);
    lines += `${name}: ${headerText(buffer, i)}\r\n`;
  }
  return lines;
}
