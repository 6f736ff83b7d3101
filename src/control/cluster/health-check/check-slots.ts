/** How many checks of one cluster are under way at once; the others wait their turn, each host at most once. */
export const checksMax = 128;

export class CheckSlots {
  readonly #onWait: () => void;
  readonly #waiting = new Set<() => void>();
  #free = checksMax;

  /** `onWait` is called when one has to. */
  constructor(onWait: () => void) {
    this.#onWait = onWait;
  }

  /** Begins now or when one is free. Disposed before: never. Disposed after: the next one may begin. */
  take(begin: () => void): Disposable {
    let state: "waiting" | "begun" | "over" = "waiting";
    const start = (): void => {
      state = "begun";
      this.#free--;
      begin();
    };
    if (this.#free > 0) start();
    else {
      this.#waiting.add(start);
      this.#onWait();
    }
    return {
      [Symbol.dispose]: () => {
        if (state === "begun") this.#release();
        this.#waiting.delete(start);
        state = "over";
      },
    };
  }

  #release(): void {
    this.#free++;
    for (const start of this.#waiting) {
      this.#waiting.delete(start);
      start();
      return;
    }
  }
}
