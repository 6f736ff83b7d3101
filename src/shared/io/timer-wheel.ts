/**
 * Timers of the hot path: O(1) to set, move and cancel, no closure, no allocation. Coarse: a timer
 * fires up to `tickMs` late, never early. A timer object is embedded in its owner and re-armed for life.
 */
export const tickMs = 20;

export interface WheelTimer {
  /** Called once per arming. */
  onTimer(): void;
}

export interface TimerWheel {
  /** Arms, or re-arms, for `delayMs` from now. */
  arm(timer: TimerSlot, delayMs: number): void;
  cancel(timer: TimerSlot): void;
}

/** The wheel's links, kept in the owner's timer. */
export class TimerSlot {
  readonly target: WheelTimer;
  /** 0 while idle, else the absolute due tick. */
  dueTick = 0;
  next: TimerSlot | null = null;
  previous: TimerSlot | null = null;

  constructor(target: WheelTimer) {
    this.target = target;
  }
}
