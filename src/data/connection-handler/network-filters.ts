/**
 * The table of network filters: what each kind of configuration is served by. A chain is served by its
 * terminal filter; kinds that are accepted without effect stand in the configuration only.
 */
import type { FilterChainConfig } from "../../shared/config/listener-config.ts";
import type { ListenerSlots } from "../../shared/protocol/worker-command.ts";
import { createHttpConnectionManagerFactory } from "../http/connection-manager-factory.ts";
import type { NetworkFilterFactory } from "../network/network-filter.ts";
import type { WorkerContext } from "../network/worker-context.ts";
import { createTcpProxyFactory } from "../tcp/tcp-proxy-factory.ts";
import { DiscoveredFilters } from "./discovered-filters.ts";
import { closingFactory } from "./inert-filter.ts";
import { type TerminalFilterConfig, terminalOf } from "./terminal-filter.ts";

/** Makes what serves the connections of one chain: its terminal filter. */
export function createNetworkFilterFactory(
  chain: FilterChainConfig,
  worker: WorkerContext,
  slots: ListenerSlots,
): NetworkFilterFactory {
  if (chain.filters.some(({ kind }) => kind === "discovered"))
    return new DiscoveredFilters(chain, worker, slots, (filter, own) =>
      createTerminal(filter, worker, own),
    );
  const terminal = terminalOf(chain);
  return terminal ? createTerminal(terminal, worker, slots) : closingFactory;
}

function createTerminal(
  filter: TerminalFilterConfig,
  worker: WorkerContext,
  slots: ListenerSlots,
): NetworkFilterFactory {
  switch (filter.kind) {
    case "tcpProxy":
      return createTcpProxyFactory(filter.config, worker, slots);
    case "httpConnectionManager":
      return createHttpConnectionManagerFactory(filter.config, worker, slots);
    default:
      return filter satisfies never;
  }
}
