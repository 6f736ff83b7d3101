/**
 * Brings a head in the scratch window and the body that came with it side by side, so that one system
 * call sends both: the smaller is moved to the larger.
 */
import type { Arena } from "../../../shared/io/arena.ts";
import type { HeadWriter } from "./head-writer.ts";

/** Takes ranges of the arena: a socket, or what counts on its way there. */
export interface ByteSink {
  write(start: number, end: number): void;
}

/** Sends the writer's head, then arena[bodyStart, bodyEnd). The space before the body is overwritten. */
export function sendJoined(
  sink: ByteSink,
  writer: HeadWriter,
  arena: Arena,
  body: { readonly start: number; readonly end: number },
): void {
  const { bytes } = arena;
  const headLength = writer.at - writer.start;
  const bodyLength = body.end - body.start;
  if (body.start === writer.at) sink.write(writer.start, body.end);
  else if (bodyLength <= headLength && writer.at + bodyLength <= arena.scratchEnd) {
    if (bodyLength > 0) bytes.copyWithin(writer.at, body.start, body.end);
    sink.write(writer.start, writer.at + bodyLength);
  } else if (body.start - headLength >= arena.readStart - arena.headroom) {
    bytes.copyWithin(body.start - headLength, writer.start, writer.at);
    sink.write(body.start - headLength, body.end);
  } else {
    sink.write(writer.start, writer.at);
    sink.write(body.start, body.end);
  }
}
