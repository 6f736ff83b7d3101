/** What main tells one worker of by name: route configurations, secrets. Whoever watches hears of a change at once. */
import type { NamedValues } from "../network/worker-context.ts";

type OnChange<T, Change> = (value: T | undefined, change?: Change) => void;

/** `Change`: what can be said of a change short of the whole value. */
export class NamedTable<T, Change = never> implements NamedValues<T, Change> {
  readonly #values = new Map<string, T>();
  readonly #watchers = new Map<string, Set<OnChange<T, Change>>>();

  get(name: string): T | undefined {
    return this.#values.get(name);
  }

  watch(name: string, onChange: OnChange<T, Change>): Disposable {
    const watchers = this.#watchers.get(name) ?? new Set<OnChange<T, Change>>();
    this.#watchers.set(name, watchers);
    // Its own identity, so that the same function may watch twice.
    const watcher: OnChange<T, Change> = (value, change) => onChange(value, change);
    watchers.add(watcher);
    return {
      [Symbol.dispose]: () => {
        watchers.delete(watcher);
        if (watchers.size === 0 && this.#watchers.get(name) === watchers)
          this.#watchers.delete(name);
      },
    };
  }

  /** `change`: it is all that differs. */
  set(name: string, value: T, change?: Change): void {
    this.#values.set(name, value);
    this.#notify(name, value, change);
  }

  remove(name: string): void {
    if (this.#values.delete(name)) this.#notify(name, undefined);
  }

  #notify(name: string, value: T | undefined, change?: Change): void {
    for (const watcher of this.#watchers.get(name) ?? []) watcher(value, change);
  }
}
