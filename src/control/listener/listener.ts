/**
 * One version of one listener: its configuration, its state, and what it holds (leases on sockets, on what it
 * warmed on, on stats). It decides nothing; the manager moves it between its sets. An in-place update is a new version
 * with the tag of the one it supersedes.
 */
import type { SocketAddress } from "../../shared/common/address.ts";
import { assert } from "../../shared/common/assert.ts";
import type { ListenerTag } from "../../shared/common/brand.ts";
import type { ListenerConfig } from "../../shared/config/listener-config.ts";
import type { DrainManager } from "../../shared/drain/drain-manager.ts";
import type { DecodedListener } from "../config/decoded-listener.ts";
import type { ListenerFacts } from "../config/listener-facts.ts";
import type { DependencyLease } from "./listener-dependencies.ts";
import type { ConnectionCount, ListenerSlotsLease } from "./listener-slots.ts";
import type { SocketLease, SocketOwner } from "./listener-sockets.ts";
import { type ListenerEvent, type ListenerState, nextState } from "./listener-state.ts";
import type { ListenerView, UpdateClass } from "./listener-view.ts";

/** What makes a version, fixed for its life. */
export interface ListenerIdentity {
  readonly name: string;
  readonly tag: ListenerTag;
  readonly generation: number;
  readonly isStatic: boolean;
  readonly updateClass: UpdateClass;
  readonly changed: readonly string[];
}

/** What a version holds besides its sockets, which are bound later. */
export interface ListenerHoldings {
  readonly slots: ListenerSlotsLease;
  // These two belong to the tag: versions that follow each other in place share them.
  readonly connections: ConnectionCount;
  readonly drainManager: DrainManager;
}

export class Listener implements SocketOwner {
  readonly identity: ListenerIdentity;
  /** What is asked of a listener time and again: the rest of the config is in its bytes. */
  readonly facts: ListenerFacts;
  readonly holdings: ListenerHoldings;
  readonly dependencies: DependencyLease[] = [];
  /** For clusters, while it warms. */
  readonly waits: Disposable[] = [];
  #sockets: readonly SocketLease[];
  /** Where it is bound, or was until it was stopped; of one that is not bound what it was told. */
  #localAddresses: readonly SocketAddress[];
  readonly #configured: DecodedListener;
  #decoded: DecodedListener;
  #version: string;
  #lastUpdatedMs: number;
  #state: ListenerState;
  #isStopped = false;

  constructor(
    identity: ListenerIdentity,
    holdings: ListenerHoldings,
    resource: ListenerResource,
    awaiting: ReadonlySet<string>,
  ) {
    this.identity = identity;
    this.holdings = holdings;
    this.facts = resource.decoded.facts;
    this.#configured = resource.decoded;
    this.#decoded = resource.decoded;
    this.#version = resource.version;
    this.#lastUpdatedMs = resource.wallMs;
    this.#sockets = [];
    this.#localAddresses = this.facts.addresses;
    this.#state = { kind: "warming", awaiting };
  }

  get name(): string {
    return this.identity.name;
  }

  get tag(): ListenerTag {
    return this.identity.tag;
  }

  get isStatic(): boolean {
    return this.identity.isStatic;
  }

  get version(): string {
    return this.#version;
  }

  /**
   * As workers have it; decoded again if need be. An equivalent update leaves it alone, so ids of filter
   * chains stay theirs.
   */
  get config(): ListenerConfig {
    return this.#configured.config;
  }

  /** The latest message of this meaning, to compare the next one with. */
  get decoded(): DecodedListener {
    return this.#decoded;
  }

  /** As pushed. */
  get resource(): ListenerResource {
    return { decoded: this.#decoded, version: this.#version, wallMs: this.#lastUpdatedMs };
  }

  get state(): ListenerState {
    return this.#state;
  }

  get isDraining(): boolean {
    return this.#state.kind === "draining";
  }

  /** Warming and waiting for nothing. */
  get isWarm(): boolean {
    return this.#state.kind === "warming" && this.#state.awaiting.size === 0;
  }

  isAwaiting(target: string): boolean {
    return this.#state.kind === "warming" && this.#state.awaiting.has(target);
  }

  get isStopped(): boolean {
    return this.#isStopped;
  }

  get sockets(): readonly SocketLease[] {
    return this.#sockets;
  }

  /** The bound sockets are its own from now on. */
  hold(sockets: readonly SocketLease[]): void {
    assert(this.#sockets.length === 0, `listener ${this.name} holds sockets already`);
    this.#sockets = sockets;
    if (sockets.length > 0) this.#localAddresses = sockets.map((lease) => lease.localAddress);
  }

  become(event: ListenerEvent): void {
    const next = nextState(this.#state, event);
    assert(next, `listener ${this.name} is ${this.#state.kind}, cannot be ${event.kind}`);
    this.#state = next;
  }

  /** Workers know it, or will ask for it: it need not stay in memory. */
  forgetConfig(): void {
    this.#configured.forgetConfig?.();
  }

  /** Before a worker gets the configuration: first what that depends on. */
  provideTo(worker: number): void {
    for (const lease of this.dependencies) lease.provideTo?.(worker);
  }

  /** Takes over bytes and version of an update that means the same. */
  adopt(resource: ListenerResource): void {
    this.#decoded = resource.decoded;
    this.#decoded.forgetConfig?.();
    this.#version = resource.version;
    this.#lastUpdatedMs = resource.wallMs;
  }

  /** It accepts no more, by order of the admin; what it holds lives on. */
  markStopped(): void {
    this.#isStopped = true;
  }

  /** It accepts again. */
  reopen(sockets: readonly SocketLease[]): void {
    this.#isStopped = false;
    this.hold(sockets);
  }

  releaseSockets(): void {
    for (const lease of this.#sockets) lease[Symbol.dispose]();
    this.#sockets = [];
  }

  /** Gives back what is this version's own, all but the sockets; a second call does nothing. */
  release(): void {
    for (const lease of this.dependencies.splice(0)) lease[Symbol.dispose]();
    for (const wait of this.waits.splice(0)) wait[Symbol.dispose]();
    this.holdings.slots[Symbol.dispose]();
  }

  view(): ListenerView {
    const { name, tag, generation, isStatic, updateClass, changed } = this.identity;
    const state = this.#state;
    assert(state.kind !== "removed", `listener ${name} is removed and still shown`);
    return {
      name,
      tag,
      state: state.kind,
      generation,
      version: this.#version,
      isStatic,
      addresses: this.facts.addresses,
      localAddresses: this.#localAddresses,
      awaiting: state.kind === "warming" ? [...state.awaiting] : [],
      isStopped: this.#isStopped,
      trafficDirection: this.facts.trafficDirection,
      updateClass,
      changed,
      bytes: this.#decoded.bytes,
      lastUpdatedMs: this.#lastUpdatedMs,
    };
  }
}

/** A message with what the push said of it. */
export interface ListenerResource {
  readonly decoded: DecodedListener;
  /** Empty for the bootstrap. */
  readonly version: string;
  /** Milliseconds since 1970. */
  readonly wallMs: number;
}
