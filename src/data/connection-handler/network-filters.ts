/**
 * The table of network filters: what each kind of configuration is served by. A chain is served by its
 * terminal filter; kinds that are accepted without effect stand in the configuration only.
 */
import type { FilterChainConfig } from "../../shared/config/listener-config.ts";
import type { ListenerSlots } from "../../shared/protocol/worker-command.ts";
import { createHttpConnectionManagerFactory } from "../http/connection-manager-factory.ts";
import { isTls } from "../network/downstream-connection.ts";
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
  const isSecured = isTls(chain);
  const create = (filter: TerminalFilterConfig, own: ListenerSlots): NetworkFilterFactory =>
    createTerminal(filter, worker, own, isSecured);
  if (chain.filters.some(({ kind }) => kind === "discovered"))
    return new DiscoveredFilters(chain, worker, slots, create);
  const terminal = terminalOf(chain);
  return terminal ? create(terminal, slots) : closingFactory;
}

function createTerminal(
  filter: TerminalFilterConfig,
  worker: WorkerContext,
  slots: ListenerSlots,
  isSecured: boolean,
): NetworkFilterFactory {
  switch (filter.kind) {
    case "tcpProxy":
      return createTcpProxyFactory(filter.config, worker, slots);
    case "httpConnectionManager":
      return createHttpConnectionManagerFactory(filter.config, worker, slots, isSecured);
    default:
      return filter satisfies never;
  }
}
