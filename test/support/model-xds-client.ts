/**
 * A client as small as the protocol lets it be: it holds what it was sent, and answers at once. It follows every
 * rule, so that after quiet it must hold what the server offers.
 */
import { writeDeltaRequest } from "../../src/control/xds/delta-request.ts";
import { writeDiscoveryRequest } from "../../src/control/xds/discovery-request.ts";
import type { PlannedResponse } from "../../src/xds-server/planned-response.ts";
import { servedTypeOf } from "../../src/xds-server/resource-types.ts";

export interface ModelClient {
  /** What goes to the server when a stream begins. */
  connect(): void;
  /** `*` for everything. */
  subscribe(typeUrl: string, name: string): void;
  unsubscribe(typeUrl: string, name: string): void;
  take(response: PlannedResponse): void;
  isWanted(typeUrl: string, name: string): boolean;
  /** Name to the text of what is held. */
  held(typeUrl: string): ReadonlyMap<string, string>;
}

/** Sends bytes; the wire may keep them for a while. */
type Send = (message: Uint8Array) => void;

const node = Uint8Array.of(10, 1, 110);

abstract class ClientOfTypes<State extends { names: Set<string>; held: Map<string, string> }> {
  readonly #send: Send;
  readonly #types = new Map<string, State>();
  /** Says no to what it takes all the same: the server must not mind. */
  readonly #refuses: () => boolean;

  constructor(send: Send, refuses: () => boolean) {
    this.#send = send;
    this.#refuses = refuses;
  }

  protected abstract blank(): State;

  protected get types(): ReadonlyMap<string, State> {
    return this.#types;
  }

  protected stateOf(typeUrl: string): State {
    const state = this.#types.get(typeUrl) ?? this.blank();
    this.#types.set(typeUrl, state);
    return state;
  }

  protected send(message: Uint8Array): void {
    this.#send(message);
  }

  protected verdict(): string | undefined {
    return this.#refuses() ? "no" : undefined;
  }

  held(typeUrl: string): ReadonlyMap<string, string> {
    return this.stateOf(typeUrl).held;
  }
}

interface SotwState {
  names: Set<string>;
  held: Map<string, string>;
  version: string;
  nonce: string;
  hasNamed: boolean;
}

export class SotwModelClient extends ClientOfTypes<SotwState> implements ModelClient {
  protected blank(): SotwState {
    return { names: new Set(), held: new Map(), version: "", nonce: "", hasNamed: false };
  }

  connect(): void {
    for (const [typeUrl, state] of this.types) {
      const wantsNothing = state.names.size === 0 && state.hasNamed;
      state.nonce = "";
      if (wantsNothing) state.held.clear();
      // On a new stream, no names would be all names again.
      if (!wantsNothing) this.#ask(typeUrl, state);
    }
  }

  subscribe(typeUrl: string, name: string): void {
    const state = this.stateOf(typeUrl);
    if (name !== "") {
      state.names.add(name);
      state.hasNamed = true;
    }
    this.#forget(typeUrl, state);
    this.#ask(typeUrl, state);
  }

  unsubscribe(typeUrl: string, name: string): void {
    const state = this.stateOf(typeUrl);
    if (!state.names.delete(name)) return;
    this.#forget(typeUrl, state);
    this.#ask(typeUrl, state);
  }

  take(response: PlannedResponse): void {
    const { typeUrl, resources } = response;
    const state = this.stateOf(typeUrl);
    if (servedTypeOf(typeUrl).isFullState) state.held.clear();
    for (const { name, bytes } of resources)
      if (this.isWanted(typeUrl, name)) state.held.set(name, Buffer.from(bytes ?? []).toString());
    state.nonce = response.nonce;
    const error = this.verdict();
    if (error === undefined) state.version = response.version;
    this.#ask(typeUrl, state, error);
  }

  isWanted(typeUrl: string, name: string): boolean {
    const { names, hasNamed } = this.stateOf(typeUrl);
    const isAll = servedTypeOf(typeUrl).isFullState && !hasNamed;
    return isAll || names.has("*") || names.has(name);
  }

  #forget(typeUrl: string, { held }: SotwState): void {
    for (const name of held.keys()) if (!this.isWanted(typeUrl, name)) held.delete(name);
  }

  #ask(typeUrl: string, { names, version, nonce }: SotwState, error?: string): void {
    const resourceNames = [...names];
    this.send(writeDiscoveryRequest({ version, node, resourceNames, typeUrl, nonce, error }));
  }
}

interface DeltaState {
  names: Set<string>;
  held: Map<string, string>;
  versions: Map<string, string>;
  isAll: boolean;
  hasAsked: boolean;
}

export class DeltaModelClient extends ClientOfTypes<DeltaState> implements ModelClient {
  protected blank(): DeltaState {
    return {
      names: new Set(),
      held: new Map(),
      versions: new Map(),
      isAll: false,
      hasAsked: false,
    };
  }

  connect(): void {
    for (const [typeUrl, state] of this.types) {
      state.hasAsked = false;
      // Naming nothing means everything, where it does at all.
      const isSaid = state.names.size > 0 || !servedTypeOf(typeUrl).isFullState;
      const names = [...(state.isAll && isSaid ? ["*"] : []), ...state.names];
      if (state.isAll || names.length > 0) this.#ask(typeUrl, state, { subscribe: names });
    }
  }

  subscribe(typeUrl: string, name: string): void {
    const state = this.stateOf(typeUrl);
    const isLegacy = name === "" && servedTypeOf(typeUrl).isFullState && !state.hasAsked;
    if (isLegacy || name === "*") state.isAll = true;
    else if (name !== "") state.names.add(name);
    this.#ask(typeUrl, state, { subscribe: name === "" ? [] : [name] });
  }

  unsubscribe(typeUrl: string, name: string): void {
    const state = this.stateOf(typeUrl);
    if (name === "*" ? !state.isAll : !state.names.delete(name)) return;
    if (name === "*") state.isAll = false;
    // Also of what `*` covers: the server has to say it again.
    for (const held of state.held.keys())
      if (held === name || !this.isWanted(typeUrl, held)) {
        state.held.delete(held);
        state.versions.delete(held);
      }
    this.#ask(typeUrl, state, { unsubscribe: [name] });
  }

  take({ typeUrl, resources, removedNames, nonce }: PlannedResponse): void {
    const state = this.stateOf(typeUrl);
    for (const { name, bytes, version } of resources) {
      if (!bytes || !this.isWanted(typeUrl, name)) continue;
      state.held.set(name, Buffer.from(bytes).toString());
      state.versions.set(name, version);
    }
    for (const name of removedNames) {
      state.held.delete(name);
      state.versions.delete(name);
    }
    this.#ask(typeUrl, state, { nonce, error: this.verdict() });
  }

  isWanted(typeUrl: string, name: string): boolean {
    const { isAll, names } = this.stateOf(typeUrl);
    return isAll || names.has(name);
  }

  #ask(
    typeUrl: string,
    state: DeltaState,
    said: Partial<Parameters<typeof writeDeltaRequest>[0]>,
  ): void {
    const initialVersions = state.hasAsked ? new Map<string, string>() : state.versions;
    state.hasAsked = true;
    const silent = { subscribe: [], unsubscribe: [], nonce: "", error: undefined };
    this.send(writeDeltaRequest({ typeUrl, node, initialVersions, ...silent, ...said }));
  }
}
