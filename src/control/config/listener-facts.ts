/**
 * What main asks of a listener time and again. All else of its configuration is in its bytes, so ten thousand
 * listeners can be applied, shown and drained without one of them being decoded a second time.
 */
import type { HttpConnectionManagerConfig } from "../../shared/config/http-config.ts";
import type {
  FilterChainConfig,
  ListenerConfig,
  NetworkFilterConfig,
  PlainNetworkFilterConfig,
} from "../../shared/config/listener-config.ts";

export interface ListenerFacts
  extends
    Pick<
      ListenerConfig,
      | "name"
      | "addresses"
      | "statPrefix"
      | "trafficDirection"
      | "carriesTraffic"
      | "drainType"
      | "drainPolicy"
      | "bindToPort"
      | "enableReusePort"
      | "tcpBacklogSize"
      | "addressOptions"
      | "freebind"
      | "listenerFilters"
      | "ignoreGlobalConnLimit"
      | "bypassOverloadManager"
      | "transparent"
    >,
    StatPrefixes {
  /** Some filter chain does. */
  readonly speaksTls: boolean;
}

/** What network filters count under. */
export interface StatPrefixes {
  /** Of connection managers and TCP proxies, each once. */
  readonly httpStatPrefixes: readonly string[];
  readonly tcpStatPrefixes: readonly string[];
  /** Of TCP proxies that may wait for their cluster. */
  readonly onDemandStatPrefixes: readonly string[];
  /** Of connection managers that may put credentials into requests. */
  readonly credentialStatPrefixes: readonly string[];
}

export function listenerFactsOf(config: ListenerConfig): ListenerFacts {
  return {
    name: config.name,
    addresses: config.addresses,
    statPrefix: config.statPrefix,
    trafficDirection: config.trafficDirection,
    carriesTraffic: config.carriesTraffic,
    drainType: config.drainType,
    drainPolicy: config.drainPolicy,
    bindToPort: config.bindToPort,
    enableReusePort: config.enableReusePort,
    tcpBacklogSize: config.tcpBacklogSize,
    addressOptions: config.addressOptions,
    freebind: config.freebind,
    listenerFilters: config.listenerFilters,
    ignoreGlobalConnLimit: config.ignoreGlobalConnLimit,
    bypassOverloadManager: config.bypassOverloadManager,
    transparent: config.transparent,
    speaksTls: chainsOf(config).some(({ transportSocket }) => transportSocket.kind === "tls"),
    ...statPrefixesOf(filtersOf(config)),
  };
}

function chainsOf({
  filterChains,
  defaultFilterChain,
}: ListenerConfig): readonly FilterChainConfig[] {
  return defaultFilterChain ? [...filterChains, defaultFilterChain] : filterChains;
}

function filtersOf(config: ListenerConfig): readonly NetworkFilterConfig[] {
  return chainsOf(config).flatMap(({ filters }) => filters);
}

/** What of a chain is known with its listener: of a filter that is discovered the fallback, if it has one. */
export function knownFilters(
  filters: readonly NetworkFilterConfig[],
): readonly PlainNetworkFilterConfig[] {
  return filters.flatMap((filter) =>
    filter.kind === "discovered" ? (filter.fallback ?? []) : filter,
  );
}

const none: readonly string[] = [];

export function statPrefixesOf(filters: readonly NetworkFilterConfig[]): StatPrefixes {
  const known = knownFilters(filters);
  const managers = known.flatMap((filter) =>
    filter.kind === "httpConnectionManager" ? filter.config : [],
  );
  const proxies = known.flatMap((filter) => (filter.kind === "tcpProxy" ? filter.config : []));
  return {
    httpStatPrefixes: unique(managers),
    tcpStatPrefixes: unique(proxies),
    onDemandStatPrefixes: unique(proxies.filter(({ onDemand }) => onDemand !== undefined)),
    credentialStatPrefixes: unique(managers.filter(injectsCredentials)),
  };
}

/** Ten thousand listeners have mostly one, and none of the rest. */
function unique(configs: readonly { readonly statPrefix: string }[]): readonly string[] {
  if (configs.length === 0) return none;
  return [...new Set(configs.map(({ statPrefix }) => statPrefix))];
}

function injectsCredentials({ filters, upgrades }: HttpConnectionManagerConfig): boolean {
  const ofUpgrades = upgrades.flatMap((upgrade) => upgrade.filters ?? []);
  return [...filters, ...ofUpgrades].some(
    (filter) =>
      filter.kind === "credentialInjector" ||
      (filter.kind === "discovered" && filter.mayInjectCredentials),
  );
}
