/** What all connections of one `tcp_proxy` filter share. */
import type { TcpProxyConfig } from "../../shared/config/tcp-proxy-config.ts";
import { blockOf, type ListenerSlots } from "../../shared/protocol/worker-command.ts";
import type { NetworkFilterFactory } from "../network/network-filter.ts";
import type { WorkerContext } from "../network/worker-context.ts";
import { TcpProxy } from "./tcp-proxy.ts";

export function createTcpProxyFactory(
  config: TcpProxyConfig,
  worker: WorkerContext,
  slots: ListenerSlots,
): NetworkFilterFactory {
  const isLogged = config.accessLog.length > 0;
  const logger = isLogged
    ? worker.createAccessLogger(config.accessLog, "tcpConnectionEnd")
    : undefined;
  const stats = blockOf(slots.tcp, config.statPrefix);
  const onDemandStats = blockOf(slots.tcpOnDemand, config.statPrefix);
  const shared = { config, worker, stats, onDemandStats, logger };
  return {
    create: (connection) => new TcpProxy(shared, connection),
    [Symbol.dispose]: () => logger?.[Symbol.dispose](),
  };
}
