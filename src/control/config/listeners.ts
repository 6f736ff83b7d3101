/** Listeners: `envoy.config.listener.v3.Listener`, from bytes (LDS) or as part of a bootstrap. */
import { toBinary } from "@bufbuild/protobuf";
import type { Listener } from "../../../gen/es/envoy/config/listener/v3/listener_pb.d.ts";
import { type SocketAddress, formatAddress } from "../../shared/common/address.ts";
import type { FilterChainConfig, ListenerConfig } from "../../shared/config/listener-config.ts";
import type { ListenerFilterConfig } from "../../shared/config/listener-filter-config.ts";
import { assert } from "../../shared/common/assert.ts";
import { readBinary } from "../proto/binary.ts";
import { durationMsOr } from "../proto/duration.ts";
import { decodeAccessLogs } from "./access-logs.ts";
import { decodeAddressOptions } from "./address-options.ts";
import { decodeAddress } from "./addresses.ts";
import { hashOf } from "./canonical.ts";
import { chainNameConflicts, decodeChainMatcher } from "./chain-matcher.ts";
import { type ChainPart, listenerPartsOf, withoutChains } from "./chain-bytes.ts";
import { DecodeContext, type DecodeTools } from "./decode-context.ts";
import { type ListenerNeeds, uniqueDependencies } from "./decoded-listener.ts";
import { decodeDrainPolicy, drainMetadataKey } from "./drain-policies.ts";
import { filterChainConflicts } from "./filter-chain-conflicts.ts";
import { decodeDefaultFilterChain, decodeFilterChain } from "./filter-chains.ts";
import { decodeListenerFilters } from "./listener-filters.ts";
import { type KnownChain, knownChainsOf } from "./known-chains.ts";
import { type ListenerReader, ReceivedListener } from "./received-listener.ts";
import { RecentConfigs } from "./recent-configs.ts";
import { nameOfUnnamed } from "./unnamed-listener.ts";

export const listenerTypeName = "envoy.config.listener.v3.Listener" as const;

/** Docs: `per_connection_buffer_limit_bytes`, "defaults to 1 MiB". */
const bufferLimitBytesDefault = 1024 * 1024;
/** Docs: `listener_filters_timeout`, "defaults to 15s". */
const listenerFiltersTimeoutMsDefault = 15_000;
/** Envoy takes the system's limit; Linux cuts this one to it. */
const tcpBacklogSizeDefault = 65_535;
/** Docs: `max_connections_to_accept_per_socket_event`: unlimited; a bound keeps other sockets served. */
const acceptsPerEventMaxDefault = 1_000;

/** By the numbers of `core.v3.TrafficDirection`. */
const directions = ["unspecified", "inbound", "outbound"] as const;

/** What is known of a listener's bytes before they are read. */
interface Preparation {
  readonly bytes: Uint8Array;
  /** In the order of the listener; one that is known is not in the message. */
  readonly chains: readonly { readonly part: ChainPart; readonly known: KnownChain | undefined }[];
}

/** The message has passed `context.check`; `received` are the bytes it came in, if it came so. */
export function decodeListener(
  message: Listener,
  context: DecodeContext,
  received?: Uint8Array,
): ReceivedListener {
  const schema = context.protos.schema<Listener>(listenerTypeName);
  const bytes = received ?? toBinary(schema, message);
  const chains = listenerPartsOf(bytes)?.chains.map((part) => ({ part, known: undefined })) ?? [];
  return decodePrepared(message, { bytes, chains }, context);
}

/**
 * As `decodeListener`, of bytes of which filter chains are known from before. Undefined: none is, or something is
 * wrong.
 */
export function decodeKnownListener(
  bytes: Uint8Array,
  context: DecodeContext,
): ReceivedListener | undefined {
  const prepared = prepare(bytes, context.tools);
  if (!prepared) return undefined;
  const schema = context.protos.schema<Listener>(listenerTypeName);
  const message = readBinary(schema, prepared.rest);
  if (!message.ok || !context.check(schema, message.value)) return undefined;
  return decodePrepared(message.value, prepared, context);
}

/** `rest`: the bytes without the chains that are known. */
function prepare(
  bytes: Uint8Array,
  tools: DecodeTools,
): (Preparation & { readonly rest: Uint8Array }) | undefined {
  const parts = listenerPartsOf(bytes);
  if (!parts) return undefined;
  const known = knownChainsOf(tools);
  const chains = parts.chains.map((part) => ({ part, known: known.get(part) }));
  if (chains.every((chain) => chain.known === undefined)) return undefined;
  return { bytes, chains, rest: withoutChains(parts, (part) => known.get(part) !== undefined) };
}

function decodePrepared(
  message: Listener,
  { bytes, chains }: Preparation,
  context: DecodeContext,
): ReceivedListener {
  const { config, needs } = decodeConfig(message, { bytes, chains }, context);
  judgeFilterChains(config, context);
  return new ReceivedListener(
    {
      config,
      bytes,
      dependencies: uniqueDependencies(needs.dependencies),
      requiredClusters: [...new Set(needs.requiredClusters)],
    },
    readerOf(context.tools),
  );
}

function decodeConfig(
  message: Listener,
  { bytes, chains }: Preparation,
  context: DecodeContext,
): { readonly config: ListenerConfig; readonly needs: ListenerNeeds } {
  const needs: ListenerNeeds = { dependencies: [], requiredClusters: [] };
  const addresses = decodeAddresses(message, context);
  const filterChains =
    chains.length === 0
      ? message.filterChains.map((chain) => decodeFilterChain(chain, needs, context))
      : decodeManyChains(message, chains, { needs, context });
  const { defaultFilterChain, filterChainMatcher } = message;
  const config: ListenerConfig = {
    name: message.name === "" ? nameOfUnnamed(bytes) : message.name,
    addresses,
    statPrefix: message.statPrefix,
    filterChains,
    defaultFilterChain:
      defaultFilterChain && decodeDefaultFilterChain(defaultFilterChain, needs, context),
    chainMatcher: filterChainMatcher && decodeChainMatcher(filterChainMatcher, context),
    listenerFilters: withOriginalDestination(
      decodeListenerFilters(message.listenerFilters, context),
      message.useOriginalDst ?? false,
    ),
    handsOffRestored: message.useOriginalDst ?? false,
    ...decodeLimits(message),
    ...decodeSocketConfig(message, context),
    continueOnListenerFiltersTimeout: message.continueOnListenerFiltersTimeout,
    drainType: Number(message.drainType) === 1 ? "modifyOnly" : "default",
    drainPolicy: decodeDrainPolicy(message.metadata?.filterMetadata[drainMetadataKey], context),
    trafficDirection: directions[message.trafficDirection] ?? "unspecified",
    ignoreGlobalConnLimit: message.ignoreGlobalConnLimit,
    bypassOverloadManager: message.bypassOverloadManager,
    carriesTraffic: !message.ignoreGlobalConnLimit && !message.bypassOverloadManager,
    accessLog: decodeAccessLogs(message.accessLog, context),
  };
  return { config, needs };
}

function decodeManyChains(
  message: Listener,
  chains: Preparation["chains"],
  { needs, context }: { readonly needs: ListenerNeeds; readonly context: DecodeContext },
): readonly FilterChainConfig[] {
  const unknown = message.filterChains.values();
  return chains.flatMap((chain) => {
    const next = chain.known ? undefined : unknown.next().value;
    const one = next ? knownChainsOf(context.tools).decode(chain.part, next, context) : chain.known;
    if (!one) return [];
    needs.dependencies.push(...one.needs.dependencies);
    needs.requiredClusters.push(...one.needs.requiredClusters);
    for (const { field, reason } of one.warnings) context.warn(field, reason);
    return [one.config];
  });
}

const readers = new WeakMap<DecodeTools, ListenerReader>();

/** One for all listeners. What was accepted once is accepted again: nothing here looks outside the bytes. */
function readerOf(tools: DecodeTools): ListenerReader {
  const known = readers.get(tools);
  if (known) return known;
  const schema = tools.protos.schema<Listener>(listenerTypeName);
  const read = (bytes: Uint8Array): Listener => {
    const message = readBinary(schema, bytes);
    assert(message.ok, "a listener that was decoded before");
    return message.value;
  };
  const reader: ListenerReader = {
    config: (bytes) => {
      const context = new DecodeContext(tools);
      const { rest, chains } = prepare(bytes, tools) ?? { rest: bytes, chains: [] };
      return decodeConfig(read(rest), { bytes, chains }, context).config;
    },
    hash: (bytes) => hashOf(schema, read(bytes)),
    recent: new RecentConfigs(),
  };
  readers.set(tools, reader);
  return reader;
}

function decodeAddresses(message: Listener, context: DecodeContext): readonly SocketAddress[] {
  if (!message.address) {
    context.refuse(`error adding listener named '${message.name}': address is necessary`);
    return [];
  }
  const all = [message.address, ...message.additionalAddresses.map(({ address }) => address)];
  const addresses = all.map((address) => decodeAddress(address, context));
  if (new Set(addresses.map((address) => address.kind)).size > 1)
    context.refuse(
      `error adding listener named '${message.name}': different kinds of addresses in one listener are not supported`,
    );
  return addresses;
}

function decodeLimits(
  message: Listener,
): Pick<
  ListenerConfig,
  "perConnectionBufferLimitBytes" | "listenerFiltersTimeoutMs" | "acceptsPerEventMax"
> {
  return {
    perConnectionBufferLimitBytes: message.perConnectionBufferLimitBytes ?? bufferLimitBytesDefault,
    listenerFiltersTimeoutMs: durationMsOr(
      message.listenerFiltersTimeout,
      listenerFiltersTimeoutMsDefault,
    ),
    acceptsPerEventMax: message.maxConnectionsToAcceptPerSocketEvent ?? acceptsPerEventMaxDefault,
  };
}

function decodeSocketConfig(
  message: Listener,
  context: DecodeContext,
): Pick<
  ListenerConfig,
  | "bindToPort"
  | "enableReusePort"
  | "tcpBacklogSize"
  | "addressOptions"
  | "freebind"
  | "transparent"
> {
  return {
    bindToPort: message.bindToPort ?? true,
    // Envoy's default is one socket a worker; here all workers share one unless it is asked for.
    enableReusePort: message.enableReusePort ?? false,
    tcpBacklogSize: message.tcpBacklogSize ?? tcpBacklogSizeDefault,
    addressOptions: decodeAddressOptions(message, context),
    freebind: message.freebind ?? false,
    transparent: message.transparent ?? false,
  };
}

/** Envoy: `ListenerImpl::buildOriginalDstListenerFilter`: `use_original_dst` needs it, so it comes last if it is not there. */
function withOriginalDestination(
  filters: readonly ListenerFilterConfig[],
  isWanted: boolean,
): readonly ListenerFilterConfig[] {
  const filter = { kind: "originalDestination" } as const;
  if (!isWanted || filters.some((one) => one.filter.kind === filter.kind)) return filters;
  return [
    ...filters,
    { name: "envoy.filters.listener.original_dst", disabledFor: undefined, filter },
  ];
}

function judgeFilterChains(config: ListenerConfig, context: DecodeContext): void {
  const chains: readonly FilterChainConfig[] = config.filterChains;
  const [address] = config.addresses;
  const where = address ? formatAddress(address) : config.name;
  const refuse = (reason: string): void =>
    context.refuse(`error adding listener '${where}': ${reason}`);
  if (chains.length === 0 && !config.defaultFilterChain) refuse("no filter chains specified");
  const conflicts = config.chainMatcher ? chainNameConflicts : filterChainConflicts;
  for (const conflict of conflicts(chains)) refuse(conflict);
}
