/** Listeners: `envoy.config.listener.v3.Listener`, from bytes (LDS) or as part of a bootstrap. */
import { toBinary } from "@bufbuild/protobuf";
import type { Listener } from "../../../gen/es/envoy/config/listener/v3/listener_pb.d.ts";
import type { SocketOption } from "../../../gen/es/envoy/config/core/v3/socket_option_pb.d.ts";
import { type SocketAddress, formatAddress } from "../../shared/common/address.ts";
import type {
  FilterChainConfig,
  ListenerConfig,
  ListenerFilterConfig,
  SocketOptionConfig,
} from "../../shared/config/listener-config.ts";
import { assert } from "../../shared/common/assert.ts";
import { readBinary } from "../proto/binary.ts";
import { durationMsOr } from "../proto/duration.ts";
import { decodeAccessLogs } from "./access-logs.ts";
import { decodeAddress } from "./addresses.ts";
import { hashOf } from "./canonical.ts";
import { DecodeContext, type DecodeTools } from "./decode-context.ts";
import { type ListenerNeeds, uniqueDependencies } from "./decoded-listener.ts";
import { decodeDrainPolicy, drainMetadataKey } from "./drain-policies.ts";
import { findExtension } from "./extensions.ts";
import { filterChainConflicts } from "./filter-chain-conflicts.ts";
import { decodeDefaultFilterChain, decodeFilterChain } from "./filter-chains.ts";
import { type ListenerReader, ReceivedListener } from "./received-listener.ts";
import { RecentConfigs } from "./recent-configs.ts";

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

/** The message has passed `context.check`; `received` are the bytes it came in, if it came so. */
export function decodeListener(
  message: Listener,
  context: DecodeContext,
  received?: Uint8Array,
): ReceivedListener {
  const schema = context.protos.schema<Listener>(listenerTypeName);
  const bytes = received ?? toBinary(schema, message);
  const { config, needs } = decodeConfig(message, context);
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
  context: DecodeContext,
): { readonly config: ListenerConfig; readonly needs: ListenerNeeds } {
  const needs: ListenerNeeds = { dependencies: [], requiredClusters: [] };
  const addresses = decodeAddresses(message, context);
  const filterChains = message.filterChains.map((chain) =>
    decodeFilterChain(chain, needs, context),
  );
  const { defaultFilterChain } = message;
  const config: ListenerConfig = {
    name: message.name === "" ? unnamed(message, context) : message.name,
    addresses,
    statPrefix: message.statPrefix,
    filterChains,
    defaultFilterChain:
      defaultFilterChain && decodeDefaultFilterChain(defaultFilterChain, needs, context),
    listenerFilters: decodeListenerFilters(message, context),
    ...decodeLimits(message),
    ...decodeSocketConfig(message, context),
    continueOnListenerFiltersTimeout: message.continueOnListenerFiltersTimeout,
    drainType: Number(message.drainType) === 1 ? "modifyOnly" : "default",
    drainPolicy: decodeDrainPolicy(message.metadata?.filterMetadata[drainMetadataKey], context),
    trafficDirection: directions[message.trafficDirection] ?? "unspecified",
    useOriginalDst: message.useOriginalDst ?? false,
    ignoreGlobalConnLimit: message.ignoreGlobalConnLimit,
    carriesTraffic: !message.ignoreGlobalConnLimit && !message.bypassOverloadManager,
    accessLog: decodeAccessLogs(message.accessLog, context),
  };
  return { config, needs };
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
    config: (bytes) => decodeConfig(read(bytes), new DecodeContext(tools)).config,
    hash: (bytes) => hashOf(schema, read(bytes)),
    recent: new RecentConfigs(),
  };
  readers.set(tools, reader);
  return reader;
}

/** Envoy makes up a random name where there is none; this one is the same after a restart. */
function unnamed(message: Listener, context: DecodeContext): string {
  const schema = context.protos.schema<Listener>(listenerTypeName);
  return `unnamed-${hashOf(schema, message).slice(0, 8)}`;
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
  "bindToPort" | "enableReusePort" | "tcpBacklogSize" | "socketOptions" | "freebind" | "transparent"
> {
  return {
    bindToPort: message.bindToPort ?? true,
    // Envoy's default is one socket a worker; here all workers share one unless it is asked for.
    enableReusePort: message.enableReusePort ?? false,
    tcpBacklogSize: message.tcpBacklogSize ?? tcpBacklogSizeDefault,
    socketOptions: message.socketOptions.flatMap((option) => decodeSocketOption(option, context)),
    freebind: message.freebind ?? false,
    transparent: message.transparent ?? false,
  };
}

/** By the numbers of `SocketOption.SocketState`. */
const socketStates = ["prebind", "bound", "listening"] as const;

function decodeSocketOption(
  option: SocketOption,
  context: DecodeContext,
): readonly SocketOptionConfig[] {
  const { level, name, value, state } = option;
  if (value.case === undefined) {
    context.refuse("socket option without a value");
    return [];
  }
  return [
    {
      level: Number(level),
      name: Number(name),
      value: value.case === "intValue" ? { int: Number(value.value) } : { bytes: value.value },
      state: socketStates[state] ?? "prebind",
    },
  ];
}

/** No listener filter is built, so each is refused by name. */
function decodeListenerFilters(
  message: Listener,
  context: DecodeContext,
): readonly ListenerFilterConfig[] {
  for (const { name, configType } of message.listenerFilters)
    if (configType.case !== "configDiscovery")
      findExtension("listener filter", { name, any: configType.value }, context);
  return [];
}

function judgeFilterChains(config: ListenerConfig, context: DecodeContext): void {
  const chains: readonly FilterChainConfig[] = config.filterChains;
  const [address] = config.addresses;
  const where = address ? formatAddress(address) : config.name;
  const refuse = (reason: string): void =>
    context.refuse(`error adding listener '${where}': ${reason}`);
  if (chains.length === 0 && !config.defaultFilterChain) refuse("no filter chains specified");
  for (const conflict of filterChainConflicts(chains)) refuse(conflict);
}
