/** The route configurations of one worker, by name. Open connections hear of a new one at once. */
import type { RouteConfig } from "../../shared/config/route-config.ts";
import type { RouteConfigTable } from "../network/worker-context.ts";

type OnChange = (config: RouteConfig | undefined) => void;

export class WorkerRouteTable implements RouteConfigTable {
  readonly #configs = new Map<string, RouteConfig>();
  readonly #watchers = new Map<string, Set<OnChange>>();

  get(name: string): RouteConfig | undefined {
    return this.#configs.get(name);
  }

  watch(name: string, onChange: OnChange): Disposable {
    const watchers = this.#watchers.get(name) ?? new Set<OnChange>();
    this.#watchers.set(name, watchers);
    // Its own identity, so that the same function may watch twice.
    const watcher: OnChange = (config) => onChange(config);
    watchers.add(watcher);
    return {
      [Symbol.dispose]: () => {
        watchers.delete(watcher);
        if (watchers.size === 0 && this.#watchers.get(name) === watchers)
          this.#watchers.delete(name);
      },
    };
  }

  set(config: RouteConfig): void {
    this.#configs.set(config.name, config);
    this.#notify(config.name, config);
  }

  remove(name: string): void {
    if (this.#configs.delete(name)) this.#notify(name, undefined);
  }

  #notify(name: string, config: RouteConfig | undefined): void {
    for (const watcher of this.#watchers.get(name) ?? []) watcher(config);
  }
}
