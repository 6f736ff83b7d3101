/** `--mode validate`: as strict as serving, and binds nothing. */
import type { Logger } from "../../shared/common/log.ts";
import type { BootstrapConfig } from "../config/bootstrap-config.ts";
import { filePathError } from "../xds/file-source.ts";
import { loadBootstrap } from "./bootstrap-loader.ts";
import type { ServerOptions } from "./options.ts";

/** Everything that is wrong; empty: it can be served. */
export function validate(options: ServerOptions, log: Logger): readonly string[] {
  const result = loadBootstrap(options, log);
  return result.ok ? crossChecks(result.loaded.bootstrap) : result.errors;
}

/** What one resource alone cannot tell: names of clusters that must exist, names that must differ. */
export function crossChecks(bootstrap: BootstrapConfig): readonly string[] {
  const clusters = new Set(bootstrap.staticClusters.map(({ config }) => config.name));
  const errors = bootstrap.staticListeners.flatMap(({ config, requiredClusters }) =>
    requiredClusters
      .filter((name) => !clusters.has(name))
      .map((name) => `error adding listener '${config.name}': route: unknown cluster '${name}'`),
  );
  const ads = bootstrap.dynamicResources.ads?.service.clusterName;
  if (ads !== undefined && !clusters.has(ads))
    errors.push(`ads_config: unknown cluster '${ads}', it must be a static one`);
  for (const kind of ["lds", "cds"] as const) {
    const source = bootstrap.dynamicResources[kind];
    const error = source?.kind === "path" ? filePathError(source.path) : undefined;
    if (error !== undefined) errors.push(`dynamic_resources.${kind}_config: ${error}`);
    if (source?.kind === "api")
      errors.push(`dynamic_resources.${kind}_config: api_config_source is not built, use ads`);
  }
  return errors;
}
