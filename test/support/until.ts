import assert from "node:assert/strict";

/** Waits for a condition that something else brings about; never for a length of time. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  const deadlineMs = performance.now() + 30_000;
  while (!condition()) {
    assert(performance.now() < deadlineMs, `never came true: ${what}`);
    await new Promise((resolve) => {
      setTimeout(resolve, 2);
    });
  }
}
