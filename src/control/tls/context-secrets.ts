/**
 * The secrets of one context: those that stand in it, those of the bootstrap, those of SDS. It is ready at the first word
 * about each, and complete when each has come.
 */
import type { TlsSecret } from "../config/tls-config.ts";
import { SecretError } from "../secret/data-source-reader.ts";
import type { SecretFiles } from "../secret/secret-files.ts";
import { loadSecret, readValidation } from "../secret/secret-loader.ts";
import type { SecretManager, SecretObserver } from "../secret/secret-manager.ts";
import type { SecretMaterial, ValidationMaterial } from "../secret/secret-material.ts";
import { filesOf } from "../secret/watched-sources.ts";
import { mergeValidation } from "./client-context.ts";
import { type ContextOrder, validationKey } from "./context-order.ts";
import type { ContextMaterial } from "./engine-config.ts";
import { OwnTicketKeys, type OwnTicketKeysParts } from "./own-ticket-keys.ts";

export interface ContextSecretsParts extends OwnTicketKeysParts {
  readonly secrets: Pick<SecretManager, "acquire" | "hold">;
  readonly files: SecretFiles;
}

export interface ContextSecretsObserver {
  onReady(): void;
  /** `isNamed`: it has a name of its own, so Envoy counts it as an update by SDS. */
  onMaterial(isNamed: boolean): void;
}

/** One secret, as far as it has come. */
interface HeldSecret extends Disposable {
  readonly isReady: boolean;
  readonly material: SecretMaterial | undefined;
}

export class ContextSecrets implements Disposable {
  readonly #order: ContextOrder;
  readonly #certificates: readonly HeldSecret[];
  readonly #validation: HeldSecret | undefined;
  readonly #ticketKeys: HeldSecret | undefined;
  readonly #defaults: ValidationMaterial | undefined;
  readonly #ownKeys: OwnTicketKeys;

  /** Throws a `SecretError` for what is broken in the configuration itself. */
  constructor(order: ContextOrder, parts: ContextSecretsParts, observer: ContextSecretsObserver) {
    const { certificates, validation, ticketKeys } = order;
    this.#order = order;
    this.#ownKeys = new OwnTicketKeys(parts, () => observer.onMaterial(false));
    const hold = (secret: TlsSecret): HeldSecret => heldSecret(secret, parts, observer);
    this.#certificates = certificates.map(hold);
    this.#validation = validation && hold(validation.secret);
    this.#ticketKeys = ticketKeys.kind === "secret" ? hold(ticketKeys.secret) : undefined;
    this.#defaults = validation?.defaults && readValidation(validation.defaults, parts.files);
  }

  get isReady(): boolean {
    return this.#all.every((secret) => secret.isReady);
  }

  /** Undefined: something has not come. */
  get material(): ContextMaterial | undefined {
    const certificates = this.#certificates.flatMap(({ material }) =>
      material?.kind === "tlsCertificate" ? [material] : [],
    );
    if (this.#all.some(({ material }) => material === undefined)) return undefined;
    const named = this.#validation?.material;
    const validation =
      named?.kind === "validationContext" ? mergeValidation(this.#defaults, named) : undefined;
    const material = { certificates, validation, ticketKeys: [] };
    return { ...material, ticketKeys: this.#keysFor(material) };
  }

  [Symbol.dispose](): void {
    this.#ownKeys[Symbol.dispose]();
    for (const secret of this.#all) secret[Symbol.dispose]();
  }

  get #all(): readonly HeldSecret[] {
    return [...this.#certificates, this.#validation, this.#ticketKeys].flatMap((one) => one ?? []);
  }

  /** Our own stay over new certificates, but not where clients are judged by other rules than before. */
  #keysFor(material: ContextMaterial): readonly Uint8Array[] {
    if (this.#order.ticketKeys.kind === "none") return [];
    const held = this.#ticketKeys?.material;
    if (held) return held.kind === "sessionTicketKeys" ? held.keys : [];
    return this.#ownKeys.keysFor(validationKey(material));
  }
}

function heldSecret(
  secret: TlsSecret,
  { secrets, files }: ContextSecretsParts,
  observer: ContextSecretsObserver,
): HeldSecret {
  const own = (isNamed: boolean): SecretObserver => ({
    onReady: () => observer.onReady(),
    onMaterial: () => observer.onMaterial(isNamed),
  });
  if (secret.kind === "named") return secrets.acquire(secret.reference, own(true));
  const { value } = secret;
  const [file] = filesOf(value);
  if (file !== undefined)
    return secrets.hold({ name: file, value, bytes: new Uint8Array() }, own(false));
  const loaded = loadSecret(value, files);
  if (!loaded.ok) throw new SecretError(loaded.error);
  return { isReady: true, material: loaded.material, [Symbol.dispose]() {} };
}
