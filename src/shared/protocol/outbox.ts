/**
 * What one thread says to another, in batches: all that is said within one turn of the event loop goes as one
 * message, in its order. Ten thousand listeners were ten thousand messages each way, and waking a thread for
 * each of them cost more than what they said.
 *
 * It holds what one turn says and no more; whoever has much to say lets the loop turn meanwhile (`TimeSlices`).
 */
export class Outbox<T> {
  readonly #send: (batch: readonly T[]) => void;
  #batch: T[] = [];

  constructor(send: (batch: readonly T[]) => void) {
    this.#send = send;
  }

  post(one: T): void {
    if (this.#batch.push(one) > 1) return;
    // Not `nextTick`: it does not run after a callback from the reactor's poll.
    setImmediate(() => this.flush());
  }

  /** At once: the thread is about to end. */
  flush(): void {
    if (this.#batch.length === 0) return;
    const batch = this.#batch;
    this.#batch = [];
    this.#send(batch);
  }
}
