/** The TLS contexts of one version of a cluster: held as long as it lives, and waited for while it warms. */
import type { DecodedCluster } from "../config/decoded-cluster.ts";
import { type UpstreamTlsConfig, clientSecrets, referencesOf } from "../config/tls-config.ts";
import type { ContextUser, TlsContextLease } from "../tls/tls-contexts.ts";
import type { CreateTlsClient } from "./health-check/check-security.ts";

/** What the manager needs of TLS. */
export interface ClusterTls {
  acquire(config: UpstreamTlsConfig, user: ContextUser): TlsContextLease;
  /** Why it can never be served; undefined: it may. */
  refusalOf(config: UpstreamTlsConfig): string | undefined;
  /** As `refusalOf`, of checks, which main makes itself. */
  checkRefusalOf(config: UpstreamTlsConfig): string | undefined;
  readonly createClient: CreateTlsClient;
}

/** Of its hosts, each once. */
export function contextsOf({
  tls,
  socketMatches,
}: Pick<DecodedCluster, "tls" | "socketMatches">): readonly UpstreamTlsConfig[] {
  const all = [tls, ...socketMatches.map((match) => match.tls)].flatMap((one) => one ?? []);
  return [...new Map(all.map((one) => [one.id, one])).values()];
}

export class ClusterSockets implements Disposable {
  readonly #leases: readonly {
    readonly names: readonly string[];
    readonly lease: TlsContextLease;
  }[];

  constructor(decoded: DecodedCluster, tls: ClusterTls, onReady: () => void) {
    const user = { statPrefix: `cluster.${decoded.config.statName}.`, onReady };
    this.#leases = contextsOf(decoded).map((config) => ({
      names: referencesOf(clientSecrets(config)).map(({ name }) => name),
      lease: tls.acquire(config, user),
    }));
  }

  get isReady(): boolean {
    return this.#leases.every(({ lease }) => lease.isReady);
  }

  /** `sds <name>`: what they wait for. */
  get awaiting(): readonly string[] {
    return this.#leases.flatMap(({ names, lease }) =>
      lease.isReady ? [] : names.map((name) => `sds ${name}`),
    );
  }

  [Symbol.dispose](): void {
    for (const { lease } of this.#leases) lease[Symbol.dispose]();
  }
}
