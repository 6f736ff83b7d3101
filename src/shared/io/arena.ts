/**
 * The memory of one worker's bytes. Windows at fixed offsets, then blocks for what must wait.
 * Everything outside `shared/io` knows offsets only; addresses never leave the folder.
 */
export interface Arena {
  /** The whole arena. Same object for the arena's life: segments beyond the first have their own. */
  readonly bytes: Uint8Array;
  /** The same memory as a Buffer, for latin1Slice and friends. */
  readonly buffer: Buffer;
  /** Where heads are composed: [scratchStart, scratchEnd). Nothing survives in it across calls. */
  readonly scratchStart: number;
  readonly scratchEnd: number;
  /** Reads land at readStart; up to `headroom` before and `tailroom` after may be used by handlers. */
  readonly readStart: number;
  readonly readEnd: number;
  readonly headroom: number;
  readonly tailroom: number;
  /** Where heads are laid out that came in another form than text: [stagingStart, stagingEnd). As the scratch. */
  readonly stagingStart: number;
  readonly stagingEnd: number;
  /** The first of the buffers for output that is gathered over a round (`output-buffers.ts`). */
  readonly outputStart: number;
}

/** Sizes of the windows, in bytes. Both reactors lay the arena out alike. */
export const arenaLayout = {
  scratchBytes: 128 * 1024,
  headroomBytes: 64 * 1024,
  readBytes: 64 * 1024,
  tailroomBytes: 64 * 1024,
  stagingBytes: 128 * 1024,
  /** Of one output buffer, and how many there are. */
  outputBytes: 128 * 1024,
  outputCount: 8,
} as const;
