/**
 * Puts together what brings routes: RDS with VHDS, and SRDS over it; and who looks for what requests wait for.
 */
import type { ClusterManager } from "../cluster/cluster-manager.ts";
import type { OdcdsApi } from "../cluster/odcds-api.ts";
import type { ListenerDependency } from "../config/decoded-listener.ts";
import type { DependencyLease } from "../listener/listener-dependencies.ts";
import type { AnswerWant } from "../listener/on-demand-desk.ts";
import { RdsApi } from "../listener/rds-api.ts";
import { ScopedRdsApi } from "../listener/scoped-rds-api.ts";
import { VhdsApi } from "../listener/vhds-api.ts";
import type { ControlPlaneParts } from "./control-plane-parts.ts";
import type { XdsSources } from "./xds-setup.ts";

export interface Routing {
  readonly routes: RdsApi;
  readonly scopedRoutes: ScopedRdsApi;
}

export function createRouting(
  { pool, slabs, clock, loggerOf }: ControlPlaneParts,
  sources: XdsSources,
  {
    clusters,
    odcds,
  }: { readonly clusters: ClusterManager; readonly odcds: Pick<OdcdsApi, "hold"> },
): Routing {
  const { stats } = slabs;
  const wallTime = (): number => clock.wallTime();
  const log = loggerOf("config");
  const { warming } = clusters;
  const vhds = new VhdsApi({
    source: sources.virtualHosts,
    stats,
    warming,
    hasCluster: (name) => clusters.hasCluster(name),
    clock,
    log,
  });
  const holdFeed = (feed: string): Disposable => odcds.hold(feed);
  const routes = new RdsApi({
    pool,
    source: sources.routes,
    warming,
    holdFeed,
    vhds,
    wallTime,
    log,
  });
  const source = sources.scopes;
  return {
    routes,
    scopedRoutes: new ScopedRdsApi({ pool, stats, routes, source, wallTime, log }),
  };
}

export type RouteDependency = Extract<ListenerDependency, { readonly kind: "rds" | "srds" }>;

export function acquireRoutesFrom({
  routes,
  scopedRoutes,
}: Routing): (dependency: RouteDependency, onReady: () => void) => DependencyLease {
  return (dependency, onReady) =>
    dependency.kind === "rds"
      ? routes.acquire(dependency, onReady)
      : scopedRoutes.acquire(dependency, onReady);
}

/** Who looks for what requests wait for. */
export function answerFrom(
  { routes, scopedRoutes }: Routing,
  odcds: Pick<OdcdsApi, "want">,
): AnswerWant {
  return (want, onAnswered) => {
    switch (want.kind) {
      case "scope":
        return scopedRoutes.want(want.scopes, want.scope, onAnswered);
      case "virtualHost":
        return routes.want(want.routes, want.host, onAnswered);
      case "cluster":
        return odcds.want(want, onAnswered);
      default:
        return want satisfies never;
    }
  };
}
