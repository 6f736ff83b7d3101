import type { Random } from "../../src/shared/common/random.ts";

/** Choices out of a stream of random numbers. */
export class Dice {
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  below(limit: number): number {
    return Math.floor(this.#random.next() * limit);
  }

  chance(probability: number): boolean {
    return this.#random.next() < probability;
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)] as T;
  }

  some<T>(from: readonly T[], share = 0.3): T[] {
    return from.filter(() => this.chance(share));
  }

  /** A permutation. */
  shuffled<T>(from: readonly T[]): T[] {
    const rest = [...from];
    return from.flatMap(() => rest.splice(this.below(rest.length), 1));
  }
}
