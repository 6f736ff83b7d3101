/** What a client has to ask for once it holds a resource: endpoints of a cluster, routes of a listener. */
import { fromBinary } from "@bufbuild/protobuf";
import type { Cluster } from "../../../gen/es/envoy/config/cluster/v3/cluster_pb.d.ts";
import type { Listener } from "../../../gen/es/envoy/config/listener/v3/listener_pb.d.ts";
import type { FilterChain } from "../../../gen/es/envoy/config/listener/v3/listener_components_pb.d.ts";
import type { HttpConnectionManager } from "../../../gen/es/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.d.ts";
import { createProtoRegistry } from "../../../src/control/proto/proto-registry.ts";
import { typeNameOf } from "../../../src/control/proto/type-url.ts";

const protos = createProtoRegistry();
const managerType =
  "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";

export function endpointsOf(cluster: Uint8Array): readonly string[] {
  const schema = protos.schema<Cluster>("envoy.config.cluster.v3.Cluster");
  const { name, edsClusterConfig } = fromBinary(schema, cluster);
  return edsClusterConfig ? [edsClusterConfig.serviceName || name] : [];
}

export function routesOf(listener: Uint8Array): readonly string[] {
  const schema = protos.schema<Listener>("envoy.config.listener.v3.Listener");
  const { filterChains, defaultFilterChain } = fromBinary(schema, listener);
  return [...filterChains, ...(defaultFilterChain ? [defaultFilterChain] : [])].flatMap(
    routesOfChain,
  );
}

function routesOfChain({ filters }: FilterChain): readonly string[] {
  return filters.flatMap(({ configType }) => {
    if (configType.case !== "typedConfig" || typeNameOf(configType.value.typeUrl) !== managerType)
      return [];
    const schema = protos.schema<HttpConnectionManager>(managerType);
    const { routeSpecifier } = fromBinary(schema, configType.value.value);
    return routeSpecifier.case === "rds" ? [routeSpecifier.value.routeConfigName] : [];
  });
}
