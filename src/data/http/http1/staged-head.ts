/**
 * A head that was kept as text, because the table of heads is written over by the next message: laid out where heads go
 * that came in another form, and parsed again.
 */
import type { Arena } from "../../../shared/io/arena.ts";
import { headersMax } from "./header-table.ts";
import { requestHead } from "./request-head.ts";
import { responseHead } from "./response-head.ts";

/** Text says HTTP/1.1 whatever the request came by, and nothing of a body without length. */
export interface RequestForm {
  readonly minorVersion: number;
  readonly isChunked: boolean;
}

/** False: it is no head, or too large; never of a text that was one before. */
export function layOutRequest(arena: Arena, text: string, form: RequestForm): boolean {
  if (text.length > arena.stagingEnd - arena.stagingStart) return false;
  const end = stage(arena, text);
  const headEnd = requestHead.parse(arena.bytes, arena.stagingStart, end, headersMax);
  requestHead.minorVersion = form.minorVersion;
  requestHead.fields.isChunked = form.isChunked;
  return headEnd === end;
}

export function layOutResponse(arena: Arena, text: string): void {
  responseHead.parse(arena.bytes, arena.stagingStart, stage(arena, text), headersMax);
}

function stage({ buffer, stagingStart }: Arena, text: string): number {
  return stagingStart + buffer.write(text, stagingStart, "latin1");
}
