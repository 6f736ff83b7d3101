/**
 * The stats and counters of one version of a listener, given out by main before a worker counts
 * anything. Versions share what has the same name (Envoy: generations share `listener.<address>.`); the
 * count of connections belongs to the tag, so an in-place update goes on with it and a full one starts at 0.
 */
import { formatAddress } from "../../shared/common/address.ts";
import type { ListenerFacts } from "../config/listener-facts.ts";
import type { BlocksByPrefix, ListenerSlots } from "../../shared/protocol/worker-command.ts";
import type { StatAllocator } from "../../shared/stats/stat-allocator.ts";
import type { StatBlock } from "../../shared/stats/stat-group.ts";
import {
  credentialInjectorStats,
  http2Stats,
  httpStats,
  listenerHttpStats,
  listenerStats,
  listenerWorkerStats,
  tcpStats,
} from "../../shared/stats/stat-names.ts";

export interface ListenerSlotsLease extends Disposable {
  slotsFor(worker: number): ListenerSlots;
}

/** What a version counts its connections with. */
export interface ConnectionCount {
  /** Index into the shared limits. */
  readonly index: number;
}

export function allocateListenerSlots(
  facts: ListenerFacts,
  workers: number,
  connections: ConnectionCount,
  allocator: StatAllocator,
): ListenerSlotsLease {
  const blocks: StatBlock[] = [];
  const allocate: StatAllocator["allocate"] = (group, prefix) => {
    const block = allocator.allocate(group, prefix);
    blocks.push(block);
    return block;
  };
  const prefix = listenerStatPrefix(facts);
  const { httpStatPrefixes: http, tcpStatPrefixes } = facts;
  const shared = {
    listener: allocate(listenerStats, prefix),
    http: byPrefix(http, (p) => allocate(httpStats, `http.${p}.`)),
    listenerHttp: byPrefix(http, (p) => allocate(listenerHttpStats, `${prefix}http.${p}.`)),
    credentialInjector: byPrefix(facts.credentialStatPrefixes, (p) =>
      allocate(credentialInjectorStats, `http.${p}.credential_injector.`),
    ),
    http2: http.length > 0 ? allocate(http2Stats, "http2.") : 0,
    tcp: byPrefix(tcpStatPrefixes, (p) => allocate(tcpStats, `tcp.${p}.`)),
    connectionCount: connections.index,
    name: facts.name,
    ignoresGlobalLimit: facts.ignoreGlobalConnLimit,
  };
  const perWorker = Array.from({ length: workers }, (_, index) =>
    allocate(listenerWorkerStats, `${prefix}worker_${index}.`),
  );
  return {
    slotsFor: (worker) => ({ ...shared, worker: perWorker[worker] ?? 0 }),
    [Symbol.dispose]() {
      for (const block of blocks.splice(0)) allocator.release(block);
    },
  };
}

/** `listener.<stat_prefix or address>.`, its colons replaced as Envoy does. */
function listenerStatPrefix({ name: listener, addresses, statPrefix }: ListenerFacts): string {
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
