import assert from "node:assert/strict";

/**
 * Waits for a condition that something else brings about; never for a length of time. Resolves with
 * the first value that is neither undefined nor false; throws what `condition` throws.
 */
export async function until<T>(
  condition: () => T | Promise<T>,
  what: string,
): Promise<Exclude<T, undefined | false>> {
  const deadlineMs = performance.now() + 30_000;
  for (;;) {
    const value = await condition();
    if (value !== undefined && value !== false) return value as Exclude<T, undefined | false>;
    assert(performance.now() < deadlineMs, `never came true: ${what}`);
    await new Promise((resolve) => {
      setTimeout(resolve, 5);
    });
  }
}
