/** `--mode validate`: as strict as serving, and binds nothing. */
import { existsSync } from "node:fs";
import { dirname } from "node:path";
import type { Logger } from "../../shared/common/log.ts";
import type { BootstrapConfig } from "../config/bootstrap-config.ts";
import type { ApiConfigSource, ConfigSource } from "../config/config-source.ts";
import { dependencyName, type ListenerDependency, sourcesOf } from "../config/decoded-listener.ts";
import { duplicateAddresses } from "../listener/listener-sockets.ts";
import { filePathError } from "../xds/file-source.ts";
import { type SecretFiles, systemFiles } from "../secret/secret-files.ts";
import { loadBootstrap } from "./bootstrap-loader.ts";
import type { ServerOptions } from "./options.ts";
import { tlsErrors } from "./tls-checks.ts";
import { sourceClusters } from "./xds-clients.ts";

/** Everything that is wrong; empty: it can be served. */
export async function validate(options: ServerOptions, log: Logger): Promise<readonly string[]> {
  const result = await loadBootstrap(options, log);
  if (!result.ok) return result.errors;
  const { bootstrap } = result.loaded;
  for (const warning of crossWarnings(bootstrap)) log.warning(warning);
  return crossChecks(bootstrap, systemFiles(process.env));
}

/** What Envoy takes, though whoever asks there for a cluster will be told that there is none. */
export function crossWarnings({
  staticClusters,
  staticListeners,
}: BootstrapConfig): readonly string[] {
  const clusters = new Set(staticClusters.map(({ config }) => config.name));
  return staticListeners.flatMap(({ config, dependencies }) =>
    dependencies.flatMap((dependency) =>
      dependency.kind === "odcds"
        ? sourceErrors(dependency.source, clusters).map(
            (error) => `listener '${config.name}': odcds: ${error}`,
          )
        : [],
    ),
  );
}

/** What one resource alone cannot tell: names of clusters that must exist, names that must differ. */
export function crossChecks(bootstrap: BootstrapConfig, files: SecretFiles): readonly string[] {
  const clusters = new Set(bootstrap.staticClusters.map(({ config }) => config.name));
  const errors = bootstrap.staticListeners.flatMap(({ config, requiredClusters }) =>
    requiredClusters
      .filter((name) => !clusters.has(name))
      .map((name) => `error adding listener '${config.name}': route: unknown cluster '${name}'`),
  );
  errors.push(...duplicateAddresses(bootstrap.staticListeners.map(({ facts }) => facts)));
  const { ads, lds, cds } = bootstrap.dynamicResources;
  if (ads) errors.push(...unknownClusters(ads, clusters).map((error) => `ads_config: ${error}`));
  const sources: [where: string, source: ConfigSource | undefined][] = [
    ["dynamic_resources.lds_config", lds],
    ["dynamic_resources.cds_config", cds],
    ...bootstrap.staticClusters.map(({ config, edsSource }): [string, ConfigSource | undefined] => [
      `cluster '${config.name}': eds_config`,
      edsSource,
    ]),
    ...bootstrap.staticListeners.flatMap(({ config, dependencies }) =>
      dependencies
        .filter(isChecked)
        .flatMap((dependency) =>
          sourcesOf(dependency).map((source): [string, ConfigSource | undefined] => [
            `listener '${config.name}': ${dependencyName(dependency)}`,
            source,
          ]),
        ),
    ),
  ];
  for (const layer of bootstrap.runtimeLayers)
    if (layer.kind === "rtds")
      sources.push([`layered_runtime: layer '${layer.name}'`, layer.source]);
  for (const [where, source] of sources)
    errors.push(...sourceErrors(source, clusters).map((error) => `${where}: ${error}`));
  errors.push(...overloadErrors(bootstrap));
  const apis = sources.flatMap(([, source]) => (source?.kind === "api" ? [source.api] : []));
  return [...errors, ...tlsErrors(bootstrap, ads ? [ads, ...apis] : apis, files)];
}

/** Of the others it is warned. */
function isChecked({ kind }: ListenerDependency): boolean {
  return kind !== "odcds";
}

/** In Envoy's words. */
function overloadErrors({ overload }: BootstrapConfig): readonly string[] {
  return (overload?.monitors ?? []).flatMap((monitor) =>
    monitor.kind === "injectedResource" && !existsSync(dirname(monitor.file))
      ? [`unable to add filesystem watch for file ${monitor.file}: No such file or directory`]
      : [],
  );
}

function sourceErrors(
  source: ConfigSource | undefined,
  clusters: ReadonlySet<string>,
): readonly string[] {
  if (source?.kind === "api") return unknownClusters(source.api, clusters);
  const error = source?.kind === "path" ? filePathError(source.path) : undefined;
  return error === undefined ? [] : [error];
}

function unknownClusters(source: ApiConfigSource, known: ReadonlySet<string>): readonly string[] {
  return sourceClusters(source)
    .filter((name) => !known.has(name))
    .map((name) => `unknown cluster '${name}', it must be a static one`);
}
