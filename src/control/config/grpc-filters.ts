/** HTTP filters that know gRPC. */
import type { FilterConfig } from "../../../gen/es/envoy/extensions/filters/http/grpc_stats/v3/config_pb.d.ts";
import type { PlainHttpFilterConfig } from "../../shared/config/http-config.ts";

export const grpcStatsTypeName =
  "envoy.extensions.filters.http.grpc_stats.v3.FilterConfig" as const;

export const grpcBridgeTypeName =
  "envoy.extensions.filters.http.grpc_http1_bridge.v3.Config" as const;

export function decodeGrpcStats(message: FilterConfig): PlainHttpFilterConfig {
  const { perMethodStatSpecifier: specifier } = message;
  const isAll = specifier.case === "statsForAllMethods" && specifier.value.value;
  const services =
    specifier.case === "individualMethodStatsAllowlist" ? specifier.value.services : [];
  return {
    kind: "grpcStats",
    methods: isAll
      ? "all"
      : services.flatMap(({ name, methodNames }) => methodNames.map((each) => `${name}/${each}`)),
    measuresUpstream: message.enableUpstreamStats,
    replacesDots: message.replaceDotsInGrpcServiceName,
  };
}
