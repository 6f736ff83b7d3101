/** Who serves which kind of what listeners wait for. */
import type { ListenerDependency } from "../config/decoded-listener.ts";
import type { AcquireDependency } from "../listener/listener-dependencies.ts";
import type { RdsApi } from "../listener/rds-api.ts";
import type { SecretManager } from "../secret/secret-manager.ts";
import type { WorkerSecrets } from "../secret/worker-secrets.ts";

export interface DependencyProviders {
  readonly routes: RdsApi;
  readonly secrets: SecretManager;
  readonly workerSecrets: WorkerSecrets;
}

export function acquireFrom({
  routes,
  workerSecrets,
}: Pick<DependencyProviders, "routes" | "workerSecrets">): AcquireDependency {
  return (dependency, onReady) => {
    switch (dependency.kind) {
      case "rds":
        return routes.acquire(dependency, onReady);
      case "sds":
        return workerSecrets.acquire(dependency.secret, onReady);
      default:
        return dependency satisfies never;
    }
  };
}

/** Why a dependency can never be served; undefined: it may. */
export function refusalFrom({
  secrets,
}: Pick<DependencyProviders, "secrets">): (dependency: ListenerDependency) => string | undefined {
  return (dependency) =>
    dependency.kind === "sds" ? secrets.refusalOf(dependency.secret) : undefined;
}
