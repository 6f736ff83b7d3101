/**
 * The scopes of one `scoped_routes` that come by SRDS (Envoy: `ScopedRdsConfigSubscription`): what is held, which route
 * configuration each has, what workers are told.
 *
 * Make before break: a scope that changes its route configuration goes on with the one it has until the other
 * has come, and what a push gives up is released after what it takes is acquired, since it may be the same.
 */
import type { RouteScope } from "../../shared/config/scoped-routes.ts";
import type { SetScopes } from "../../shared/protocol/worker-command.ts";
import type { DecodedScope } from "../config/decoded-scope.ts";
import type { Resource, ResourceBatch } from "../xds/resource-batch.ts";
import type { DependencyLease } from "./listener-dependencies.ts";
import { scopeConflicts } from "./scope-conflicts.ts";
import type { ScopeView } from "./scope-view.ts";

export interface ScopeSetContext {
  readonly name: string;
  readonly postTo: (worker: number, command: SetScopes) => void;
  readonly acquireRoutes: (
    routeConfigName: string,
    onReady: () => void,
  ) => Required<DependencyLease>;
  readonly wallTime: () => number;
  /** Something is to be counted or waited for anew. */
  readonly onChange: () => void;
}

/** A route configuration, and what keeps it subscribed. */
interface HeldRoutes {
  readonly name: string;
  readonly lease: Required<DependencyLease>;
}

type ScopeState =
  /** On demand, and nobody has asked. */
  | { readonly kind: "unasked" }
  /** `before`: what serves meanwhile. */
  | {
      readonly kind: "loading";
      readonly routes: HeldRoutes;
      readonly before: HeldRoutes | undefined;
    }
  | { readonly kind: "active"; readonly routes: HeldRoutes };

interface HeldScope {
  readonly resource: Resource<DecodedScope>;
  readonly lastUpdatedMs: number;
  state: ScopeState;
  /** To be called when it is no longer loading, or gone. */
  readonly asking: Set<() => void>;
}

export class ScopeSet implements Disposable {
  readonly #context: ScopeSetContext;
  readonly #scopes = new Map<string, HeldScope>();
  /** Those that serve a listener with it. */
  readonly #workers = new Set<number>();
  #version = "";
  #lastUpdatedMs = 0;

  constructor(context: ScopeSetContext) {
    this.#context = context;
  }

  get version(): string {
    return this.#version;
  }

  get lastUpdatedMs(): number {
    return this.#lastUpdatedMs;
  }

  get workers(): Iterable<number> {
    return this.#workers;
  }

  /** From now on the worker is told, beginning with all that is held. */
  provideTo(worker: number): void {
    if (this.#workers.has(worker)) return;
    this.#workers.add(worker);
    for (const { state } of this.#scopes.values())
      for (const { lease } of routesOf(state)) lease.provideTo(worker);
    this.#context.postTo(worker, this.#command([...this.#scopes.keys()], []));
  }

  /** Names of scopes whose routes are under way. */
  get loading(): readonly string[] {
    return [...this.#scopes].flatMap(([name, { state }]) =>
      state.kind === "loading" ? [name] : [],
    );
  }

  /** Clusters that the routes of all scopes point at. */
  get clusterNames(): readonly string[] {
    const names = [...this.#scopes.values()].flatMap(({ state }) =>
      state.kind === "unasked" ? [] : state.routes.lease.clusterNames,
    );
    return [...new Set(names)];
  }

  /** As Envoy counts them: all, those that are on demand, those that have a subscription to their routes. */
  get sizes(): { readonly all: number; readonly onDemand: number; readonly active: number } {
    const scopes = [...this.#scopes.values()];
    return {
      all: scopes.length,
      onDemand: scopes.filter(({ resource }) => resource.value.isOnDemand).length,
      active: scopes.filter(({ state }) => state.kind !== "unasked").length,
    };
  }

  /** Applies a push; a scope whose key belongs to another is refused. */
  apply(batch: ResourceBatch<DecodedScope>): void {
    const held = [...this.#scopes.values()].map(({ resource }) => resource.value);
    const values = batch.changed.map(({ value }) => value);
    const conflicts = scopeConflicts(held, values, batch.removed);
    for (const { name, message } of conflicts) batch.refuse(name, message);
    const refused = new Set(conflicts.map(({ name }) => name));
    const changed = batch.changed.filter(({ name }) => !refused.has(name));
    const removed = batch.removed.filter((name) => this.#scopes.has(name));
    if (changed.length + removed.length === 0) return;
    this.#version = batch.version;
    this.#lastUpdatedMs = this.#context.wallTime();
    const ended = removed.flatMap((name) => this.#remove(name) ?? []);
    const leftOver = ended.flatMap(({ state }) => routesOf(state));
    leftOver.push(...changed.flatMap((resource) => this.#addOrUpdate(resource)));
    const names = changed.map(({ name }) => name);
    this.#tell(names, removed);
    for (const { lease } of leftOver) lease[Symbol.dispose]();
    for (const scope of ended) answer(scope);
    for (const name of names) this.#answerIfSettled(name);
    this.#context.onChange();
  }

  /** A request needs the routes of a scope. Calls back when they are there, or known not to be. */
  want(name: string, onAnswered: () => void): Disposable {
    const scope = this.#scopes.get(name);
    if (scope?.state.kind === "unasked") {
      scope.state = this.#load(scope.resource.value, undefined);
      this.#tell([name], []);
      this.#context.onChange();
    }
    if (scope?.state.kind === "loading") scope.asking.add(onAnswered);
    else onAnswered();
    return { [Symbol.dispose]: () => void scope?.asking.delete(onAnswered) };
  }

  views(): readonly ScopeView[] {
    return [...this.#scopes.values()].map(({ resource, lastUpdatedMs, state }) => {
      const { name, version, bytes, value } = resource;
      const { routeConfigName } = value;
      const view = { name, version, bytes, lastUpdatedMs, routeConfigName };
      return { ...view, state: state.kind === "active" ? "active" : state.kind };
    });
  }

  [Symbol.dispose](): void {
    for (const scope of [...this.#scopes.keys()].flatMap((name) => this.#remove(name) ?? [])) {
      for (const { lease } of routesOf(scope.state)) lease[Symbol.dispose]();
      answer(scope);
    }
  }

  #remove(name: string): HeldScope | undefined {
    const scope = this.#scopes.get(name);
    this.#scopes.delete(name);
    return scope;
  }

  /** What is no longer held, to be released. */

  #addOrUpdate(resource: Resource<DecodedScope>): HeldRoutes[] {
    const { name, value } = resource;
    const old = this.#scopes.get(name);
    const before = old ? servingOf(old.state) : undefined;
    const staysUnasked = value.isOnDemand && (old?.state.kind ?? "unasked") === "unasked";
    const state: ScopeState = staysUnasked ? { kind: "unasked" } : this.#load(value, before);
    const asking = old?.asking ?? new Set();
    this.#scopes.set(name, { resource, lastUpdatedMs: this.#context.wallTime(), state, asking });
    const kept = routesOf(state);
    return old ? routesOf(old.state).filter((routes) => !kept.includes(routes)) : [];
  }

  #load({ name, routeConfigName }: DecodedScope, before: HeldRoutes | undefined): ScopeState {
    const lease = this.#context.acquireRoutes(routeConfigName, () => this.#onLoaded(name, lease));
    for (const worker of this.#workers) lease.provideTo(worker);
    const routes = { name: routeConfigName, lease };
    return lease.isReady ? { kind: "active", routes } : { kind: "loading", routes, before };
  }

  #onLoaded(name: string, lease: DependencyLease): void {
    const scope = this.#scopes.get(name);
    if (scope?.state.kind !== "loading" || scope.state.routes.lease !== lease) return;
    const { routes, before } = scope.state;
    scope.state = { kind: "active", routes };
    if (before) this.#tell([name], []);
    before?.lease[Symbol.dispose]();
    answer(scope);
    this.#context.onChange();
  }

  #answerIfSettled(name: string): void {
    const scope = this.#scopes.get(name);
    if (scope && scope.state.kind !== "loading") answer(scope);
  }

  #tell(names: readonly string[], removed: readonly string[]): void {
    const command = this.#command(names, removed);
    for (const worker of this.#workers) this.#context.postTo(worker, command);
  }

  #command(names: readonly string[], removed: readonly string[]): SetScopes {
    const changed = names.flatMap((name): RouteScope[] => {
      const scope = this.#scopes.get(name);
      if (!scope) return [];
      const routes = servingOf(scope.state) ?? routesOf(scope.state)[0];
      return [{ name, key: scope.resource.value.key, routes: routes?.name }];
    });
    return { kind: "setScopes", name: this.#context.name, changed, removed };
  }
}

/** After workers were told. Whoever asked looks again. */
function answer({ asking }: HeldScope): void {
  const all = [...asking];
  asking.clear();
  for (const onAnswered of all) onAnswered();
}

function routesOf(state: ScopeState): HeldRoutes[] {
  if (state.kind === "unasked") return [];
  return state.kind === "loading" && state.before ? [state.routes, state.before] : [state.routes];
}

/** What requests get at present. */
function servingOf(state: ScopeState): HeldRoutes | undefined {
  if (state.kind === "active") return state.routes;
  return state.kind === "loading" ? state.before : undefined;
}
