import assert from "node:assert/strict";

/** Looks come a tenth of the wait so far apart: at once for what comes at once; for a drain time, not two hundred a second. */
const lookEveryMs = { min: 5, max: 50 };

/**
 * Waits for a condition that something else brings about; never for a length of time. Resolves with
 * the first value that is neither undefined nor false; throws what `condition` throws.
 */
export async function until<T>(
  condition: () => T | Promise<T>,
  what: string,
): Promise<Exclude<T, undefined | false>> {
  const startMs = performance.now();
  for (;;) {
    const value = await condition();
    if (value !== undefined && value !== false) return value as Exclude<T, undefined | false>;
    const waitedMs = performance.now() - startMs;
    assert(waitedMs < 30_000, `never came true: ${what}`);
    await new Promise((resolve) => {
      setTimeout(resolve, Math.min(Math.max(waitedMs / 10, lookEveryMs.min), lookEveryMs.max));
    });
  }
}
