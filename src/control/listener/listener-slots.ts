/**
 * The stats and counters of one version of a listener, given out by main before a worker counts
 * anything. Versions share what has the same name (Envoy: generations share `listener.<address>.`); the
 * count of connections belongs to the tag, so an in-place update goes on with it and a full one starts at 0.
 */
import { formatAddress } from "../../shared/common/address.ts";
import type { ListenerFacts, StatPrefixes } from "../config/listener-facts.ts";
import {
  type BlocksByPrefix,
  type FilterSlots,
  type ListenerSlots,
  noTlsBlocks,
  tokenBucketSlots,
} from "../../shared/protocol/worker-command.ts";
import { listenerFilterBlocks } from "./listener-filter-slots.ts";
import type { StatAllocator } from "../../shared/stats/stat-allocator.ts";
import type { StatBlock } from "../../shared/stats/stat-group.ts";
import {
  credentialInjectorStats,
  http1Stats,
  http2Stats,
  httpStats,
  listenerHttpStats,
  listenerStats,
  listenerWorkerStats,
  tcpOnDemandStats,
  tcpStats,
} from "../../shared/stats/stat-names.ts";
import { tlsFactoryStats, tlsStats } from "../../shared/stats/tls-stats.ts";

export interface ListenerSlotsLease extends Disposable {
  slotsFor(worker: number): ListenerSlots;
}

/** What a version counts its connections with. */
export interface ConnectionCount {
  /** Index into the shared limits. */
  readonly index: number;
  /** How many counters are there: that of connections, then those of token buckets. */
  readonly size: number;
}

/** With room for what its listener filters count together, at an even place. */
export function connectionCountSize({ listenerFilters }: ListenerFacts): number {
  const buckets = listenerFilters.filter(({ filter }) => filter.kind === "localRateLimit");
  return buckets.length === 0 ? 1 : 2 + buckets.length * tokenBucketSlots;
}

export function allocateListenerSlots(
  facts: ListenerFacts,
  workers: number,
  connections: ConnectionCount,
  allocator: StatAllocator,
): ListenerSlotsLease {
  const { allocate, release } = allocateTogether(allocator);
  const prefix = listenerStatPrefix(facts);
  const shared = {
    listener: allocate(listenerStats, prefix),
    ...filterSlots(facts, allocate),
    listenerHttp: byPrefix(facts.httpStatPrefixes, (p) =>
      allocate(listenerHttpStats, `${prefix}http.${p}.`),
    ),
    tls: facts.speaksTls
      ? {
          connection: allocate(tlsStats, prefix),
          factory: allocate(tlsFactoryStats, `${prefix}server_ssl_socket_factory.`),
        }
      : noTlsBlocks,
    listenerFilters: listenerFilterBlocks(facts.listenerFilters, allocate),
    connectionCount: connections.index,
    tokenBuckets: connections.index + 1 + ((connections.index + 1) % 2),
    name: facts.name,
    ignoresGlobalLimit: facts.ignoreGlobalConnLimit,
    bypassesOverload: facts.bypassOverloadManager,
  };
  const perWorker = Array.from({ length: workers }, (_, index) =>
    allocate(listenerWorkerStats, `${prefix}worker_${index}.`),
  );
  return {
    slotsFor: (worker) => ({ ...shared, worker: perWorker[worker] ?? 0 }),
    [Symbol.dispose]: release,
  };
}

export interface FilterSlotsLease extends Disposable {
  readonly slots: FilterSlots;
}

/** Of network filters that belong to no one listener. */
export function allocateFilterSlots(
  prefixes: StatPrefixes,
  allocator: StatAllocator,
): FilterSlotsLease {
  const { allocate, release } = allocateTogether(allocator);
  return { slots: filterSlots(prefixes, allocate), [Symbol.dispose]: release };
}

function filterSlots(prefixes: StatPrefixes, allocate: StatAllocator["allocate"]): FilterSlots {
  return {
    http: byPrefix(prefixes.httpStatPrefixes, (p) => allocate(httpStats, `http.${p}.`)),
    http1: prefixes.httpStatPrefixes.length > 0 ? allocate(http1Stats, "http1.") : 0,
    http2: prefixes.httpStatPrefixes.length > 0 ? allocate(http2Stats, "http2.") : 0,
    tcp: byPrefix(prefixes.tcpStatPrefixes, (p) => allocate(tcpStats, `tcp.${p}.`)),
    tcpOnDemand: byPrefix(prefixes.onDemandStatPrefixes, (p) =>
      allocate(tcpOnDemandStats, `tcp.${p}.`),
    ),
    credentialInjector: byPrefix(prefixes.credentialStatPrefixes, (p) =>
      allocate(credentialInjectorStats, `http.${p}.credential_injector.`),
    ),
  };
}

/** What is given back at once. */
function allocateTogether(
  allocator: StatAllocator,
): Pick<StatAllocator, "allocate"> & { readonly release: () => void } {
  const blocks: StatBlock[] = [];
  return {
    allocate: (group, prefix) => {
      const block = allocator.allocate(group, prefix);
      blocks.push(block);
      return block;
    },
    release: () => {
      for (const block of blocks.splice(0)) allocator.release(block);
    },
  };
}

/** `listener.<stat_prefix or address>.`, its colons replaced as Envoy does. */
export function listenerStatPrefix({
  name: listener,
  addresses,
  statPrefix,
}: ListenerFacts): string {
  const [address] = addresses;
  const name = statPrefix || (address ? formatAddress(address) : listener);
  return `listener.${name.replaceAll(":", "_")}.`;
}

const none: BlocksByPrefix = [];

function byPrefix(
  prefixes: readonly string[],
  allocate: (prefix: string) => StatBlock,
): BlocksByPrefix {
  if (prefixes.length === 0) return none;
  return prefixes.map((prefix) => [prefix, allocate(prefix)] as const);
}
