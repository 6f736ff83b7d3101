/** Room around the data of a frame, for a body that goes on in chunks over HTTP/1. */
import { frameHeaderBytes } from "./frames.ts";

/** In front of the data, where the header of its frame was. */
const chunkRoom = frameHeaderBytes;

/**
 * A body without length gets its chunks around it: it is moved away from what lies behind it, over the header of its
 * frame, for the next frame is not ours to write over. By how much.
 */
export function makeChunkRoom(bytes: Uint8Array, start: number, end: number): number {
  if (start === end) return 0;
  bytes.copyWithin(start - chunkRoom, start, end);
  return chunkRoom;
}
