/** An arena of the real layout over ordinary memory, for what works on bytes alone. */
import type { Arena } from "../../src/shared/io/arena.ts";
import { createWindows, windowsBytes } from "../../src/shared/io/windows.ts";

export function createTestArena(): Arena {
  return createWindows(new ArrayBuffer(windowsBytes));
}
