/** `--mode validate`: as strict as serving, and binds nothing. */
import type { Logger } from "../../shared/common/log.ts";
import type { BootstrapConfig } from "../config/bootstrap-config.ts";
import type { ApiConfigSource } from "../config/config-source.ts";
import { filePathError } from "../xds/file-source.ts";
import { loadBootstrap } from "./bootstrap-loader.ts";
import type { ServerOptions } from "./options.ts";
import { sourceClusters } from "./xds-clients.ts";

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
  const { ads, lds, cds } = bootstrap.dynamicResources;
  if (ads) errors.push(...unknownClusters(ads, clusters).map((error) => `ads_config: ${error}`));
  for (const [kind, source] of Object.entries({ lds, cds })) {
    const where = `dynamic_resources.${kind}_config`;
    const pathError = source?.kind === "path" ? filePathError(source.path) : undefined;
    if (pathError !== undefined) errors.push(`${where}: ${pathError}`);
    if (source?.kind === "api")
      errors.push(...unknownClusters(source.api, clusters).map((error) => `${where}: ${error}`));
  }
  return errors;
}

function unknownClusters(source: ApiConfigSource, known: ReadonlySet<string>): readonly string[] {
  return sourceClusters(source)
    .filter((name) => !known.has(name))
    .map((name) => `unknown cluster '${name}', it must be a static one`);
}
