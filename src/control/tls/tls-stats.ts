/** `cluster.<name>.ssl.`, and what of `cluster.<name>.client_ssl_socket_factory.` there is to count on main. */
import type { MainStats } from "../../shared/stats/stat-allocator.ts";
import { defineStats } from "../../shared/stats/stat-group.ts";
import type { TlsFailure } from "./tls-handshake.ts";

const tlsStats = defineStats({
  counters: [
    "ssl.connection_error",
    "ssl.fail_verify_cert_hash",
    "ssl.fail_verify_error",
    "ssl.fail_verify_no_cert",
    "ssl.fail_verify_san",
    "ssl.handshake",
    "client_ssl_socket_factory.ssl_context_update_by_sds",
    "client_ssl_socket_factory.upstream_context_secrets_not_ready",
  ],
});

export type TlsStatName = Parameters<typeof tlsStats.offset>[0];

const failureStats: Readonly<Record<TlsFailure, TlsStatName>> = {
  handshake: "ssl.connection_error",
  chain: "ssl.fail_verify_error",
  name: "ssl.fail_verify_san",
  hash: "ssl.fail_verify_cert_hash",
  noCertificate: "ssl.fail_verify_no_cert",
};

export class TlsStats implements Disposable {
  readonly #stats: MainStats;
  readonly #block: number;

  /** `statName`: of the cluster. */
  constructor(statName: string, stats: MainStats) {
    this.#stats = stats;
    this.#block = stats.allocator.allocate(tlsStats, `cluster.${statName}.`);
  }

  count(name: TlsStatName): void {
    this.#stats.slab.add(this.#block, tlsStats.offset(name));
  }

  /** Each failure is an error of the connection too, as in Envoy. */
  countFailure(failure: TlsFailure): void {
    this.count(failureStats[failure]);
    if (failure !== "handshake") this.count("ssl.connection_error");
  }

  [Symbol.dispose](): void {
    this.#stats.allocator.release(this.#block);
  }
}
