/** Makes the HTTP connection manager's filter for each connection of one filter chain. */
import type { HttpConnectionManagerConfig } from "../../shared/config/http-config.ts";
import type { ListenerSlots } from "../../shared/protocol/worker-command.ts";
import { type DownstreamConnection, isTls } from "../network/downstream-connection.ts";
import type { NetworkFilter, NetworkFilterFactory } from "../network/network-filter.ts";
import type { WorkerContext } from "../network/worker-context.ts";
import { ActiveRequestPool } from "./request/active-request-pool.ts";
import { CodecSniffer } from "./codec-sniffer.ts";
import { Http1ServerConnection } from "./http1/server-connection.ts";
import { Http2ServerConnection } from "./http2/server-connection.ts";
import { HttpContext } from "./http-context.ts";
import { httpStat } from "./stat-offsets.ts";

export function createHttpConnectionManagerFactory(
  config: HttpConnectionManagerConfig,
  worker: WorkerContext,
  slots: ListenerSlots,
  isTls: boolean,
): NetworkFilterFactory {
  const context = new HttpContext(config, worker, slots, isTls);
  const requests = new ActiveRequestPool(context);
  return {
    create: (connection) => createCodec(context, requests, connection),
    adopt(filter, ofListener) {
      if (filter.kind === "httpConnectionManager") context.adopt(filter.config, ofListener);
    },
    [Symbol.dispose]: () => context[Symbol.dispose](),
  };
}

function createCodec(
  context: HttpContext,
  requests: ActiveRequestPool,
  connection: DownstreamConnection,
): NetworkFilter {
  const createHttp2 = (): Http2ServerConnection =>
    new Http2ServerConnection(context, requests, connection);
  const { codec } = context.config;
  switch (codec) {
    case "http1":
      return new Http1ServerConnection(context, requests, connection);
    case "http2":
      countConnection(context, connection);
      return createHttp2();
    case "auto": {
      const http1 = new Http1ServerConnection(context, requests, connection);
      const alpnProtocol = (): string => connection.socket.tlsSession?.alpnProtocol ?? "";
      return new CodecSniffer(context.reactor.arena, { http1, createHttp2, alpnProtocol });
    }
    default:
      return codec satisfies never;
  }
}

/** As `ConnectionLife` does where the first bytes decide. */
function countConnection(context: HttpContext, { filterChain }: DownstreamConnection): void {
  context.count(httpStat.cxTotal);
  context.add(httpStat.cxActive, 1);
  if (!isTls(filterChain)) return;
  context.count(httpStat.cxSslTotal);
  context.add(httpStat.cxSslActive, 1);
}
