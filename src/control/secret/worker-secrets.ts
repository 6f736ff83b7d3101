/**
 * Generic secrets for filters: what a listener holds of them, and what workers know. Workers get one when it comes,
 * before the listener that waits for it, and again whenever it is another: requests see it at once, nothing drains.
 */
import { type SecretReference, secretId } from "../config/secret-config.ts";
import type { WorkerPool } from "../workers/worker-pool.ts";
import type { AcquireSecret, SecretLease } from "./secret-manager.ts";
import type { SecretMaterial } from "./secret-material.ts";

export interface WorkerSecretLease extends Disposable {
  readonly isReady: boolean;
  /** A secret points at none. */
  readonly clusterNames: readonly string[];
}

interface Entry {
  references: number;
  readonly lease: SecretLease;
  readonly waiting: Set<() => void>;
}

export class WorkerSecrets {
  readonly #pool: Pick<WorkerPool, "post">;
  readonly #secrets: { readonly acquire: AcquireSecret };
  readonly #entries = new Map<string, Entry>();

  constructor(pool: Pick<WorkerPool, "post">, secrets: { readonly acquire: AcquireSecret }) {
    this.#pool = pool;
    this.#secrets = secrets;
  }

  /** `onReady` is called at the first word of any kind, and not at all when the lease is ready when it is returned. */
  acquire(reference: SecretReference, onReady: () => void): WorkerSecretLease {
    const id = secretId(reference);
    const entry = this.#entries.get(id) ?? this.#open(id, reference);
    entry.references++;
    // Its own identity, so that the same function may wait twice.
    const own = (): void => onReady();
    if (!entry.lease.isReady) entry.waiting.add(own);
    let isHeld = true;
    return {
      get isReady() {
        return entry.lease.isReady;
      },
      clusterNames: [],
      [Symbol.dispose]: () => {
        entry.waiting.delete(own);
        if (isHeld) this.#release(id, entry);
        isHeld = false;
      },
    };
  }

  #open(id: string, reference: SecretReference): Entry {
    const waiting = new Set<() => void>();
    const lease = this.#secrets.acquire(reference, {
      onReady: () => {
        for (const onReady of waiting) onReady();
        waiting.clear();
      },
      onMaterial: (material) => this.#post(id, material),
    });
    if (lease.material) this.#post(id, lease.material);
    const entry = { references: 0, lease, waiting };
    this.#entries.set(id, entry);
    return entry;
  }

  #post(id: string, material: SecretMaterial): void {
    if (material.kind === "genericSecret")
      this.#pool.post({ kind: "setSecret", id, text: material.text });
  }

  #release(id: string, entry: Entry): void {
    entry.references--;
    if (entry.references > 0) return;
    this.#entries.delete(id);
    entry.lease[Symbol.dispose]();
    this.#pool.post({ kind: "removeSecret", id });
  }
}
