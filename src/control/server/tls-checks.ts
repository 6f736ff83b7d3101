/** What of the bootstrap's TLS can be told before anything is opened. */
import type { BootstrapConfig } from "../config/bootstrap-config.ts";
import type { ApiConfigSource, GrpcService } from "../config/config-source.ts";
import { contextsOf } from "../cluster/cluster-sockets.ts";
import type { SecretFiles } from "../secret/secret-files.ts";
import { clientOrder, serverOrder } from "../tls/context-order.ts";
import { contextErrorOf, type KnownSecrets, ownTlsErrorOf } from "../tls/judge-tls.ts";

/** `apis`: every management server that the bootstrap names. */
export function tlsErrors(
  bootstrap: BootstrapConfig,
  apis: readonly ApiConfigSource[],
  files: SecretFiles,
): readonly string[] {
  const known: KnownSecrets = { statics: bootstrap.staticSecrets, files };
  const { loadStats } = bootstrap;
  const all = [...apis, ...(loadStats ? [loadStats] : [])];
  const services = all.flatMap((api) => (api.apiType === "rest" ? [] : api.services));
  return [
    ...clusterErrors(bootstrap, ownNames(all, services), known),
    ...serviceErrors(services, known),
    ...listenerErrors(bootstrap, known),
  ];
}

/** What main speaks to itself, with Node's TLS. */
function ownNames(
  apis: readonly ApiConfigSource[],
  services: readonly GrpcService[],
): ReadonlySet<string> {
  const rest = apis.flatMap((api) => (api.apiType === "rest" ? [api.clusterName] : []));
  const grpc = services.flatMap(({ target }) =>
    target.kind === "cluster" ? [target.clusterName] : [],
  );
  return new Set([...rest, ...grpc]);
}

function clusterErrors(
  { staticClusters }: BootstrapConfig,
  own: ReadonlySet<string>,
  known: KnownSecrets,
): readonly string[] {
  return staticClusters.flatMap((cluster) => {
    const { name } = cluster.config;
    return contextsOf(cluster).flatMap((config) => {
      const order = clientOrder(config);
      const error = own.has(name)
        ? ownTlsErrorOf(config, order, known)
        : contextErrorOf(order, known);
      return error === undefined ? [] : [`cluster '${name}': ${error}`];
    });
  });
}

function serviceErrors(services: readonly GrpcService[], known: KnownSecrets): readonly string[] {
  return services.flatMap(({ target }) => {
    if (target.kind !== "uri" || !target.tls) return [];
    const error = ownTlsErrorOf(target.tls, clientOrder(target.tls), known);
    return error === undefined ? [] : [`google_grpc '${target.uri}': ${error}`];
  });
}

function listenerErrors(
  { staticListeners }: BootstrapConfig,
  known: KnownSecrets,
): readonly string[] {
  return staticListeners.flatMap(({ facts, dependencies }) =>
    dependencies.flatMap((dependency) => {
      if (dependency.kind !== "tls") return [];
      const error = contextErrorOf(serverOrder(dependency.config), known);
      return error === undefined ? [] : [`error adding listener '${facts.name}': ${error}`];
    }),
  );
}
