/**
 * Network filters that came by ECDS, by their ids. A new version is for new connections; main hears when the last
 * connection of the one before it has gone, and not before lets go of the routes, secrets and stats that it uses.
 */
import type { DiscoveredNetworkFilter } from "../../shared/protocol/worker-command.ts";
import type { FilterVersion, NamedValues } from "../network/worker-context.ts";
import { NamedTable } from "./named-table.ts";

class Version implements FilterVersion {
  readonly filter: DiscoveredNetworkFilter;
  #users = 0;
  #onUnused: (() => void) | undefined;

  constructor(filter: DiscoveredNetworkFilter) {
    this.filter = filter;
  }

  use(): Disposable {
    let isUsed = true;
    this.#users++;
    return {
      [Symbol.dispose]: () => {
        if (!isUsed) return;
        isUsed = false;
        this.#users--;
        this.#endIfUnused();
      },
    };
  }

  /** Nobody finds it any more. `onUnused` is called once, maybe before this returns. */
  supersede(onUnused: () => void): void {
    this.#onUnused = onUnused;
    this.#endIfUnused();
  }

  #endIfUnused(): void {
    if (this.#users > 0) return;
    const onUnused = this.#onUnused;
    this.#onUnused = undefined;
    onUnused?.();
  }
}

export class FilterVersions implements NamedValues<FilterVersion> {
  readonly #table = new NamedTable<Version>();

  get(id: string): FilterVersion | undefined {
    return this.#table.get(id);
  }

  watch(id: string, onChange: (version: FilterVersion | undefined) => void): Disposable {
    return this.#table.watch(id, onChange);
  }

  /** `onUnused`: nobody is served by the version before it, or there was none. */
  set(id: string, filter: DiscoveredNetworkFilter, onUnused: () => void): void {
    const before = this.#table.get(id);
    this.#table.set(id, new Version(filter));
    // Those who watch have let go of what is idle.
    if (before) before.supersede(onUnused);
    else onUnused();
  }

  remove(id: string, onUnused: () => void): void {
    const before = this.#table.get(id);
    this.#table.remove(id);
    if (before) before.supersede(onUnused);
    else onUnused();
  }
}
