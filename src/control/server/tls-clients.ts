/** TLS to what main speaks to, one client for each cluster and each target, made when something first connects. */
import type { LoggerOf } from "../../shared/common/log.ts";
import type { MainStats } from "../../shared/stats/stat-allocator.ts";
import type { DecodedCluster } from "../config/decoded-cluster.ts";
import type { GrpcService } from "../config/config-source.ts";
import type { UpstreamTlsConfig } from "../config/tls-config.ts";
import type { SecretFiles } from "../secret/secret-files.ts";
import type { SecretManager } from "../secret/secret-manager.ts";
import { TlsClient } from "../tls/tls-client.ts";
import { TlsStats } from "../tls/tls-stats.ts";
import type { SocketSecurity } from "../xds/socket-security.ts";

export interface TlsClientsParts {
  readonly clusters: readonly DecodedCluster[];
  /** Asked when the first client is made: the secrets' own sources may need TLS. */
  readonly secrets: () => SecretManager;
  readonly files: SecretFiles;
  readonly stats: MainStats;
  readonly loggerOf: LoggerOf;
}

export class TlsClients implements Disposable {
  readonly #parts: TlsClientsParts;
  readonly #clients = new Map<string, TlsClient>();

  constructor(parts: TlsClientsParts) {
    this.#parts = parts;
  }

  /** Undefined: it is spoken to in plain text. */
  ofService({ target }: GrpcService): SocketSecurity | undefined {
    if (target.kind === "cluster") return this.ofCluster(target.clusterName);
    return target.tls && this.#client(`uri ${JSON.stringify(target)}`, target.uri, target.tls);
  }

  ofCluster(name: string): SocketSecurity | undefined {
    const cluster = this.#parts.clusters.find(({ config }) => config.name === name);
    if (!cluster?.tls) return undefined;
    return this.#client(`cluster ${name}`, name, cluster.tls, cluster.config.statName);
  }

  [Symbol.dispose](): void {
    for (const client of this.#clients.values()) client[Symbol.dispose]();
    this.#clients.clear();
  }

  #client(key: string, name: string, config: UpstreamTlsConfig, statName?: string): TlsClient {
    const known = this.#clients.get(key);
    if (known) return known;
    const { secrets, files, stats, loggerOf } = this.#parts;
    const client = new TlsClient({
      config,
      name,
      secrets: secrets(),
      files,
      stats: statName === undefined ? undefined : new TlsStats(statName, stats),
      log: loggerOf("config"),
    });
    this.#clients.set(key, client);
    return client;
  }
}
