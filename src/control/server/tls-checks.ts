/** What of the bootstrap's TLS can be told before anything is opened. */
import type { BootstrapConfig } from "../config/bootstrap-config.ts";
import type { ApiConfigSource } from "../config/config-source.ts";
import { onlyForOwn } from "../config/own-clusters.ts";
import { clustersOf } from "../listener/listener-clusters.ts";
import type { SecretFiles } from "../secret/secret-files.ts";
import { tlsErrorOf } from "../tls/judge-tls.ts";

/** `apis`: every management server that the bootstrap names. */
export function tlsErrors(
  bootstrap: BootstrapConfig,
  apis: readonly ApiConfigSource[],
  files: SecretFiles,
): readonly string[] {
  const { staticClusters, staticSecrets, loadStats } = bootstrap;
  const services = [...apis, ...(loadStats ? [loadStats] : [])].flatMap((api) =>
    api.apiType === "rest" ? [] : api.services,
  );
  const contexts = [
    ...staticClusters.map(({ config, tls }) => ({ where: `cluster '${config.name}'`, tls })),
    ...services.flatMap(({ target }) =>
      target.kind === "uri" ? [{ where: `google_grpc '${target.uri}'`, tls: target.tls }] : [],
    ),
  ];
  const broken = contexts.flatMap(({ where, tls }) => {
    const error = tls && tlsErrorOf(tls, staticSecrets, files);
    return error === undefined ? [] : [`${where}: ${error}`];
  });
  return [...broken, ...misused(bootstrap)];
}

/** Requests that would go in plain text to a server that wants TLS. */
function misused({ staticClusters, staticListeners }: BootstrapConfig): readonly string[] {
  const secured = new Set(staticClusters.flatMap(({ config, tls }) => (tls ? config.name : [])));
  return staticListeners.flatMap((listener) =>
    [...clustersOf(listener)]
      .filter((name) => secured.has(name))
      .map(
        (name) =>
          `error adding listener '${listener.config.name}': cluster '${name}': ${onlyForOwn}`,
      ),
  );
}
