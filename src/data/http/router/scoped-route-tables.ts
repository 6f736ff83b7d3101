/**
 * Route tables of a connection manager with scoped routes: the request's key names the scope, the scope the table.
 * Tables of SRDS are compiled when the first request of a scope comes, since of many scopes few are busy; scopes that
 * name the same route configuration share one.
 */
import type { RouteScope, ScopedRoutesConfig } from "../../../shared/config/scoped-routes.ts";
import type { RouteConfig } from "../../../shared/config/route-config.ts";
import type { OnDemandWant } from "../../../shared/protocol/on-demand.ts";
import type { WorkerContext } from "../../network/worker-context.ts";
import type { RoutedRequest } from "./compiled-route.ts";
import { RouteTable } from "./route-table.ts";
import { compileScopeKey, type ScopeKeyOf } from "./scope-key.ts";

interface WatchedTable extends Disposable {
  readonly table: RouteTable;
}

export class ScopedRouteTables implements Disposable {
  readonly #config: ScopedRoutesConfig;
  readonly #worker: Pick<WorkerContext, "routes" | "scopes" | "random" | "runtime">;
  readonly #keepHeaders: (names: readonly string[]) => void;
  readonly #keyOf: ScopeKeyOf;
  /** By key. */
  readonly #inline = new Map<string, RouteTable>();
  /** By name of the route configuration. */
  readonly #watched = new Map<string, WatchedTable>();

  /** `keepHeaders`: of requests, a table that is about to be used prints them later. */
  constructor(
    config: ScopedRoutesConfig,
    worker: Pick<WorkerContext, "routes" | "scopes" | "random" | "runtime">,
    keepHeaders: (names: readonly string[]) => void,
  ) {
    this.#config = config;
    this.#worker = worker;
    this.#keepHeaders = keepHeaders;
    this.#keyOf = compileScopeKey(config);
    if (config.scopes.kind === "srds") return;
    for (const scope of config.scopes.scopes)
      this.#inline.set(scope.key, this.#compile(scope.config));
  }

  /** Undefined: the request is of no scope, or the scope's routes are not here. */
  tableOf(request: RoutedRequest): RouteTable | undefined {
    const key = this.#keyOf(request);
    if (key === undefined) return undefined;
    if (this.#config.scopes.kind === "inline") return this.#inline.get(key);
    const routes = this.#worker.scopes.find(this.#config.name, key)?.routes;
    return routes === undefined ? undefined : this.#tableNamed(routes);
  }

  /** What to ask main for, where a scope is known and its routes are not here. */
  wantOf(request: RoutedRequest): OnDemandWant | undefined {
    const scope = this.#scopeOf(request);
    if (scope === undefined) return undefined;
    if (scope.routes !== undefined && this.#worker.routes.get(scope.routes)) return undefined;
    return { kind: "scope", scopes: this.#config.name, scope: scope.name };
  }

  [Symbol.dispose](): void {
    for (const watched of this.#watched.values()) watched[Symbol.dispose]();
    this.#watched.clear();
  }

  #scopeOf(request: RoutedRequest): RouteScope | undefined {
    const key = this.#keyOf(request);
    return key === undefined ? undefined : this.#worker.scopes.find(this.#config.name, key);
  }

  #tableNamed(name: string): RouteTable | undefined {
    const known = this.#watched.get(name);
    if (known !== undefined) return known.table;
    const { routes } = this.#worker;
    const config = routes.get(name);
    if (config === undefined) return undefined;
    const table = this.#compile(config);
    const watch = routes.watch(name, (_, change) => {
      if (change) this.#keepHeaders(table.update(change));
      else this.#forget(name);
    });
    this.#watched.set(name, { table, [Symbol.dispose]: () => watch[Symbol.dispose]() });
    return table;
  }

  /** It changed, or is gone: the next request sees. */
  #forget(name: string): void {
    this.#watched.get(name)?.[Symbol.dispose]();
    this.#watched.delete(name);
  }

  #compile(config: RouteConfig): RouteTable {
    const table = new RouteTable(config, this.#worker);
    this.#keepHeaders(table.requestHeadersUsed);
    return table;
  }
}
