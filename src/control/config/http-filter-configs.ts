/** The configuration of one HTTP filter, whether it stands in a listener or comes by ECDS. */
import type { CredentialInjector } from "../../../gen/es/envoy/extensions/filters/http/credential_injector/v3/credential_injector_pb.d.ts";
import type { Config as BridgeConfig } from "../../../gen/es/envoy/extensions/filters/http/grpc_http1_bridge/v3/config_pb.d.ts";
import type { FilterConfig } from "../../../gen/es/envoy/extensions/filters/http/grpc_stats/v3/config_pb.d.ts";
import type { HeaderMutation } from "../../../gen/es/envoy/extensions/filters/http/header_mutation/v3/header_mutation_pb.d.ts";
import type { OnDemand } from "../../../gen/es/envoy/extensions/filters/http/on_demand/v3/on_demand_pb.d.ts";
import type { Router } from "../../../gen/es/envoy/extensions/filters/http/router/v3/router_pb.d.ts";
import type { HttpFilter } from "../../../gen/es/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.d.ts";
import type { PlainHttpFilterConfig } from "../../shared/config/http-config.ts";
import { credentialInjectorTypeName, decodeCredentialInjector } from "./credential-injectors.ts";
import type { DecodeContext } from "./decode-context.ts";
import type { ListenerNeeds } from "./decoded-listener.ts";
import { decodeOnDemandClusters, feedDependency } from "./on-demand-clusters.ts";
import { type Extension, type FoundExtension, findExtension } from "./extensions.ts";
import { decodeGrpcStats, grpcBridgeTypeName, grpcStatsTypeName } from "./grpc-filters.ts";
import { decodeHeaderMutationFilter, headerMutationTypeName } from "./header-mutation-filter.ts";

const routerTypeName = "envoy.extensions.filters.http.router.v3.Router" as const;
const onDemandTypeName = "envoy.extensions.filters.http.on_demand.v3.OnDemand" as const;

export interface BuiltFilter extends FoundExtension {
  /** As configured. */
  readonly name: string;
}

export function isTerminalFilter({ kind }: Extension): boolean {
  return kind === "router";
}

export function decodeHttpFilterConfig(
  { extension, config, name }: BuiltFilter,
  needs: ListenerNeeds,
  context: DecodeContext,
): PlainHttpFilterConfig | undefined {
  if (extension.kind === "router") {
    const router = context.read(config, context.protos.schema<Router>(routerTypeName));
    if (!router) return undefined;
    judgeUpstreamFilters(router.upstreamHttpFilters, context);
    return { kind: "router", suppressEnvoyHeaders: router.suppressEnvoyHeaders };
  }
  if (extension.kind === "onDemand") {
    const message = context.read(config, context.protos.schema<OnDemand>(onDemandTypeName));
    // Without it requests wait for routes alone.
    const clusters = message?.odcds && decodeOnDemandClusters(message.odcds, context);
    if (clusters) needs.dependencies.push(feedDependency(clusters));
    return message && { kind: "onDemand", name, clusters };
  }
  if (extension.kind === "credentialInjector") {
    const schema = context.protos.schema<CredentialInjector>(credentialInjectorTypeName);
    const injector = context.read(config, schema);
    return injector && decodeCredentialInjector(injector, needs, context);
  }
  if (extension.kind === "headerMutation") {
    const schema = context.protos.schema<HeaderMutation>(headerMutationTypeName);
    const mutation = context.read(config, schema);
    return mutation && decodeHeaderMutationFilter(mutation, context);
  }
  if (extension.kind === "grpcStats") {
    const stats = context.read(config, context.protos.schema<FilterConfig>(grpcStatsTypeName));
    return stats && decodeGrpcStats(stats);
  }
  if (extension.kind === "grpcWeb") return { kind: "grpcWeb" };
  if (extension.kind === "grpcHttp1Bridge") {
    const bridge = context.read(config, context.protos.schema<BridgeConfig>(grpcBridgeTypeName));
    return (
      bridge && {
        kind: "grpcHttp1Bridge",
        upgradesProtobuf: bridge.upgradeProtobufToGrpc,
        ignoresQuery: bridge.ignoreQueryParameters,
      }
    );
  }
  return { kind: "noop", name };
}

/** Of the router and of clusters: only filters without effect may stand before the codec. */
export function judgeUpstreamFilters(filters: readonly HttpFilter[], context: DecodeContext): void {
  for (const { name, configType } of filters)
    if (configType.case === "configDiscovery")
      context.refuse(`upstream HTTP filter '${name}': extension discovery is not supported`);
    else findExtension("upstream HTTP filter", { name, any: configType.value }, context);
}
