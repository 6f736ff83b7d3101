/** TLS of the data path, as the managers that use it are given it. */
import type { ClusterTls } from "../cluster/cluster-sockets.ts";
import type { SecretFiles } from "../secret/secret-files.ts";
import type { SecretManager } from "../secret/secret-manager.ts";
import { clientOrder } from "../tls/context-order.ts";
import { contextErrorOf, ownTlsErrorOf } from "../tls/judge-tls.ts";
import { TlsClient } from "../tls/tls-client.ts";
import { TlsContexts } from "../tls/tls-contexts.ts";
import { TlsStats } from "../tls/tls-stats.ts";
import type { ControlPlaneParts } from "./control-plane-parts.ts";

export function createTlsContexts(
  { pool, random, slabs, loggerOf }: ControlPlaneParts,
  secrets: SecretManager,
  files: SecretFiles,
): TlsContexts {
  return new TlsContexts({
    secrets,
    files,
    random,
    pool,
    stats: slabs.stats,
    log: loggerOf("config"),
  });
}

interface TlsManagers {
  readonly contexts: TlsContexts;
  readonly secrets: SecretManager;
  readonly files: SecretFiles;
}

export function clusterTls(
  { bootstrap, slabs, loggerOf }: ControlPlaneParts,
  { contexts, secrets, files }: TlsManagers,
): ClusterTls {
  const known = { statics: bootstrap.staticSecrets, files };
  return {
    acquire: (config, user) => contexts.acquireClient(config, user),
    refusalOf: (config) => contextErrorOf(clientOrder(config), known),
    checkRefusalOf: (config) => ownTlsErrorOf(config, clientOrder(config), known),
    createClient: (config, { name, statName }) =>
      new TlsClient({
        config,
        name,
        secrets,
        files,
        stats: new TlsStats(statName, slabs.stats),
        log: loggerOf("config"),
      }),
  };
}
