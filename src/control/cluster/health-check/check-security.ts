/** By host, the TLS that its checks are made under: of one version of a cluster, made when something is first checked. */
import type { HostConfig } from "../../../shared/config/cluster-config.ts";
import type { DecodedCluster } from "../../config/decoded-cluster.ts";
import type { UpstreamTlsConfig } from "../../config/tls-config.ts";
import type { SocketSecurity } from "../../xds/socket-security.ts";
import { socketConfigFor } from "../socket-matches.ts";

export type CreateTlsClient = (
  config: UpstreamTlsConfig,
  cluster: DecodedCluster["config"],
) => SocketSecurity & Disposable;

export class CheckSecurity implements Disposable {
  readonly #decoded: DecodedCluster;
  readonly #create: CreateTlsClient;
  readonly #clients = new Map<string, SocketSecurity & Disposable>();

  constructor(decoded: DecodedCluster, create: CreateTlsClient) {
    this.#decoded = decoded;
    this.#create = create;
  }

  /** Undefined: in plain text. */
  of(host: HostConfig): SocketSecurity | undefined {
    const check = this.#decoded.health?.check;
    // Docs, `transport_socket_match_criteria`: it is matched in the place of the endpoint's metadata.
    const labels = check?.socketLabels
      ? { endpoint: check.socketLabels, locality: undefined }
      : host.socketLabels;
    const config = socketConfigFor(labels, this.#decoded);
    if (!config) return undefined;
    const known = this.#clients.get(config.id);
    if (known) return known;
    const alpnProtocols = check?.alpnProtocols ?? [];
    const checked = alpnProtocols.length > 0 ? { ...config, alpnProtocols } : config;
    const client = this.#create(checked, this.#decoded.config);
    this.#clients.set(config.id, client);
    return client;
  }

  [Symbol.dispose](): void {
    for (const client of this.#clients.values()) client[Symbol.dispose]();
    this.#clients.clear();
  }
}
