/** The route configurations of one worker, by name; of some, virtual hosts change by themselves (VHDS). */
import type { RouteConfig, VirtualHostChange } from "../../shared/config/route-config.ts";
import type { SetVirtualHosts } from "../../shared/protocol/worker-command.ts";
import type { NamedValues } from "../network/worker-context.ts";
import { NamedTable } from "./named-table.ts";

type RouteConfigs = NamedValues<RouteConfig, VirtualHostChange>;

export class WorkerRouteTable implements RouteConfigs {
  readonly #configs = new NamedTable<RouteConfig, VirtualHostChange>();

  get(name: string): RouteConfig | undefined {
    return this.#configs.get(name);
  }

  watch(...args: Parameters<RouteConfigs["watch"]>): Disposable {
    return this.#configs.watch(...args);
  }

  set(config: RouteConfig): void {
    this.#configs.set(config.name, config);
  }

  /** Of one that is gone meanwhile, or does not discover them: nothing. */
  setVirtualHosts({ routes, changed, removed }: SetVirtualHosts): void {
    const before = this.#configs.get(routes);
    if (!before?.discovered) return;
    const gone = new Set([...removed, ...changed.map((host) => host.name)]);
    const kept = before.discovered.filter((host) => !gone.has(host.name));
    this.#configs.set(
      routes,
      { ...before, discovered: [...kept, ...changed] },
      { changed, removed },
    );
  }

  remove(name: string): void {
    this.#configs.remove(name);
  }
}
