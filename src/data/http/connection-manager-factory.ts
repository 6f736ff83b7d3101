/** Makes the HTTP connection manager's filter for each connection of one filter chain. */
import type { HttpConnectionManagerConfig } from "../../shared/config/http-config.ts";
import type { ListenerSlots } from "../../shared/protocol/worker-command.ts";
import type { NetworkFilterFactory } from "../network/network-filter.ts";
import type { WorkerContext } from "../network/worker-context.ts";
import { ActiveRequestPool } from "./active-request-pool.ts";
import { Http1ServerConnection } from "./http1-server-connection.ts";
import { HttpContext } from "./http-context.ts";

export function createHttpConnectionManagerFactory(
  config: HttpConnectionManagerConfig,
  worker: WorkerContext,
  slots: ListenerSlots,
  isTls: boolean,
): NetworkFilterFactory {
  const context = new HttpContext(config, worker, slots, isTls);
  const requests = new ActiveRequestPool(context);
  return {
    create: (connection) => new Http1ServerConnection(context, requests, connection),
    adopt(filter, ofListener) {
      if (filter.kind === "httpConnectionManager") context.adopt(filter.config, ofListener);
    },
    [Symbol.dispose]: () => context[Symbol.dispose](),
  };
}
