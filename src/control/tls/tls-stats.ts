/** What main counts of its own TLS: `cluster.<name>.ssl.` and `cluster.<name>.client_ssl_socket_factory.`. */
import type { MainStats } from "../../shared/stats/stat-allocator.ts";
import { tlsFactoryStats, tlsStats } from "../../shared/stats/tls-stats.ts";
import type { TlsFailure } from "./tls-handshake.ts";

type FactoryStat = Parameters<typeof tlsFactoryStats.offset>[0];

const failureStats = {
  handshake: "ssl.connection_error",
  chain: "ssl.fail_verify_error",
  name: "ssl.fail_verify_san",
  hash: "ssl.fail_verify_cert_hash",
  noCertificate: "ssl.fail_verify_no_cert",
} as const satisfies Readonly<Record<TlsFailure, Parameters<typeof tlsStats.offset>[0]>>;

export class TlsStats implements Disposable {
  readonly #stats: MainStats;
  readonly #block: number;
  readonly #factory: number;

  /** `statName`: of the cluster. */
  constructor(statName: string, stats: MainStats) {
    const prefix = `cluster.${statName}.`;
    this.#stats = stats;
    this.#block = stats.allocator.allocate(tlsStats, prefix);
    this.#factory = stats.allocator.allocate(
      tlsFactoryStats,
      `${prefix}client_ssl_socket_factory.`,
    );
  }

  countHandshake(): void {
    this.#stats.slab.add(this.#block, tlsStats.offset("ssl.handshake"));
  }

  countFactory(name: FactoryStat): void {
    this.#stats.slab.add(this.#factory, tlsFactoryStats.offset(name));
  }

  /** Under one name each, as in Envoy: what fails to be verified is no error of the connection. */
  countFailure(failure: TlsFailure): void {
    this.#stats.slab.add(this.#block, tlsStats.offset(failureStats[failure]));
  }

  [Symbol.dispose](): void {
    this.#stats.allocator.release(this.#block);
    this.#stats.allocator.release(this.#factory);
  }
}
