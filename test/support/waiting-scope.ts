/** Requests that wait for the routes of a scope, and main's answer to them, played by the test. */
import type { HttpConnectionManagerConfig } from "../../src/shared/config/http-config.ts";
import type { Route } from "../../src/shared/config/route-config.ts";
import { type RouteScope, scopeKeyText } from "../../src/shared/config/scoped-routes.ts";
import type { OnDemandWant } from "../../src/shared/protocol/on-demand.ts";
import { routeConfig, virtualHost } from "./http-fixture.ts";
import type { TestWorkers } from "./test-workers.ts";

export const onDemand = { kind: "onDemand", name: "on_demand", clusters: undefined } as const;

/** Scopes by `x-scope`; requests may wait. */
export const scoped: Partial<HttpConnectionManagerConfig> = {
  routes: {
    kind: "scoped",
    config: {
      name: "s",
      keyBuilder: [
        { header: "x-scope", elementSeparator: "", extract: { kind: "index", index: 0 } },
      ],
      scopes: { kind: "srds" },
    },
  },
  filters: [onDemand, { kind: "router", suppressEnvoyHeaders: false }],
};
export const want: OnDemandWant = { kind: "scope", scopes: "s", scope: "a" };
export const unloaded: RouteScope = { name: "a", key: scopeKeyText(["a"]), routes: undefined };

export function setScope(workers: TestWorkers, scope: RouteScope): void {
  workers.post({ kind: "setScopes", name: "s", changed: [scope], removed: [] });
}

/** As main does it when the routes have come. */
export function answer(workers: TestWorkers, routes: readonly Route[]): void {
  const virtualHosts = [virtualHost(["*"], routes)];
  workers.post({ kind: "setRoutes", config: routeConfig({ name: "r", virtualHosts }) });
  setScope(workers, { ...unloaded, routes: "r" });
  workers.post({ kind: "answered", want, outcome: "answered" });
}

export const wanted = (workers: TestWorkers): Promise<void> =>
  workers.until((event) => event.kind === "wanted");
export const pinged = (workers: TestWorkers): Promise<void> =>
  workers.request((reply) => ({ kind: "ping", reply }));
