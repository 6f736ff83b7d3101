/** An arena of the real layout over ordinary memory, for what works on bytes alone. */
import { type Arena, arenaLayout } from "../../src/shared/io/arena.ts";

export function createTestArena(): Arena {
  const { scratchBytes, headroomBytes, readBytes, tailroomBytes } = arenaLayout;
  const readStart = scratchBytes + headroomBytes;
  const buffer = Buffer.alloc(readStart + readBytes + tailroomBytes);
  return {
    buffer,
    bytes: new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length),
    scratchStart: 0,
    scratchEnd: scratchBytes,
    readStart,
    readEnd: readStart + readBytes,
    headroom: headroomBytes,
    tailroom: tailroomBytes,
  };
}
