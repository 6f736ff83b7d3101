/** TLS of the data path, as the managers that use it are given it. */
import type { ClusterTls } from "../cluster/cluster-sockets.ts";
import type { SecretFiles } from "../secret/secret-files.ts";
import type { SecretManager } from "../secret/secret-manager.ts";
import { clientOrder } from "../tls/context-order.ts";
import { contextErrorOf } from "../tls/judge-tls.ts";
import { TlsContexts } from "../tls/tls-contexts.ts";
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

export function clusterTls(
  { bootstrap }: ControlPlaneParts,
  contexts: TlsContexts,
  files: SecretFiles,
): ClusterTls {
  const known = { statics: bootstrap.staticSecrets, files };
  return {
    acquire: (config, user) => contexts.acquireClient(config, user),
    refusalOf: (config) => contextErrorOf(clientOrder(config), known),
  };
}
