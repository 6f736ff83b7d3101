/**
 * The way out of a relay: both sockets can leave it while nothing is under way between them, neither in a pipe nor queued.
 *
 * What a newcomer would get wrong: a direction whose sink takes all is empty after each turn, one whose sink is slow never
 * for long. Two slow ones are empty together only if the first waits for the second (`holds`); one that waits for somebody
 * who does not read would wait for ever, so the owner lets it go on after a while.
 */
export interface LeavingRelay {
  /** What has become empty stays so, although its source has more. */
  readonly holds: boolean;
  /** Nothing is under way any more, and nothing more is read. */
  readonly onEmpty: () => void;
}

export class RelayExit {
  readonly #directions: { readonly bytesUnderway: number }[] = [];
  #leaving: LeavingRelay | undefined = undefined;
  #isReached = false;

  add(direction: { readonly bytesUnderway: number }): void {
    this.#directions.push(direction);
  }

  get isEmpty(): boolean {
    return this.#directions.every(({ bytesUnderway }) => bytesUnderway === 0);
  }

  /** Calls once, maybe at once. Undefined: nobody leaves. */
  set(leaving: LeavingRelay | undefined): void {
    this.#leaving = leaving;
    this.#isReached = false;
    this.mayRead();
  }

  /** Asked by a direction that has moved all it had. */
  mayRead(): boolean {
    if (this.#leaving === undefined) return true;
    if (!this.isEmpty) return !this.#leaving.holds;
    if (!this.#isReached) {
      this.#isReached = true;
      this.#leaving.onEmpty();
    }
    return false;
  }
}
