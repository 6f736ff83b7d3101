import type { Dialect } from "../../src/control/xds/conversation.ts";
import { delta } from "../../src/control/xds/delta-conversation.ts";
import { readDeltaRequest, writeDeltaResponse } from "../../src/xds-server/delta-wire.ts";
import {
  readDiscoveryRequest,
  writeDiscoveryResponse,
} from "../../src/xds-server/discovery-wire.ts";

export interface ModelResource {
  readonly name: string;
  readonly version: string;
  readonly bytes: Uint8Array;
  /** Of its Any, where that is not the response's. */
  readonly typeUrl?: string;
}

/** A request of either variant, as far as a server looks at it. */
export interface ModelRequest {
  readonly typeUrl: string;
  readonly nonce: string;
  readonly error: string | undefined;
  /** State of the world: the last one accepted. */
  readonly version: string;
  /** State of the world: all names. */
  readonly names: readonly string[];
  readonly subscribe: readonly string[];
  readonly unsubscribe: readonly string[];
  readonly initialVersions: ReadonlyMap<string, string>;
}

export interface ModelResponse {
  readonly typeUrl: string;
  readonly version: string;
  readonly nonce: string;
  readonly resources: readonly ModelResource[];
  /** Delta alone. */
  readonly removedNames: readonly string[];
}

/**
 * A management server that keeps to the protocol, as small as one can be: what it says is right, and the world around
 * it makes it late, double, partial or wrong. It shares no code with the client but the reading of bytes.
 */
export class ModelServer {
  readonly #resources = new Map<string, Map<string, ModelResource>>();
  #changes = 0;

  resourcesOf(typeUrl: string): ReadonlyMap<string, ModelResource> {
    return this.#resources.get(typeUrl) ?? new Map();
  }

  /** Of all resources of a type: it moves with every change of any. */
  get version(): string {
    return `${this.#changes}`;
  }

  put(typeUrl: string, name: string, bytes: Uint8Array): void {
    const ofType = this.#resources.get(typeUrl) ?? new Map<string, ModelResource>();
    this.#resources.set(typeUrl, ofType);
    ofType.set(name, { name, bytes, version: `${++this.#changes}` });
  }

  remove(typeUrl: string, name: string): void {
    if (this.#resources.get(typeUrl)?.delete(name)) this.#changes++;
  }
}

/** One stream's memory. Responses are values; whoever holds the session sends them, or not. */
export abstract class ModelSession {
  readonly #prefix: string;
  #nonces = 0;

  /** `number`: of the stream, so that nonces of no two streams are equal. */
  constructor(number: number) {
    this.#prefix = `${number}-`;
  }

  abstract read(message: Uint8Array): ModelRequest;
  abstract write(response: ModelResponse): Uint8Array;
  /** What the request calls for, if anything. */
  abstract onRequest(request: ModelRequest): ModelResponse | undefined;
  /** The news of a type for this client; `only`: of some names, where a type allows that. */
  abstract push(typeUrl: string, only?: (name: string) => boolean): ModelResponse | undefined;

  /** A response left, whoever thought of it: the answer to it is what the server hears next. */
  abstract onSent(response: ModelResponse): void;

  protected nextNonce(): string {
    return `${this.#prefix}${++this.#nonces}`;
  }
}

export function openSession(
  server: ModelServer,
  dialect: Dialect,
  number: number,
  isFullState: (typeUrl: string) => boolean,
): ModelSession {
  return dialect === delta
    ? new DeltaModel(server, number, isFullState)
    : new SotwModel(server, number, isFullState);
}

interface SotwSubscription {
  names: readonly string[];
  nonce: string;
}

class SotwModel extends ModelSession {
  readonly #server: ModelServer;
  readonly #isFullState: (typeUrl: string) => boolean;
  readonly #subscriptions = new Map<string, SotwSubscription>();

  constructor(server: ModelServer, number: number, isFullState: (typeUrl: string) => boolean) {
    super(number);
    this.#server = server;
    this.#isFullState = isFullState;
  }

  read(message: Uint8Array): ModelRequest {
    const none = { subscribe: [], unsubscribe: [], initialVersions: new Map<string, string>() };
    return { ...readDiscoveryRequest(message), ...none };
  }

  write({ typeUrl, version, nonce, resources }: ModelResponse): Uint8Array {
    return writeDiscoveryResponse({
      typeUrl,
      version,
      nonce,
      resources: resources.map((resource) => ({ typeUrl, ...resource })),
    });
  }

  onRequest({ typeUrl, nonce, names }: ModelRequest): ModelResponse | undefined {
    const known = this.#subscriptions.get(typeUrl);
    // The answer to a response that is no longer the last one: the next answer says it all again.
    if (known && nonce !== known.nonce) return undefined;
    this.#subscriptions.set(typeUrl, { names, nonce });
    const isNew = known === undefined || names.some((name) => !known.names.includes(name));
    return isNew ? this.push(typeUrl) : undefined;
  }

  push(typeUrl: string, only: (name: string) => boolean = () => true): ModelResponse | undefined {
    const subscription = this.#subscriptions.get(typeUrl);
    if (!subscription) return undefined;
    const { names } = subscription;
    const isAll = this.#isFullState(typeUrl) && (names.length === 0 || names.includes("*"));
    const resources = [...this.#server.resourcesOf(typeUrl).values()].filter(
      ({ name }) => isAll || (names.includes(name) && (this.#isFullState(typeUrl) || only(name))),
    );
    // Of a type that tells what changed alone, nothing is nothing to say.
    if (resources.length === 0 && !this.#isFullState(typeUrl)) return undefined;
    const { version } = this.#server;
    return { typeUrl, nonce: this.nextNonce(), version, resources, removedNames: [] };
  }

  onSent({ typeUrl, nonce }: ModelResponse): void {
    const subscription = this.#subscriptions.get(typeUrl);
    if (subscription) subscription.nonce = nonce;
  }
}

interface DeltaSubscription {
  readonly names: Set<string>;
  isAll: boolean;
  /** Name to version of what the client was given. */
  readonly given: Map<string, string>;
}

class DeltaModel extends ModelSession {
  readonly #server: ModelServer;
  readonly #isFullState: (typeUrl: string) => boolean;
  readonly #subscriptions = new Map<string, DeltaSubscription>();

  constructor(server: ModelServer, number: number, isFullState: (typeUrl: string) => boolean) {
    super(number);
    this.#server = server;
    this.#isFullState = isFullState;
  }

  read(message: Uint8Array): ModelRequest {
    return { ...readDeltaRequest(message), version: "", names: [] };
  }

  write(response: ModelResponse): Uint8Array {
    const { typeUrl, resources } = response;
    return writeDeltaResponse({
      ...response,
      resources: resources.map((resource) => ({ typeUrl, ...resource })),
    });
  }

  onRequest(request: ModelRequest): ModelResponse | undefined {
    const { typeUrl, subscribe, unsubscribe, initialVersions } = request;
    const known = this.#subscriptions.get(typeUrl);
    const own = known ?? { names: new Set(), isAll: false, given: new Map(initialVersions) };
    this.#subscriptions.set(typeUrl, own);
    const names = subscribe.filter((name) => name !== "*");
    if (subscribe.includes("*") || (!known && subscribe.length === 0 && this.#isFullState(typeUrl)))
      own.isAll = true;
    for (const name of names) own.names.add(name);
    for (const name of unsubscribe) {
      if (name === "*") own.isAll = false;
      own.names.delete(name);
      own.given.delete(name);
    }
    // Who asks for a name again wants an answer; on a new stream the versions say what it has.
    if (known) for (const name of names) own.given.delete(name);
    return this.#difference(typeUrl, own, new Set(names), () => true);
  }

  push(typeUrl: string, only: (name: string) => boolean = () => true): ModelResponse | undefined {
    const own = this.#subscriptions.get(typeUrl);
    return own && this.#difference(typeUrl, own, new Set(), only);
  }

  onSent(): void {}

  #difference(
    typeUrl: string,
    own: DeltaSubscription,
    asked: ReadonlySet<string>,
    only: (name: string) => boolean,
  ): ModelResponse | undefined {
    const all = this.#server.resourcesOf(typeUrl);
    const resources = [...all.values()].filter(
      ({ name, version }) =>
        (own.isAll || own.names.has(name)) && own.given.get(name) !== version && only(name),
    );
    const gone = [...own.given.keys(), ...asked].filter((name) => !all.has(name) && only(name));
    const removedNames = [...new Set(gone)];
    if (resources.length === 0 && removedNames.length === 0) return undefined;
    for (const { name, version } of resources) own.given.set(name, version);
    for (const name of removedNames) own.given.delete(name);
    const { version } = this.#server;
    return { typeUrl, nonce: this.nextNonce(), version, resources, removedNames };
  }
}
