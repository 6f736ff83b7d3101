/**
 * Runs tasks one after another, each to its end, also across its awaits (grpc-go: `CallbackSerializer`).
 * State that only tasks of one queue touch can therefore not change under a task that waits. A task that
 * awaits another task of its own queue waits for ever.
 *
 * There is no limit here: callers add one task for an event that they bound themselves (a batch whose
 * acknowledgement is held back, a listener that became warm).
 */
export class SerialQueue {
  #last: Promise<unknown> = Promise.resolve();
  #length = 0;

  /** Tasks not finished yet. */
  get length(): number {
    return this.#length;
  }

  /** Settles as the task does; a task that fails does not stop those behind it. */
  run<T>(task: () => T | Promise<T>): Promise<T> {
    this.#length++;
    const result = this.#last.then(task).finally(() => {
      this.#length--;
    });
    this.#last = result.catch(() => undefined);
    return result;
  }
}
