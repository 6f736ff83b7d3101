/**
 * Secrets by name and source, counted by reference: those of the bootstrap, and those of SDS (Envoy:
 * `SecretManagerImpl`, `SdsApi`). A secret is stored when it was read and judged; what comes after it and is bad is
 * refused, and what was good stays. It is read again when one of its files is moved into place.
 *
 * As everywhere the first state of any kind ends the wait: a listener that warms on a secret goes on without it when
 * it is refused or does not come in time. A removal is not heeded: Envoy ignores it, and keeps the secret.
 */
import type { Observable, Subscription } from "rxjs";
import { assert } from "../../shared/common/assert.ts";
import { messageOf } from "../../shared/common/errors.ts";
import type { Logger } from "../../shared/common/log.ts";
import type { MainStats } from "../../shared/stats/stat-allocator.ts";
import {
  type DecodedSecret,
  type SecretReference,
  secretId,
  secretMessages,
} from "../config/secret-config.ts";
import type { ResourceState } from "../xds/resource-batch.ts";
import type { SecretFiles } from "./secret-files.ts";
import { type LoadResult, loadSecret } from "./secret-loader.ts";
import { isSameMaterial, type SecretMaterial } from "./secret-material.ts";
import { SecretStats } from "./secret-stats.ts";
import type { SecretView } from "./secret-view.ts";
import { watchSources } from "./watched-sources.ts";

/** Where secrets come from: chosen by the reference's source when the server is put together. */
export type SecretSource = (reference: SecretReference) => Observable<ResourceState<DecodedSecret>>;

export interface SecretObserver {
  /** The first word of any kind, once; not called when the lease is ready when it is returned. */
  onReady(): void;
  /** The secret came, or is another. Not called for what the lease has when it is returned. */
  onMaterial?(material: SecretMaterial): void;
}

export interface SecretLease extends Disposable {
  readonly isReady: boolean;
  /** Undefined: there was no good one yet. */
  readonly material: SecretMaterial | undefined;
}

/** As `SecretManager.acquire`, for those who need no more of it. */
export type AcquireSecret = (reference: SecretReference, observer: SecretObserver) => SecretLease;

export interface SecretManagerContext {
  readonly statics: readonly DecodedSecret[];
  readonly source: SecretSource;
  readonly files: SecretFiles;
  readonly stats: MainStats;
  /** Milliseconds since 1970. */
  readonly wallTime: () => number;
  readonly log: Logger;
}

/** What is held of a good version. */
interface Held {
  readonly secret: DecodedSecret;
  readonly version: string;
  readonly material: SecretMaterial;
  readonly lastUpdatedMs: number;
}

interface Entry {
  readonly reference: SecretReference;
  readonly openedMs: number;
  readonly observers: Set<SecretObserver>;
  readonly stats: SecretStats | undefined;
  isReady: boolean;
  held: Held | undefined;
  subscription: Subscription | undefined;
  watch: Disposable | undefined;
}

export class SecretManager implements Disposable {
  readonly #context: SecretManagerContext;
  readonly #entries = new Map<string, Entry>();
  #heldCount = 0;
  /** Judged when the push came, and taken when it is applied: files are read once. */
  readonly #judged = new WeakMap<DecodedSecret, LoadResult>();

  constructor(context: SecretManagerContext) {
    this.#context = context;
  }

  /** Why a reference can never be served; undefined: it may. Asked before anything is built on it. */
  refusalOf(reference: SecretReference): string | undefined {
    if (reference.source) return undefined;
    const secret = this.#static(reference);
    if (!secret) return `${unknownTexts[reference.kind]}: ${reference.name}`;
    const loaded = this.#load(secret);
    return loaded.ok ? undefined : loaded.error;
  }

  /** Subscribes, or joins who has. */
  acquire(reference: SecretReference, observer: SecretObserver): SecretLease {
    const id = secretId(reference);
    return this.#lease(id, this.#entries.get(id) ?? this.#open(id, reference), observer);
  }

  /** Of a secret that stands where it is needed, so that nobody else can name it: read again like any other. */
  hold(secret: DecodedSecret, observer: SecretObserver): SecretLease {
    const { name, value } = secret;
    const reference = { name, kind: value.kind, source: undefined };
    const stats = new SecretStats(`sluice.secret.${name}.`, this.#context.stats);
    const entry = this.#entry(reference, stats);
    const id = `held ${++this.#heldCount}`;
    this.#entries.set(id, entry);
    this.#take(entry, secret, "");
    entry.isReady = true;
    return this.#lease(id, entry, observer);
  }

  #lease(id: string, entry: Entry, observer: SecretObserver): SecretLease {
    // Its own identity, so that the same observer may hold two leases.
    const own: SecretObserver = {
      onReady: () => observer.onReady(),
      onMaterial: (material) => observer.onMaterial?.(material),
    };
    entry.observers.add(own);
    return {
      get isReady() {
        return entry.isReady;
      },
      get material() {
        return entry.held?.material;
      },
      [Symbol.dispose]: () => {
        if (entry.observers.delete(own) && entry.observers.size === 0) this.#close(id, entry);
      },
    };
  }

  /** What is wrong with a secret that was pushed, for those who wait for it: joins the NACK. Empty: nothing. */
  judge(secret: DecodedSecret): readonly string[] {
    const wanted = [...this.#entries.values()]
      .map((entry) => entry.reference)
      .filter(({ name, source }) => source && name === secret.name);
    if (wanted.length === 0) return [];
    const unfit = wanted.find(({ kind }) => kind !== secret.value.kind);
    if (unfit) return [unfitText(unfit, secret)];
    const loaded = this.#load(secret);
    return loaded.ok ? [] : [loaded.error];
  }

  views(): readonly SecretView[] {
    const statics = this.#context.statics.map(({ name, value, bytes }): SecretView => ({
      name,
      kind: value.kind,
      state: "static",
      bytes,
    }));
    const dynamic = [...this.#entries.values()].flatMap((entry) =>
      entry.reference.source ? [viewOf(entry)] : [],
    );
    return [...statics, ...dynamic];
  }

  [Symbol.dispose](): void {
    for (const [id, entry] of this.#entries) this.#close(id, entry);
  }

  #open(id: string, reference: SecretReference): Entry {
    const { stats, source } = this.#context;
    const entry = this.#entry(
      reference,
      reference.source && new SecretStats(`sds.${reference.name}.`, stats),
    );
    this.#entries.set(id, entry);
    if (reference.source)
      entry.subscription = source(reference).subscribe((state) => this.#onState(entry, state));
    else {
      const secret = this.#static(reference);
      if (secret) this.#take(entry, secret, "");
      entry.isReady = true;
    }
    return entry;
  }

  #entry(reference: SecretReference, stats: SecretStats | undefined): Entry {
    return {
      reference,
      openedMs: this.#context.wallTime(),
      observers: new Set(),
      stats,
      isReady: false,
      held: undefined,
      subscription: undefined,
      watch: undefined,
    };
  }

  #close(id: string, entry: Entry): void {
    this.#entries.delete(id);
    entry.subscription?.unsubscribe();
    entry.watch?.[Symbol.dispose]();
    entry.stats?.[Symbol.dispose]();
  }

  #onState(entry: Entry, state: ResourceState<DecodedSecret>): void {
    if (state.kind === "requested") return;
    const { name } = entry.reference;
    if (state.kind === "present") this.#take(entry, state.resource.value, state.resource.version);
    else if (state.kind === "rejected")
      this.#warn(`sds: secret '${name}' config rejected: ${state.errors.join("; ")}`);
    else this.#warn(`sds: secret '${name}' is absent (${state.reason})`);
    if (entry.isReady) return;
    entry.isReady = true;
    for (const observer of entry.observers) observer.onReady();
  }

  /** Stores it if it is good. */
  #take(entry: Entry, secret: DecodedSecret, version: string): void {
    const { name, kind } = entry.reference;
    const loaded: LoadResult =
      secret.value.kind === kind
        ? this.#load(secret)
        : { ok: false, error: unfitText(entry.reference, secret) };
    if (!loaded.ok) {
      this.#warn(`sds: secret '${name}' config rejected: ${loaded.error}`);
      return;
    }
    const lastUpdatedMs = this.#context.wallTime();
    entry.held = { secret, version, material: loaded.material, lastUpdatedMs };
    this.#watch(entry, secret);
    this.#tell(entry);
    if (version !== "")
      this.#context.log.info(`sds: add/update secret '${name}' version '${version}'`);
  }

  #tell({ observers, held }: Entry): void {
    assert(held, "nothing to tell of");
    for (const observer of observers) observer.onMaterial?.(held.material);
  }

  #watch(entry: Entry, { value }: DecodedSecret): void {
    entry.watch?.[Symbol.dispose]();
    entry.watch = undefined;
    try {
      entry.watch = watchSources(value, this.#context.files, () => this.#reload(entry));
    } catch (error) {
      this.#warn(`sds: secret '${entry.reference.name}' is not read again: ${messageOf(error)}`);
    }
  }

  /** A file was moved. Envoy: `key_rotation_failed`, and the old one stays. */
  #reload(entry: Entry): void {
    const { held, reference } = entry;
    if (!held) return;
    const loaded = loadSecret(held.secret.value, this.#context.files);
    if (!loaded.ok) {
      entry.stats?.countFailedRotation();
      this.#warn(`Failed to reload certificates: ${loaded.error}`);
      return;
    }
    if (isSameMaterial(held.material, loaded.material)) return;
    entry.held = { ...held, material: loaded.material, lastUpdatedMs: this.#context.wallTime() };
    this.#tell(entry);
    this.#context.log.info(`sds: secret '${reference.name}' was read again`);
  }

  #load(secret: DecodedSecret): LoadResult {
    const known = this.#judged.get(secret);
    if (known) return known;
    const loaded = loadSecret(secret.value, this.#context.files);
    // What failed may be good the next time that somebody asks.
    if (loaded.ok) this.#judged.set(secret, loaded);
    return loaded;
  }

  #static({ name, kind }: SecretReference): DecodedSecret | undefined {
    return this.#context.statics.find((one) => one.name === name && one.value.kind === kind);
  }

  #warn(text: string): void {
    this.#context.log.warning(text);
  }
}

/** Envoy's, of a name that the bootstrap has no secret for. */
export const unknownTexts: Readonly<Record<SecretReference["kind"], string>> = {
  tlsCertificate: "Unknown static secret",
  validationContext: "Unknown static certificate validation context",
  sessionTicketKeys: "Unknown tls session ticket keys",
  genericSecret: "Unknown static generic secret",
};

function unfitText({ name, kind }: SecretReference, { value }: DecodedSecret): string {
  return `SDS secret '${name}' is a ${secretMessages[value.kind]}, expecting a ${secretMessages[kind]}`;
}

function viewOf({ reference, held, openedMs }: Entry): SecretView {
  const { name, kind } = reference;
  if (!held) return { name, kind, state: "warming", sinceMs: openedMs };
  const { version, secret, lastUpdatedMs } = held;
  return { name, kind, state: "active", version, bytes: secret.bytes, sinceMs: lastUpdatedMs };
}
