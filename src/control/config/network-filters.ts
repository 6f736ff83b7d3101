import type { HttpConnectionManager } from "../../../gen/es/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.d.ts";
import type { TcpProxy } from "../../../gen/es/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.d.ts";
import type { Filter } from "../../../gen/es/envoy/config/listener/v3/listener_components_pb.d.ts";
import type { NetworkFilterConfig } from "../../shared/config/listener-config.ts";
import type { DecodeContext } from "./decode-context.ts";
import type { ListenerNeeds } from "./decoded-listener.ts";
import { type FoundExtension, findExtension } from "./extensions.ts";
import { judgeFilterOrder } from "./filter-order.ts";
import { decodeHttpConnectionManager } from "./http-connection-manager.ts";
import { decodeTcpProxy } from "./tcp-proxy.ts";

export function decodeNetworkFilters(
  messages: readonly Filter[],
  needs: ListenerNeeds,
  context: DecodeContext,
): readonly NetworkFilterConfig[] {
  const found = messages.flatMap(({ name, configType }) => {
    if (configType.case === "configDiscovery") return [];
    const one = findExtension("network filter", { name, any: configType.value }, context);
    return one ? { ...one, name } : [];
  });
  const order = found.map(({ name, extension }) => ({
    name,
    type: extension.name,
    isTerminal: extension.kind !== "noop",
  }));
  // An unknown filter was refused; its place in the order says nothing any more.
  if (found.length === messages.length) judgeFilterOrder(order, "network", context);
  return found.flatMap((filter) => decodeFilter(filter, needs, context) ?? []);
}

function decodeFilter(
  { extension, config, name }: FoundExtension & { readonly name: string },
  needs: ListenerNeeds,
  context: DecodeContext,
): NetworkFilterConfig | undefined {
  if (extension.kind === "tcpProxy") {
    const schema = context.protos.schema<TcpProxy>(
      "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
    );
    const message = context.read(config, schema);
    return message && { kind: "tcpProxy", config: decodeTcpProxy(message, context) };
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
