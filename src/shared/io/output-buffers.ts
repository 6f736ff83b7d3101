/**
 * Buffers of the arena in which a codec gathers small output over a round, so that one system call sends what
 * many streams wrote. They are few: who needs one when none is free has another owner's sent early.
 *
 * What a newcomer would get wrong: a buffer is its owner's until the end of the round at most.
 */
import { type Arena, arenaLayout } from "./arena.ts";

export interface OutputOwner {
  /** Sends what is in its buffer, which is not its own any more when this returns. */
  flushOutput(): void;
}

export class OutputBuffers {
  readonly #atRoundEnd: (task: () => void) => void;
  readonly #free: number[] = [];
  readonly #owners: OutputOwner[] = [];
  /** The buffers of `#owners`. */
  readonly #taken: number[] = [];
  #isAwaitingEnd = false;
  readonly #flushAll = (): void => {
    this.#isAwaitingEnd = false;
    while (this.#owners.length > 0) this.#flushFirst();
  };

  constructor(arena: Arena, atRoundEnd: (task: () => void) => void) {
    this.#atRoundEnd = atRoundEnd;
    for (let i = 0; i < arenaLayout.outputCount; i++) {
      this.#free.push(arena.outputStart + i * arenaLayout.outputBytes);
    }
  }

  /** Offset of a buffer of `outputBytes`; the owner is told to flush at the end of the round, or sooner. */
  take(owner: OutputOwner): number {
    if (this.#free.length === 0) this.#flushFirst();
    const buffer = this.#free.pop() as number;
    this.#owners.push(owner);
    this.#taken.push(buffer);
    if (!this.#isAwaitingEnd) {
      this.#isAwaitingEnd = true;
      this.#atRoundEnd(this.#flushAll);
    }
    return buffer;
  }

  /** The owner needs its buffer no more. */
  give(owner: OutputOwner): void {
    const index = this.#owners.indexOf(owner);
    if (index < 0) return;
    this.#owners.splice(index, 1);
    this.#free.push(...this.#taken.splice(index, 1));
  }

  /** A throw of one owner must not keep the buffers of the others. */
  #flushFirst(): void {
    const owner = this.#owners[0] as OutputOwner;
    try {
      owner.flushOutput();
    } finally {
      this.give(owner);
    }
  }
}
