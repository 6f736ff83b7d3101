/**
 * Lays the windows out over one piece of memory: scratch, headroom, read, tailroom, staging,
 * output buffers. Both reactors use
 * it, so an offset means the same on both. A newcomer might think that queued output lives here too:
 * it does not, it waits in blocks of its own (`block-pool.ts`) that no offset reaches.
 */
import { arenaLayout, type Arena } from "./arena.ts";

/** Bytes that the windows take together. */
export const windowsBytes =
  arenaLayout.scratchBytes +
  arenaLayout.headroomBytes +
  arenaLayout.readBytes +
  arenaLayout.tailroomBytes +
  arenaLayout.stagingBytes +
  arenaLayout.outputBytes * arenaLayout.outputCount;

export function createWindows(memory: ArrayBuffer): Arena {
  const readStart = arenaLayout.scratchBytes + arenaLayout.headroomBytes;
  const stagingStart = readStart + arenaLayout.readBytes + arenaLayout.tailroomBytes;
  return {
    bytes: new Uint8Array(memory, 0, windowsBytes),
    buffer: Buffer.from(memory, 0, windowsBytes),
    scratchStart: 0,
    scratchEnd: arenaLayout.scratchBytes,
    readStart,
    readEnd: readStart + arenaLayout.readBytes,
    headroom: arenaLayout.headroomBytes,
    tailroom: arenaLayout.tailroomBytes,
    stagingStart,
    stagingEnd: stagingStart + arenaLayout.stagingBytes,
    outputStart: stagingStart + arenaLayout.stagingBytes,
  };
}

/** The door to the bytes: a range that leaves the windows is a bug of the caller, never read. */
export function assertInWindows(start: number, end: number): void {
  // Integers only: a fraction or NaN would become some other address behind the door.
  if ((start | 0) === start && (end | 0) === end && start >= 0 && start <= end) {
    if (end <= windowsBytes) return;
  }
  throw new RangeError(`bug: [${start}, ${end}) is not within the windows`);
}
