/** The scopes of SRDS on one worker: by name, as main changes them, and by key, as requests look them up. */
import type { RouteScope } from "../../shared/config/scoped-routes.ts";
import type { SetScopes } from "../../shared/protocol/worker-command.ts";
import type { ScopeTable } from "../network/worker-context.ts";

interface ScopeSet {
  readonly byName: Map<string, RouteScope>;
  readonly byKey: Map<string, RouteScope>;
}

export class WorkerScopeTable implements ScopeTable {
  readonly #sets = new Map<string, ScopeSet>();

  find(set: string, key: string): RouteScope | undefined {
    return this.#sets.get(set)?.byKey.get(key);
  }

  /** All that goes, goes first: a key may move from one scope to another, two may change places. */
  set({ name, changed, removed }: SetScopes): void {
    const set = this.#sets.get(name) ?? { byName: new Map(), byKey: new Map() };
    this.#sets.set(name, set);
    for (const scope of [...removed, ...changed.map((each) => each.name)]) {
      const before = set.byName.get(scope);
      if (!before) continue;
      set.byName.delete(scope);
      set.byKey.delete(before.key);
    }
    for (const scope of changed) {
      set.byName.set(scope.name, scope);
      set.byKey.set(scope.key, scope);
    }
  }

  remove(name: string): void {
    this.#sets.delete(name);
  }
}
