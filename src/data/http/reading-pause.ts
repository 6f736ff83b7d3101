/** Why a body is not read on: it is as long as one reason stands. */
export class ReadingPause<Reason extends string> {
  readonly #onChanged: (isReading: boolean) => void;
  /** Made for the first of them: most bodies are never held up. */
  #reasons: Set<Reason> | undefined;
  #isPaused = false;

  constructor(onChanged: (isReading: boolean) => void) {
    this.#onChanged = onChanged;
  }

  begin(reason: Reason): void {
    (this.#reasons ??= new Set()).add(reason);
    this.#update();
  }

  end(reason: Reason): void {
    this.#reasons?.delete(reason);
    this.#update();
  }

  /** It stands no more, which is acted on with the next change: now is no time for more of the body. */
  forget(reason: Reason): void {
    this.#reasons?.delete(reason);
  }

  endAll(): void {
    // Nearly always: with every request that is over.
    if (!this.#isPaused) return;
    this.#reasons?.clear();
    this.#update();
  }

  #update(): void {
    const isPaused = this.#reasons !== undefined && this.#reasons.size > 0;
    if (isPaused === this.#isPaused) return;
    this.#isPaused = isPaused;
    this.#onChanged(!isPaused);
  }
}
