/**
 * The timer wheel: five levels of 64 buckets, each level 64 times coarser. A timer is filed by how far
 * away it is and moves one level down when its bucket's time begins, so setting, moving and cancelling
 * touch two links and no comparison with other timers is ever made.
 *
 * The wheel has no clock and no source of its own: whoever owns it says when it is later (`advance`)
 * and asks when to come back (`nextWakeMs`). So a worker with nothing armed sleeps.
 */
import { TimerSlot, tickMs, type TimerWheel } from "./timer-wheel.ts";

const bucketsPerLevel = 64;
const spans = [1, 64, 64 ** 2, 64 ** 3, 64 ** 4];
/** 248 days: longer delays are cut to it. */
const ticksMax = 64 ** 5 - 1;

export interface WheelOwner {
  /** Monotonic milliseconds. */
  readonly nowMs: number;
  /** A timer was armed that is due before what `nextWakeMs` said last. */
  wakeEarlier(): void;
  /** An `onTimer` threw: the other timers go on. */
  bug(error: unknown): void;
}

export class HierarchicalWheel implements TimerWheel {
  readonly #owner: WheelOwner;
  readonly #originMs: number;
  /** Sentinels of circular lists, level by level. */
  readonly #buckets: readonly TimerSlot[];
  #currentTick = 0;
  /** What `nextWakeMs` said last, as a tick. */
  #wakeTick = Number.POSITIVE_INFINITY;

  constructor(owner: WheelOwner) {
    this.#owner = owner;
    this.#originMs = owner.nowMs;
    this.#buckets = Array.from({ length: spans.length * bucketsPerLevel }, createSentinel);
  }

  arm(timer: TimerSlot, delayMs: number): void {
    if (timer.dueTick !== 0) unlink(timer);
    // Rounded up: late by less than a tick, never early.
    const due = Math.ceil((this.#owner.nowMs - this.#originMs + Math.max(0, delayMs)) / tickMs);
    const latest = this.#currentTick + ticksMax;
    timer.dueTick = Math.min(Math.max(due, this.#currentTick + 1), latest);
    this.#file(timer);
    if (timer.dueTick < this.#wakeTick) this.#owner.wakeEarlier();
  }

  cancel(timer: TimerSlot): void {
    if (timer.dueTick === 0) return;
    unlink(timer);
    timer.dueTick = 0;
  }

  /** Fires what is due at `nowMs`, in order of ticks. Callbacks may arm and cancel anything. */
  advance(nowMs: number): void {
    const target = Math.floor((nowMs - this.#originMs) / tickMs);
    while (this.#currentTick < target) {
      const next = this.#nextEventTick();
      this.#currentTick = Math.min(next, target);
      if (next > target) return;
      this.#cascade();
      this.#fire();
    }
  }

  /**
   * When to advance next, in milliseconds from now; Infinity while nothing is armed. It may come before
   * the first timer is due, where timers only move down a level.
   */
  nextWakeMs(): number {
    this.#wakeTick = this.#nextEventTick();
    const wakeMs = this.#originMs + this.#wakeTick * tickMs;
    return Math.max(0, wakeMs - this.#owner.nowMs);
  }

  #file(timer: TimerSlot): void {
    const distance = timer.dueTick - this.#currentTick;
    let level = 0;
    while (distance >= bucketsPerLevel * (spans[level] ?? 1)) level += 1;
    const bucket = this.#bucket(level, Math.floor(timer.dueTick / (spans[level] ?? 1)));
    const last = bucket.previous ?? bucket;
    timer.previous = last;
    timer.next = bucket;
    last.next = timer;
    bucket.previous = timer;
  }

  #bucket(level: number, index: number): TimerSlot {
    const bucket = this.#buckets[level * bucketsPerLevel + (index % bucketsPerLevel)];
    if (bucket === undefined) throw new Error("bug: no such bucket");
    return bucket;
  }

  /** The first tick after the current one at which a bucket that is not empty begins. */
  #nextEventTick(): number {
    let earliest = Number.POSITIVE_INFINITY;
    for (let level = 0; level < spans.length; level++) {
      const span = spans[level] ?? 1;
      const index = Math.floor(this.#currentTick / span);
      const ahead = this.#bucketsAhead(level, index);
      if (ahead > 0) earliest = Math.min(earliest, (index + ahead) * span);
    }
    return earliest;
  }

  /** How many buckets ahead of `index` the first one lies that is not empty; 0: none. */
  #bucketsAhead(level: number, index: number): number {
    // Up to 64 inclusive: a whole turn ahead is the bucket whose time has begun and that was emptied.
    for (let ahead = 1; ahead <= bucketsPerLevel; ahead++) {
      const bucket = this.#bucket(level, index + ahead);
      if (bucket.next !== bucket) return ahead;
    }
    return 0;
  }

  /** Moves timers of every coarse bucket that begins now; the coarsest first, as they fall through. */
  #cascade(): void {
    for (let level = spans.length - 1; level > 0; level--) {
      const span = spans[level] ?? 1;
      if (this.#currentTick % span !== 0) continue;
      const bucket = this.#bucket(level, this.#currentTick / span);
      for (let timer = firstOf(bucket); timer !== null; timer = firstOf(bucket)) {
        unlink(timer);
        this.#file(timer);
      }
    }
  }

  #fire(): void {
    const bucket = this.#bucket(0, this.#currentTick);
    for (let timer = firstOf(bucket); timer !== null; timer = firstOf(bucket)) {
      unlink(timer);
      timer.dueTick = 0;
      try {
        timer.target.onTimer();
      } catch (error) {
        this.#owner.bug(error);
      }
    }
  }
}

function createSentinel(): TimerSlot {
  const sentinel = new TimerSlot({ onTimer: () => {} });
  sentinel.next = sentinel;
  sentinel.previous = sentinel;
  return sentinel;
}

function firstOf(bucket: TimerSlot): TimerSlot | null {
  return bucket.next === bucket ? null : bucket.next;
}

function unlink(timer: TimerSlot): void {
  if (timer.previous !== null) timer.previous.next = timer.next;
  if (timer.next !== null) timer.next.previous = timer.previous;
  timer.next = null;
  timer.previous = null;
}
