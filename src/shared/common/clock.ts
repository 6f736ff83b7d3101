/**
 * The only door to time (Envoy: `TimeSource` and `Dispatcher::createTimer`). Production passes
 * `systemClock`; tests pass a virtual clock and move it by hand. All times are monotonic
 * milliseconds with one origin for all threads of a process, so deadlines may cross threads.
 * Between processes send durations, never instants.
 */
export interface Clock {
  /** Monotonic milliseconds: only differences mean anything. */
  now(): number;
  /** Milliseconds since 1970, to show to a person. Never measure with it: it may jump. */
  wallTime(): number;
  /** Runs `fire` once, `delayMs` from now. Disposing the timer first cancels it. */
  startTimer(delayMs: number, fire: () => void): Disposable;
}

/** Node cuts longer delays to 1 ms; Envoy's longest durations are far above that. */
const delayMsMax = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => performance.now(),
  wallTime: () => Date.now(),
  startTimer(delayMs, fire) {
    const timer = setTimeout(fire, Math.min(delayMs, delayMsMax));
    return { [Symbol.dispose]: () => clearTimeout(timer) };
  },
};
