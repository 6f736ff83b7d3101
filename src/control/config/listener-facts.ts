/**
 * What main asks of a listener time and again. All else of its configuration is in its bytes, so ten thousand
 * listeners can be applied, shown and drained without one of them being decoded a second time.
 */
import type { HttpConnectionManagerConfig } from "../../shared/config/http-config.ts";
import type { ListenerConfig, NetworkFilterConfig } from "../../shared/config/listener-config.ts";

export interface ListenerFacts extends Pick<
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
  | "transparent"
> {
  /** Of its connection managers and TCP proxies, each once. */
  readonly httpStatPrefixes: readonly string[];
  readonly tcpStatPrefixes: readonly string[];
  /** Of its connection managers that may put credentials into requests. */
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
    transparent: config.transparent,
    httpStatPrefixes: statPrefixes(config, "httpConnectionManager"),
    tcpStatPrefixes: statPrefixes(config, "tcpProxy"),
    credentialStatPrefixes: credentialStatPrefixes(config),
  };
}

const none: readonly string[] = [];

function statPrefixes(
  { filterChains, defaultFilterChain }: ListenerConfig,
  kind: Exclude<NetworkFilterConfig["kind"], "noop">,
): readonly string[] {
  const found = new Set<string>();
  for (const chain of defaultFilterChain ? [...filterChains, defaultFilterChain] : filterChains)
    for (const filter of chain.filters)
      if (filter.kind === kind) found.add(filter.config.statPrefix);
  return found.size === 0 ? none : [...found];
}

function credentialStatPrefixes({
  filterChains,
  defaultFilterChain,
}: ListenerConfig): readonly string[] {
  const found = new Set<string>();
  for (const chain of defaultFilterChain ? [...filterChains, defaultFilterChain] : filterChains)
    for (const filter of chain.filters)
      if (filter.kind === "httpConnectionManager" && injectsCredentials(filter.config))
        found.add(filter.config.statPrefix);
  return found.size === 0 ? none : [...found];
}

function injectsCredentials({ filters }: HttpConnectionManagerConfig): boolean {
  return filters.some(
    (filter) =>
      filter.kind === "credentialInjector" ||
      (filter.kind === "discovered" && filter.mayInjectCredentials),
  );
}
