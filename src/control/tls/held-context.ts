/**
 * One TLS context while somebody uses it (Envoy: `ServerSslSocketFactory`, `ClientSslSocketFactory`). Workers that have it
 * get it anew at every rotation and say so when they have taken it: no handshake that begins afterwards is served by what
 * was before. What is broken is refused, and workers keep what they have.
 */
import { messageOf } from "../../shared/common/errors.ts";
import type { Logger } from "../../shared/common/log.ts";
import type { WorkerPool } from "../workers/worker-pool.ts";
import type { ContextCommand, ContextOrder } from "./context-order.ts";
import { ContextSecrets, type ContextSecretsParts } from "./context-secrets.ts";
import { type ShownCertificate, shownCertificates } from "./shown-certificates.ts";

export interface ContextObserver {
  /** The first word of each of its secrets has come; not called for one that is ready when it is acquired. */
  onReady(): void;
  /** It holds other certificates now. `isNamed`: by a secret with a name of its own. */
  onChange?(isNamed: boolean): void;
}

export interface HeldContextParts extends ContextSecretsParts {
  readonly pool: Pick<WorkerPool, "postTo" | "request">;
  readonly log: Logger;
  /** All workers that have it have taken a rotation. */
  readonly onRotated: () => void;
}

interface Complete {
  readonly command: ContextCommand;
  readonly certificates: readonly ShownCertificate[];
}

export class HeldContext implements Disposable {
  readonly #order: ContextOrder;
  readonly #parts: HeldContextParts;
  readonly #secrets: ContextSecrets;
  readonly #observers = new Set<ContextObserver>();
  readonly #workers = new Set<number>();
  /** Undefined: a secret has not come, so workers refuse connections. */
  #complete: Complete | undefined;
  #wasReady: boolean;

  /** Throws a `SecretError` for what is broken in the configuration itself. */
  constructor(order: ContextOrder, parts: HeldContextParts) {
    this.#order = order;
    this.#parts = parts;
    this.#secrets = new ContextSecrets(order, parts, {
      onReady: () => this.#settle(),
      onMaterial: (isNamed) => this.#onMaterial(isNamed),
    });
    this.#rebuild();
    this.#wasReady = this.isReady;
  }

  get isReady(): boolean {
    return this.#secrets.isReady;
  }

  get isUsed(): boolean {
    return this.#observers.size > 0;
  }

  get certificates(): readonly ShownCertificate[] {
    return this.#complete?.certificates ?? [];
  }

  observe(observer: ContextObserver): void {
    this.#observers.add(observer);
  }

  forget(observer: ContextObserver): void {
    this.#observers.delete(observer);
  }

  /** From now on the worker is told, beginning with what is held. */
  provideTo(worker: number): void {
    if (this.#workers.has(worker)) return;
    this.#workers.add(worker);
    if (this.#complete) this.#parts.pool.postTo(worker, this.#complete.command(0));
  }

  /** Connections that have it keep it. */
  [Symbol.dispose](): void {
    this.#secrets[Symbol.dispose]();
    for (const worker of this.#workers) this.#parts.pool.postTo(worker, this.#order.removal);
  }

  #settle(): void {
    if (this.#wasReady || !this.isReady) return;
    this.#wasReady = true;
    const waiting = [...this.#observers];
    for (const observer of waiting) observer.onReady();
  }

  #onMaterial(isNamed: boolean): void {
    if (!this.#rebuild()) return;
    void this.#rotate();
    for (const observer of this.#observers) observer.onChange?.(isNamed);
  }

  async #rotate(): Promise<void> {
    const command = this.#complete?.command;
    if (!command || this.#workers.size === 0) return;
    const { pool, onRotated } = this.#parts;
    await Promise.all([...this.#workers].map((worker) => pool.request(worker, command)));
    onRotated();
  }

  /** False: something has not come, or does not go with the rest. */
  #rebuild(): boolean {
    try {
      const { material } = this.#secrets;
      if (!material) return false;
      const command = this.#order.command(material);
      this.#complete = { command, certificates: shownCertificates(this.#order, material) };
      return true;
    } catch (error) {
      this.#parts.log.warning(`TLS context keeps its certificates: ${messageOf(error)}`);
      return false;
    }
  }
}
