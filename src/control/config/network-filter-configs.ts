/** The configuration of one network filter, whether it stands in a filter chain or comes by ECDS. */
import type { HttpConnectionManager } from "../../../gen/es/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.d.ts";
import type { TcpProxy } from "../../../gen/es/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.d.ts";
import type { PlainNetworkFilterConfig } from "../../shared/config/listener-config.ts";
import type { DecodeContext } from "./decode-context.ts";
import type { ListenerNeeds } from "./decoded-listener.ts";
import type { Extension, FoundExtension } from "./extensions.ts";
import { decodeHttpConnectionManager } from "./http-connection-manager.ts";
import { decodeTcpProxy } from "./tcp-proxy.ts";

export interface BuiltNetworkFilter extends FoundExtension {
  /** As configured. */
  readonly name: string;
}

export function isTerminalNetworkFilter({ kind }: Extension): boolean {
  return kind !== "noop";
}

export function decodeNetworkFilterConfig(
  { extension, config, name }: BuiltNetworkFilter,
  needs: ListenerNeeds,
  context: DecodeContext,
): PlainNetworkFilterConfig | undefined {
  if (extension.kind === "tcpProxy") {
    const schema = context.protos.schema<TcpProxy>(
      "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
    );
    const message = context.read(config, schema);
    return message && { kind: "tcpProxy", config: decodeTcpProxy(message, needs, context) };
  }
  if (extension.kind === "httpConnectionManager") {
    const schema = context.protos.schema<HttpConnectionManager>(
      "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
    );
    const message = context.read(config, schema);
    return (
      message && {
        kind: "httpConnectionManager",
        config: decodeHttpConnectionManager(message, needs, context),
      }
    );
  }
  return { kind: "noop", name };
}
