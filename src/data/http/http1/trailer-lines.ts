/**
 * Trailers as everything behind the codecs sees them: lines `name: value` CRLF in the arena's staging window, and rows
 * of the header table. HTTP/2 decodes them into that form; here it is made of what ends a chunked body.
 *
 * What a newcomer would get wrong: a trailer must not pass for a header. Fields that frame or route a message are
 * dropped (RFC 9110 §6.5.1), for whoever merges the two would read another message.
 */
import type { Arena } from "../../../shared/io/arena.ts";
import type { HeadWriter } from "./head-writer.ts";
import { headers } from "./header-table.ts";
import { knownHeader } from "./known-headers.ts";
import { parseHeaders } from "./parse-headers.ts";

/** Rows of these stand for a message's framing, its hop or its host. */
export function isForbiddenTrailer(id: number): boolean {
  return id !== 0 && id <= knownHeader.host;
}

/**
 * Stages what a chunked body ended with, the blank line included. Returns the end of the lines, which begin at
 * `stagingStart`, or a negative number: they are no fields, or too many.
 */
export function stageTrailers(
  arena: Arena,
  writer: HeadWriter,
  section: readonly number[],
  countMax: number,
): number {
  const { bytes, stagingStart } = arena;
  bytes.set(section, stagingStart);
  const parsed = parseHeaders(bytes, stagingStart, stagingStart + section.length, countMax);
  if (parsed < 0) return parsed;
  for (let i = 0; i < headers.count; i++) {
    if (isForbiddenTrailer(headers.id[i] as number)) headers.isDropped[i] = 1;
  }
  writer.begin();
  writer.copyFields();
  const end = stagingStart + writer.at - writer.start;
  writer.endLine();
  bytes.copyWithin(stagingStart, writer.start, writer.at);
  // The rows shall lie where the lines are now.
  parseHeaders(bytes, stagingStart, end + 2, countMax);
  return end;
}
