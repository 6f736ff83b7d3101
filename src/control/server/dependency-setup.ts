/** What listeners wait for and hold while they live, and who serves which kind of it. */
import type { ClusterManager } from "../cluster/cluster-manager.ts";
import { OdcdsApi } from "../cluster/odcds-api.ts";
import type { ListenerDependency } from "../config/decoded-listener.ts";
import { EcdsApi } from "../listener/ecds-api.ts";
import type { AcquireDependency, DependencyLease } from "../listener/listener-dependencies.ts";
import { OnDemandDesk } from "../listener/on-demand-desk.ts";
import type { RdsApi } from "../listener/rds-api.ts";
import type { ScopedRdsApi } from "../listener/scoped-rds-api.ts";
import type { SecretFiles } from "../secret/secret-files.ts";
import { SecretManager } from "../secret/secret-manager.ts";
import { WorkerSecrets } from "../secret/worker-secrets.ts";
import { serverOrder } from "../tls/context-order.ts";
import { contextErrorOf } from "../tls/judge-tls.ts";
import type { TlsContexts } from "../tls/tls-contexts.ts";
import type { ControlPlaneParts } from "./control-plane-parts.ts";
import { acquireRoutesFrom, answerFrom, createRouting } from "./routing-setup.ts";
import type { XdsSources } from "./xds-setup.ts";

export interface ListenerDependencies {
  readonly routes: RdsApi;
  readonly scopedRoutes: ScopedRdsApi;
  readonly extensions: EcdsApi;
  readonly acquire: AcquireDependency;
  /** Why a dependency can never be served; undefined: it may. */
  readonly refusalOf: (dependency: ListenerDependency) => string | undefined;
}

interface DependencyManagers {
  readonly clusters: ClusterManager;
  readonly secrets: SecretManager;
  readonly tls: TlsContexts;
  readonly files: SecretFiles;
}

/** Nothing to wait for. */
function heldFeed(hold: Disposable): DependencyLease {
  return { isReady: true, clusterNames: [], [Symbol.dispose]: () => hold[Symbol.dispose]() };
}

export function createSecretManager(
  { bootstrap, slabs, clock, loggerOf }: ControlPlaneParts,
  sources: XdsSources,
  files: SecretFiles,
): SecretManager {
  return new SecretManager({
    statics: bootstrap.staticSecrets,
    source: sources.secrets,
    files,
    stats: slabs.stats,
    wallTime: () => clock.wallTime(),
    log: loggerOf("config"),
  });
}

export function createListenerDependencies(
  parts: ControlPlaneParts,
  sources: XdsSources,
  managers: DependencyManagers,
): ListenerDependencies {
  const { clusters, secrets, tls } = managers;
  const { pool, slabs, clock, loggerOf } = parts;
  const common = { pool, wallTime: () => clock.wallTime(), log: loggerOf("config") };
  const workerSecrets = new WorkerSecrets(pool, secrets);
  const odcds = new OdcdsApi({
    feed: sources.demandedClusters,
    clusters,
    stats: slabs.stats,
    clock,
    log: loggerOf("upstream"),
  });
  const { routes, scopedRoutes } = createRouting(parts, sources, { clusters, odcds });
  new OnDemandDesk(pool, answerFrom({ routes, scopedRoutes }, odcds));
  const acquireRoutes = acquireRoutesFrom({ routes, scopedRoutes });
  const acquire: AcquireDependency = (dependency, onReady, owner) => {
    switch (dependency.kind) {
      case "rds":
      case "srds":
        return acquireRoutes(dependency, onReady);
      case "sds":
        return workerSecrets.acquire(dependency.secret, onReady);
      case "tls": {
        const statPrefix = owner?.statPrefix ?? "";
        return tls.acquireServer(dependency.config, { statPrefix, onReady });
      }
      case "ecds":
        return extensions.acquire(dependency.subscription, onReady);
      case "odcds":
        return heldFeed(odcds.hold(dependency.feed));
      default:
        return dependency satisfies never;
    }
  };
  const extensions = new EcdsApi({
    ...common,
    stats: slabs.stats,
    source: sources.extensions,
    dependencies: acquire,
    hasCluster: (name) => clusters.hasCluster(name),
  });
  return {
    routes,
    scopedRoutes,
    extensions,
    acquire,
    refusalOf: (dependency) => refusalOf(dependency, parts, managers),
  };
}

function refusalOf(
  dependency: ListenerDependency,
  { bootstrap }: ControlPlaneParts,
  { secrets, files }: DependencyManagers,
): string | undefined {
  if (dependency.kind === "sds") return secrets.refusalOf(dependency.secret);
  if (dependency.kind !== "tls") return undefined;
  return contextErrorOf(serverOrder(dependency.config), {
    statics: bootstrap.staticSecrets,
    files,
  });
}
