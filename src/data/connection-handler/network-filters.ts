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
import { closingFactory } from "./inert-filter.ts";
import { terminalOf } from "./terminal-filter.ts";

/** Makes what serves the connections of one chain: its terminal filter. */
export function createNetworkFilterFactory(
  chain: FilterChainConfig,
  worker: WorkerContext,
  slots: ListenerSlots,
): NetworkFilterFactory {
  const terminal = terminalOf(chain);
  switch (terminal?.kind) {
    case "tcpProxy":
      return createTcpProxyFactory(terminal.config, worker, slots);
    case "httpConnectionManager":
      return createHttpConnectionManagerFactory(terminal.config, worker, slots, isTls(chain));
    case undefined:
      return closingFactory;
    default:
      return terminal satisfies never;
  }
}
