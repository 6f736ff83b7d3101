/**
 * Puts body bytes into the chunked coding where they lie: the size line goes before them, the line
 * break and the last chunk behind, so that one send carries all. Needs 16 bytes before and 7 after.
 *
 * The bytes behind may belong to a pipelined request only if the data came out of a chunked body that
 * ended here; that body's own framing was at least as long as what is written, so nothing is lost.
 */
import { latin1 } from "./ascii.ts";

const hexDigits = latin1("0123456789abcdef");
/** `0` CRLF CRLF: the last chunk, without trailers. */
export const lastChunk = latin1("0\r\n\r\n");

export class ChunkEncoder {
  /** After `encode`: what is to be sent is bytes[start, end). */
  start = 0;
  end = 0;

  /** Encodes bytes[start, end), which are not empty; `isEnd` adds the last chunk. */
  encode(bytes: Uint8Array, start: number, end: number, isEnd: boolean): void {
    let at = start;
    bytes[--at] = 0x0a;
    bytes[--at] = 0x0d;
    let rest = end - start;
    do {
      bytes[--at] = hexDigits[rest & 15] as number;
      rest >>>= 4;
    } while (rest !== 0);
    this.start = at;
    bytes[end] = 0x0d;
    bytes[end + 1] = 0x0a;
    this.end = end + 2;
    if (!isEnd) return;
    for (let i = 0; i < lastChunk.length; i++) bytes[this.end + i] = lastChunk[i] as number;
    this.end += lastChunk.length;
  }
}

/** The thread's. */
export const chunkEncoder = new ChunkEncoder();
