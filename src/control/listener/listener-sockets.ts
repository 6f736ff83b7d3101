/**
 * Listening sockets, one for each address, owned by main: bound when a listener is added, so that a bind error is known
 * before the answer to the control plane, and shared by every version that uses the address, draining
 * ones included. An update re-binds nothing; the last one to let go closes.
 *
 * The registry decides who may share: an address that another name's warming or active listener holds is
 * refused (Envoy: `has duplicate address`), one that a draining listener holds is taken over.
 */
import { isDeepStrictEqual } from "node:util";
import { type SocketAddress, formatAddress } from "../../shared/common/address.ts";
import type { AddressOptions } from "../../shared/config/listener-config.ts";
import type { SocketHolder } from "../../shared/io/listen-sockets.ts";
import type { ListenSocketRef } from "../../shared/io/reactor.ts";
import type { ListenerFacts } from "../config/listener-facts.ts";

export interface BindOptions {
  readonly backlog: number;
  readonly reusePort: boolean;
  readonly freebind: boolean;
  readonly transparent: boolean;
  readonly socketOptions: AddressOptions["socketOptions"];
  readonly keepAlive: AddressOptions["keepAlive"];
  /** IPv4 clients of an IPv6 address are left out. */
  readonly ipv6Only: boolean;
}

export interface BoundSocket {
  readonly ref: ListenSocketRef;
  /** Begins to listen. The text of the error, or undefined when it listens. */
  startListening(): string | undefined;
  /** Leaves the closing to the worker that empties the queue; false where workers cannot. */
  disown(): boolean;
  /** See `OwnedListenSocket`. */
  shareWith(holder: SocketHolder): void;
  isHeldBy(holder: SocketHolder): boolean;
  listenAgain(): void;
  close(): void;
}

export type BindResult =
  | {
      readonly ok: true;
      readonly socket: BoundSocket;
      /** Of the generation before, for workers that this one does not have: bound to the same address. */
      readonly others?: readonly BoundSocket[];
      /** It was not made here, and has other options than were asked for. */
      readonly isOutdated?: boolean;
    }
  /** In Envoy's words: `cannot bind '127.0.0.1:80': Address already in use`. */
  | { readonly ok: false; readonly error: string };

/** Whose socket it is to be. */
export interface SocketUser {
  /** By name. */
  readonly listener: string;
  /** 0 where there is one for all. */
  readonly worker: number;
}

export type BindSocket = (
  address: SocketAddress,
  options: BindOptions,
  user: SocketUser,
) => Promise<BindResult>;

/** What of a listener its sockets depend on. */
type BindFacts = Pick<
  ListenerFacts,
  | "name"
  | "addresses"
  | "bindToPort"
  | "enableReusePort"
  | "tcpBacklogSize"
  | "addressOptions"
  | "freebind"
  | "transparent"
>;

/** Who uses a socket: a version of a listener. */
export interface SocketOwner {
  readonly name: string;
  readonly isDraining: boolean;
}

/** One version's share of one address. */
export interface SocketLease extends Disposable {
  readonly localAddress: SocketAddress;
  /**
   * What worker `index` accepts on: the one socket; its own under `enable_reuse_port`; and more where a generation with
   * more workers has left its sockets.
   */
  refsFor(index: number): readonly ListenSocketRef[];
  readonly isPerWorker: boolean;
  /** True while some other lease holds the same socket. */
  isSharedWith(other: SocketLease): boolean;
  /** Another process was given all of its sockets. */
  isHeldBy(holder: SocketHolder): boolean;
  /** See `OwnedListenSocket`. */
  listenAgain(): void;
  /** True when this is the last lease and workers are to close what they get by `refsFor`. */
  disown(): boolean;
  startListening(): string | undefined;
}

/** What another process gets. */
export interface SharedSocket {
  readonly ref: ListenSocketRef;
  /** Whose it is; 0 where there is one for all. */
  readonly worker: number;
}

interface Entry {
  readonly key: string;
  readonly options: BindOptions;
  readonly sockets: readonly BoundSocket[];
  readonly leases: Map<SocketLease, SocketOwner>;
  /** Taken from another process, with other options. */
  readonly isOutdated: boolean;
  isListening: boolean;
}

export type AcquireResult =
  | {
      readonly ok: true;
      readonly leases: readonly SocketLease[];
      /** Addresses whose open socket has other options than were asked for: it keeps them. */
      readonly outdated: readonly SocketAddress[];
    }
  /** `kind`: Envoy counts what the system refused, and not what it refused itself. */
  | { readonly ok: false; readonly kind: "duplicate" | "unbound"; readonly error: string };

export class ListenerSockets {
  readonly #bind: BindSocket;
  readonly #workers: number;
  readonly #entries = new Map<string, Entry>();

  constructor(bind: BindSocket, workers: number) {
    this.#bind = bind;
    this.#workers = workers;
  }

  /** Addresses with an open socket. */
  get size(): number {
    return this.#entries.size;
  }

  /** A lease for each address of the listener, or none and the reason. Calls must not overlap. */
  async acquire(facts: BindFacts, owner: SocketOwner): Promise<AcquireResult> {
    if (!facts.bindToPort) return { ok: true, leases: [], outdated: [] };
    const duplicate = facts.addresses.find((address) => this.#isTaken(address, owner));
    if (duplicate) {
      return { ok: false, kind: "duplicate", error: duplicateAddress(facts.name, duplicate) };
    }
    const leases: SocketLease[] = [];
    const outdated: SocketAddress[] = [];
    for (const [index, address] of facts.addresses.entries()) {
      const key = socketKey(facts.name, address, index);
      // One after the other: the second socket of an address must find the first.
      const known = this.#entries.get(key);
      const options = bindOptions(facts, index);
      const entry = known ?? (await this.#open({ key, listener: facts.name }, address, options));
      if (typeof entry === "string") {
        for (const lease of leases) lease[Symbol.dispose]();
        return { ok: false, kind: "unbound", error: entry };
      }
      const hasOthers = known ? !isDeepStrictEqual(entry.options, options) : entry.isOutdated;
      if (hasOthers) outdated.push(address);
      leases.push(this.#lease(entry, owner));
    }
    return { ok: true, leases, outdated };
  }

  /**
   * What `worker` accepts on at `address`, for the next generation; undefined where nothing is bound there or no
   * such worker has a socket.
   */
  share(address: SocketAddress, worker: number, holder: SocketHolder): ListenSocketRef | undefined {
    const wanted = formatAddress(address);
    const entry = [...this.#entries.values()].find(
      ({ sockets }) => formatAddress(firstOf({ sockets }).ref.localAddress) === wanted,
    );
    const { sockets = [] } = entry ?? {};
    const socket = sockets.length === 1 && worker < this.#workers ? sockets[0] : sockets[worker];
    if (!entry?.isListening) return undefined;
    socket?.shareWith(holder);
    return socket?.ref;
  }

  /** All that is listened on, for a process that takes over at once. */
  shareAll(holder: SocketHolder): readonly SharedSocket[] {
    const listening = [...this.#entries.values()].filter(({ isListening }) => isListening);
    for (const socket of listening.flatMap(({ sockets }) => sockets)) socket.shareWith(holder);
    return listening.flatMap(({ sockets }) => sockets.map(({ ref }, worker) => ({ ref, worker })));
  }

  #isTaken(address: SocketAddress, owner: SocketOwner): boolean {
    const entry = isEphemeral(address) ? undefined : this.#entries.get(formatAddress(address));
    if (!entry) return false;
    return [...entry.leases.values()].some(
      (other) => other.name !== owner.name && !other.isDraining,
    );
  }

  async #open(
    { key, listener }: { readonly key: string; readonly listener: string },
    address: SocketAddress,
    options: BindOptions,
  ): Promise<Entry | string> {
    const count = options.reusePort ? this.#workers : 1;
    const sockets: BoundSocket[] = [];
    let isOutdated = false;
    for (let i = 0; i < count; i++) {
      // Port 0 is chosen by the first socket; the others of the same address must follow it.
      const target = sockets[0]?.ref.localAddress ?? address;
      const result = await this.#bind(target, options, { listener, worker: i });
      if (!result.ok) {
        for (const socket of sockets) socket.close();
        return result.error;
      }
      sockets.push(result.socket, ...(result.others ?? []));
      isOutdated ||= result.isOutdated === true;
    }
    const entry: Entry = {
      key,
      options,
      sockets,
      leases: new Map(),
      isOutdated,
      isListening: false,
    };
    this.#entries.set(key, entry);
    return entry;
  }

  #lease(entry: Entry, owner: SocketOwner): SocketLease {
    const lease = new EntryLease(entry, this.#workers, this.#release);
    entry.leases.set(lease, owner);
    return lease;
  }

  readonly #release = (entry: Entry, lease: SocketLease): void => {
    if (!entry.leases.delete(lease) || entry.leases.size > 0) return;
    this.#entries.delete(entry.key);
    for (const socket of entry.sockets) socket.close();
  };
}

class EntryLease implements SocketLease {
  readonly #entry: Entry;
  readonly #workers: number;
  readonly #release: (entry: Entry, lease: SocketLease) => void;

  constructor(entry: Entry, workers: number, release: (entry: Entry, lease: SocketLease) => void) {
    this.#entry = entry;
    this.#workers = workers;
    this.#release = release;
  }

  get localAddress(): SocketAddress {
    return firstOf(this.#entry).ref.localAddress;
  }

  get isPerWorker(): boolean {
    return this.#entry.sockets.length > 1;
  }

  refsFor(index: number): readonly ListenSocketRef[] {
    const { sockets } = this.#entry;
    // Of two sockets, with three workers, the third shares the first one's.
    const first = sockets[index % sockets.length] ?? firstOf(this.#entry);
    const more = sockets.filter((_, at) => at >= this.#workers && at % this.#workers === index);
    return [first, ...more].map(({ ref }) => ref);
  }

  isSharedWith(other: SocketLease): boolean {
    return this.#entry.leases.has(other);
  }

  isHeldBy(holder: SocketHolder): boolean {
    return this.#entry.sockets.every((socket) => socket.isHeldBy(holder));
  }

  listenAgain(): void {
    for (const socket of this.#entry.sockets) socket.listenAgain();
  }

  disown(): boolean {
    const { leases, sockets } = this.#entry;
    return leases.size === 1 && sockets.every((socket) => socket.disown());
  }

  startListening(): string | undefined {
    return startListening(this.#entry);
  }

  [Symbol.dispose](): void {
    this.#release(this.#entry, this);
  }
}

function firstOf({ sockets }: Pick<Entry, "sockets">): BoundSocket {
  const [first] = sockets as readonly [BoundSocket];
  return first;
}

function startListening(entry: Entry): string | undefined {
  if (entry.isListening) return undefined;
  for (const socket of entry.sockets) {
    const error = socket.startListening();
    if (error !== undefined) return error;
  }
  entry.isListening = true;
  return undefined;
}

/** Port 0 names no address: only versions of the same listener may share what it became. */
function socketKey(name: string, address: SocketAddress, index: number): string {
  return isEphemeral(address)
    ? `${name} ${index} ${formatAddress(address)}`
    : formatAddress(address);
}

function isEphemeral(address: SocketAddress): boolean {
  return address.kind === "ip" && address.port === 0;
}

/** Of listeners that are there together from the start: those whose address another one has, as `acquire` says it. */
export function duplicateAddresses(listeners: readonly BindFacts[]): readonly string[] {
  const taken = new Set<string>();
  return listeners.flatMap(({ name, addresses, bindToPort }) => {
    const own = bindToPort ? addresses.filter((address) => !isEphemeral(address)) : [];
    const duplicate = own.find((address) => taken.has(formatAddress(address)));
    for (const address of own) taken.add(formatAddress(address));
    return duplicate
      ? [`error adding listener '${name}': ${duplicateAddress(name, duplicate)}`]
      : [];
  });
}

function bindOptions(facts: BindFacts, index: number): BindOptions {
  const { tcpBacklogSize, enableReusePort, freebind, transparent } = facts;
  const own = facts.addressOptions[index];
  return {
    backlog: tcpBacklogSize,
    reusePort: enableReusePort,
    freebind,
    transparent,
    socketOptions: own?.socketOptions ?? [],
    keepAlive: own?.keepAlive,
    ipv6Only: own?.ipv4Compat !== true,
  };
}

function duplicateAddress(name: string, address: SocketAddress): string {
  return (
    `error adding listener: '${name}' has duplicate address '${formatAddress(address)}' ` +
    `as existing listener, to check if the listener has duplicated addresses with other listeners or 'enable_reuse_port' is set to 'false' for the listener`
  );
}
