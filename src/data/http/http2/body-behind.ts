/**
 * The DATA frame that follows a head in the same read, so that head and body are sent on together: most requests
 * that have a body come in one read.
 */
import type { BodyPart } from "../upstream/upstream-request.ts";
import { flag, FrameHeader, frameHeaderBytes, frameSizeMin, frameType } from "./frames.ts";
import type { ServerStream } from "./server-stream.ts";

/** Where the read goes on behind a frame. */
export interface RestOfRead {
  readonly at: number;
  readonly end: number;
}

const nextFrame = new FrameHeader();

/** A whole frame, plain, that fits all limits: it is taken off the stream's window and length. */
export function bodyBehind(
  bytes: Uint8Array,
  stream: ServerStream,
  { at, end }: RestOfRead,
): BodyPart | undefined {
  if (end - at < frameHeaderBytes) return undefined;
  nextFrame.read(bytes, at);
  const { type, streamId, length } = nextFrame;
  if (type !== frameType.data || streamId !== stream.id || nextFrame.has(flag.padded))
    return undefined;
  const start = at + frameHeaderBytes;
  if (length === 0 || length > frameSizeMin || start + length > end) return undefined;
  const isEnd = nextFrame.has(flag.endStream);
  if (stream.bodyLeft >= 0) {
    const left = stream.bodyLeft - length;
    if (left < 0 || (isEnd && left > 0)) return undefined;
    stream.bodyLeft = left;
  }
  stream.receiveWindow.receive(length);
  return { start, end: start + length, isEnd };
}
