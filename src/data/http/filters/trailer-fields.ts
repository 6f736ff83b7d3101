/** Trailers as filters see them, and as they go on. */
import type { Arena } from "../../../shared/io/arena.ts";
import { ExtraFields } from "../headers/extra-fields.ts";
import { latin1Text } from "../http1/ascii.ts";
import { headers, headersMax, headerText } from "../http1/header-table.ts";
import { parseHeaders } from "../http1/parse-headers.ts";

/** Of the rows that the header table holds. */
export function trailerFields(buffer: Buffer): ExtraFields {
  const fields = new ExtraFields();
  for (let i = 0; i < headers.count; i++) {
    if (headers.isDropped[i] === 1) continue;
    const { nameStart, nameEnd } = headers;
    fields.add(
      latin1Text(buffer, nameStart[i] as number, nameEnd[i] as number),
      headerText(buffer, i),
    );
  }
  return fields;
}

/** Lines in the staging window, and rows of the table; returns where the lines end. */
export function stageFields(arena: Arena, fields: ExtraFields): number {
  const { buffer, bytes, stagingStart, stagingEnd } = arena;
  const most = stagingEnd - 2;
  let at = stagingStart;
  for (const [name, value] of fields.entries()) {
    const line = `${name}: ${value}\r\n`;
    // What one part of a message can hold, its trailers can: beyond it they are left out.
    if (at + line.length > most) break;
    at += buffer.write(line, at, "latin1");
  }
  buffer.write("\r\n", at, "latin1");
  parseHeaders(bytes, stagingStart, at + 2, headersMax);
  return at;
}
