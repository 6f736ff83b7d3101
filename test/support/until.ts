/**
 * Waits for a condition of the outside world: another process, a socket. Everything inside a
 * process has an event or a virtual clock, and needs no polling.
 */
const pollTimeMs = 20;
const patienceMs = 30_000;

/** Resolves with the first value of `check` that is neither undefined nor false; throws what `check` throws. */
export async function until<T>(
  what: string,
  check: () => T | Promise<T>,
): Promise<Exclude<T, undefined | false>> {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    const value = await check();
    if (value !== undefined && value !== false) return value as Exclude<T, undefined | false>;
    if (performance.now() > deadline) throw new Error(`waited ${patienceMs} ms until ${what}`);
    await new Promise((resolve) => {
      setTimeout(resolve, pollTimeMs);
    });
  }
}
