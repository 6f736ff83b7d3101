/** Tasks of the end of a round. What a task adds runs at the end of the next one, so no round is endless. */
export class TaskList {
  #tasks: (() => void)[] = [];
  /** The other array, so that a round allocates none. */
  #spare: (() => void)[] = [];

  get size(): number {
    return this.#tasks.length;
  }

  add(task: () => void): void {
    this.#tasks.push(task);
  }

  /** Runs all that were added before; what one throws goes to `owner`, and the others go on. */
  run(owner: { bug(error: unknown): void }): void {
    const batch = this.#tasks;
    this.#tasks = this.#spare;
    this.#spare = batch;
    for (const task of batch) {
      try {
        task();
      } catch (error) {
        owner.bug(error);
      }
    }
    batch.length = 0;
  }
}
