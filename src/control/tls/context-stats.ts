/**
 * What main counts of a context for one listener or cluster that uses it: its new secrets, and when its certificates
 * expire. Workers count the rest under the same prefix.
 */
import type { TlsSide } from "../../shared/protocol/worker-command.ts";
import type { MainStats } from "../../shared/stats/stat-allocator.ts";
import type { StatBlock } from "../../shared/stats/stat-group.ts";
import { tlsCertificateStats, tlsFactoryStats } from "../../shared/stats/tls-stats.ts";
import type { ShownCertificate } from "./shown-certificates.ts";

const socketFactories: Readonly<Record<TlsSide, string>> = {
  server: "server_ssl_socket_factory.",
  client: "client_ssl_socket_factory.",
};

export class ContextStats implements Disposable {
  readonly #stats: MainStats;
  readonly #prefix: string;
  readonly #factory: StatBlock;
  readonly #expirations = new Map<string, StatBlock>();

  /** `prefix`: of the listener or cluster, with its dot. */
  constructor(prefix: string, side: TlsSide, stats: MainStats) {
    this.#stats = stats;
    this.#prefix = prefix;
    this.#factory = stats.allocator.allocate(tlsFactoryStats, prefix + socketFactories[side]);
  }

  countUpdate(): void {
    this.#stats.slab.add(this.#factory, tlsFactoryStats.offset("ssl_context_update_by_sds"));
  }

  /** Of certificates of one name the last is shown, as by Envoy. */
  setCertificates(certificates: readonly ShownCertificate[]): void {
    const names = new Set(certificates.map(({ name }) => name));
    for (const name of this.#expirations.keys()) if (!names.has(name)) this.#release(name);
    const offset = tlsCertificateStats.offset("expiration_unix_time_seconds");
    for (const { name, certificate } of certificates) {
      const seconds = Math.floor(certificate.validToDate.getTime() / 1_000);
      this.#stats.slab.set(this.#blockOf(name), offset, seconds);
    }
  }

  [Symbol.dispose](): void {
    for (const name of this.#expirations.keys()) this.#release(name);
    this.#stats.allocator.release(this.#factory);
  }

  #blockOf(name: string): StatBlock {
    const known = this.#expirations.get(name);
    if (known !== undefined) return known;
    const prefix = `${this.#prefix}ssl.certificate.${name}.`;
    const block = this.#stats.allocator.allocate(tlsCertificateStats, prefix);
    this.#expirations.set(name, block);
    return block;
  }

  #release(name: string): void {
    const block = this.#expirations.get(name);
    this.#expirations.delete(name);
    if (block !== undefined) this.#stats.allocator.release(block);
  }
}
