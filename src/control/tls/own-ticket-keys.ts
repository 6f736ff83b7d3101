/**
 * Keys of session tickets that nobody has configured (BoringSSL, and so Envoy, has such, too): made here, as all workers
 * have to have the same ones. Who has a key reads all that was ever said under it, so each encrypts for two days, and
 * decrypts for two more what clients still hold.
 */
import type { Clock } from "../../shared/common/clock.ts";
import type { Random } from "../../shared/common/random.ts";

/** Docs: `TlsSessionTicketKeys.keys`: a name, and two keys. */
const keyBytes = 80;
/** BoringSSL's `SSL_DEFAULT_TICKET_KEY_ROTATION_INTERVAL`. */
export const renewEveryMs = 2 * 24 * 3_600_000;

export interface OwnTicketKeysParts {
  readonly clock: Pick<Clock, "startTimer">;
  readonly random: Random;
}

export class OwnTicketKeys implements Disposable {
  readonly #parts: OwnTicketKeysParts;
  readonly #onRenewed: () => void;
  #timer: Disposable | undefined;
  #validation: string | undefined;
  /** The newest first: it encrypts. */
  #keys: readonly Uint8Array[] = [];

  constructor(parts: OwnTicketKeysParts, onRenewed: () => void) {
    this.#parts = parts;
    this.#onRenewed = onRenewed;
  }

  /** Other rules, other keys: who resumes is not judged again. `validation`: equal for equal rules. */
  keysFor(validation: string): readonly Uint8Array[] {
    if (this.#validation !== validation) {
      this.#validation = validation;
      this.#keys = [this.#newKey()];
      this.#startTimer();
    }
    return this.#keys;
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]();
  }

  #startTimer(): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = this.#parts.clock.startTimer(renewEveryMs, () => this.#renew());
  }

  #renew(): void {
    this.#keys = [this.#newKey(), ...this.#keys.slice(0, 1)];
    this.#startTimer();
    this.#onRenewed();
  }

  #newKey(): Uint8Array {
    const key = new Uint8Array(keyBytes);
    this.#parts.random.fill(key);
    return key;
  }
}
