/** What main tells one worker of by name: route configurations, secrets. Whoever watches hears of a change at once. */
import type { NamedValues } from "../network/worker-context.ts";

type OnChange<T> = (value: T | undefined) => void;

export class NamedTable<T> implements NamedValues<T> {
  readonly #values = new Map<string, T>();
  readonly #watchers = new Map<string, Set<OnChange<T>>>();

  get(name: string): T | undefined {
    return this.#values.get(name);
  }

  watch(name: string, onChange: OnChange<T>): Disposable {
    const watchers = this.#watchers.get(name) ?? new Set<OnChange<T>>();
    this.#watchers.set(name, watchers);
    // Its own identity, so that the same function may watch twice.
    const watcher: OnChange<T> = (value) => onChange(value);
    watchers.add(watcher);
    return {
      [Symbol.dispose]: () => {
        watchers.delete(watcher);
        if (watchers.size === 0 && this.#watchers.get(name) === watchers)
          this.#watchers.delete(name);
      },
    };
  }

  set(name: string, value: T): void {
    this.#values.set(name, value);
    this.#notify(name, value);
  }

  remove(name: string): void {
    if (this.#values.delete(name)) this.#notify(name, undefined);
  }

  #notify(name: string, value: T | undefined): void {
    for (const watcher of this.#watchers.get(name) ?? []) watcher(value);
  }
}
