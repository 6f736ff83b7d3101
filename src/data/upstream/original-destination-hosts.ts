/**
 * The hosts of an ORIGINAL_DST cluster: made when a connection or a request names where it was going, and gone when nothing
 * is open to them any more (Envoy: `OriginalDstCluster`). Each worker has its own.
 *
 * What a newcomer would get wrong: a host leaves at a sweep, not when its last connection ends, so that the next connection
 * to it finds what is known of it.
 */
import type { SocketAddress } from "../../shared/common/address.ts";
import { formatAddress } from "../../shared/common/address.ts";
import type { ClusterDiscovery } from "../../shared/config/cluster-config.ts";
import { TimerSlot, type TimerWheel, type WheelTimer } from "../../shared/io/timer-wheel.ts";
import type { HostRequest, UpstreamCluster } from "./cluster-table.ts";
import { Host } from "./host.ts";
import { parseAddressAndPort } from "./named-address.ts";

/** More destinations than a client behind the proxy has; without a bound whoever writes the header fills the memory. */
export const hostsMax = 10_000;

export interface OriginalDestinationParts {
  readonly cluster: UpstreamCluster;
  readonly discovery: Extract<ClusterDiscovery, { kind: "originalDst" }>;
  readonly timers: TimerWheel;
  /** What the header says is no address. */
  onInvalid(): void;
  /** There are `hostsMax`. */
  onFull(): void;
  onSize(count: number): void;
}

export class OriginalDestinationHosts implements WheelTimer {
  readonly #parts: OriginalDestinationParts;
  readonly #byAddress = new Map<string, Host>();
  readonly #timer = new TimerSlot(this);

  constructor(parts: OriginalDestinationParts) {
    this.#parts = parts;
  }

  get hosts(): readonly Host[] {
    return [...this.#byAddress.values()];
  }

  /** Undefined: nobody says where to, or there is no room. */
  choose(request: HostRequest | undefined): Host | undefined {
    const address = request && this.#destinationOf(request);
    if (address?.kind !== "ip") return undefined;
    const key = formatAddress(address);
    return this.#byAddress.get(key) ?? this.#make(address, key);
  }

  /** The cluster goes, or another version of it comes. */
  clear(): void {
    this.#parts.timers.cancel(this.#timer);
    for (const host of this.#byAddress.values()) host.leave();
    this.#byAddress.clear();
    this.#parts.onSize(0);
  }

  onTimer(): void {
    for (const [key, host] of this.#byAddress) {
      if (host.isInUse) continue;
      this.#byAddress.delete(key);
      host.leave();
    }
    this.#parts.onSize(this.#byAddress.size);
    if (this.#byAddress.size > 0) this.#arm();
  }

  /** The header goes before the address, and the port before the port of both. */
  #destinationOf(request: HostRequest): SocketAddress | undefined {
    const named = request.namedHost === undefined ? undefined : this.#named(request.namedHost);
    const address = named ?? request.originalDestination;
    const { portOverride } = this.#parts.discovery;
    if (address?.kind !== "ip" || portOverride === undefined) return address;
    return { ...address, port: portOverride };
  }

  #named(text: string): SocketAddress | undefined {
    const address = parseAddressAndPort(text);
    if (!address) this.#parts.onInvalid();
    return address;
  }

  #make(address: SocketAddress, key: string): Host | undefined {
    if (this.#byAddress.size >= hostsMax) {
      this.#parts.onFull();
      return undefined;
    }
    const { cluster } = this.#parts;
    const hostname = `${cluster.config.name}${key}`;
    const config = {
      address,
      hostname,
      weight: 1,
      priority: 0,
      health: "healthy",
      flags: [],
    } as const;
    const host = new Host(cluster, config, 0);
    if (this.#byAddress.size === 0) this.#arm();
    this.#byAddress.set(key, host);
    this.#parts.onSize(this.#byAddress.size);
    return host;
  }

  #arm(): void {
    this.#parts.timers.arm(this.#timer, this.#parts.discovery.cleanupIntervalMs);
  }
}
