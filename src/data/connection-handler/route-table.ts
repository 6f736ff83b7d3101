/** The route configurations of one worker, by name. Open connections hear of a new one at once. */
import type { RouteConfig, VirtualHostChange } from "../../shared/config/route-config.ts";
import type { SetVirtualHosts } from "../../shared/protocol/worker-command.ts";
import type { RouteConfigTable } from "../network/worker-context.ts";

type OnChange = Parameters<RouteConfigTable["watch"]>[1];

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
    const watcher: OnChange = (config, change) => onChange(config, change);
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

  /** Of one that is gone meanwhile, or does not discover them: nothing. */
  setVirtualHosts({ routes, changed, removed }: SetVirtualHosts): void {
    const before = this.#configs.get(routes);
    if (!before?.discovered) return;
    const gone = new Set([...removed, ...changed.map((host) => host.name)]);
    const kept = before.discovered.filter((host) => !gone.has(host.name));
    const config = { ...before, discovered: [...kept, ...changed] };
    this.#configs.set(routes, config);
    this.#notify(routes, config, { changed, removed });
  }

  remove(name: string): void {
    if (this.#configs.delete(name)) this.#notify(name, undefined);
  }

  #notify(name: string, config: RouteConfig | undefined, change?: VirtualHostChange): void {
    for (const watcher of this.#watchers.get(name) ?? []) watcher(config, change);
  }
}
