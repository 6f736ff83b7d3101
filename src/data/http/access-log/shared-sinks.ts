/** What several loggers write to: opened for the first that names it, closed with its last user. */
export class SharedSinks<Sink extends Disposable> implements Disposable {
  readonly #sinks = new Map<string, { readonly sink: Sink; users: number }>();

  acquire(key: string, open: () => Sink): Sink {
    const shared = this.#sinks.get(key) ?? { sink: open(), users: 0 };
    shared.users++;
    this.#sinks.set(key, shared);
    return shared.sink;
  }

  release(key: string): void {
    const shared = this.#sinks.get(key);
    if (shared === undefined || --shared.users > 0) return;
    this.#sinks.delete(key);
    shared.sink[Symbol.dispose]();
  }

  *[Symbol.iterator](): Generator<Sink> {
    for (const { sink } of this.#sinks.values()) yield sink;
  }

  [Symbol.dispose](): void {
    for (const sink of this) sink[Symbol.dispose]();
    this.#sinks.clear();
  }
}
