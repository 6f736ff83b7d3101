/** A proxy whose listener comes by a delta ADS, and whose clusters come when they are asked for. */
import { DeltaServer, type DeltaAnswer, type WrappedResource } from "./delta-server.ts";
import { startHttpUpstream } from "./http-peers.ts";
import { ProxyProcess } from "./proxy-process.ts";
import { assignment, dynamicBootstrap, edsCluster, staticCluster } from "./truth-resources.ts";
import { until } from "./until.ts";

const types = "type.googleapis.com/envoy";
const listenerType = `${types}.config.listener.v3.Listener`;
const routesType = `${types}.config.route.v3.RouteConfiguration`;
export const clusterType = `${types}.config.cluster.v3.Cluster`;
export const endpointType = `${types}.config.endpoint.v3.ClusterLoadAssignment`;

/** The same server, by a stream for clusters alone. */
export const fromOwnServer = {
  resource_api_version: "V3",
  api_config_source: {
    api_type: "DELTA_GRPC",
    transport_api_version: "V3",
    grpc_services: [{ envoy_grpc: { cluster_name: "control" } }],
  },
};

/**
 * `listener` is called `web`. Clusters lead to an HTTP upstream; those called `eds…` by EDS. The server knows none
 * called `gone…`, and says nothing of those called `silent…`.
 */
export async function startOnDemand(
  open: AsyncDisposableStack,
  listener: object,
  routes: object = {},
) {
  const { ports, ...stage } = await startOnDemandAll(open, { web: listener }, routes);
  return { ...stage, port: ports.get("web") ?? 0 };
}

/** Listeners by their names. */
export async function startOnDemandAll(
  open: AsyncDisposableStack,
  listeners: Readonly<Record<string, object>>,
  routes: object = {},
) {
  const upstream = open.use(await startHttpUpstream());
  const wrapped = (name: string): WrappedResource => ({
    name,
    resource: {
      "@type": clusterType,
      ...(name.startsWith("eds") ? edsCluster(name) : staticCluster(name, upstream.port)),
    },
  });
  const endpointsOf = (name: string): WrappedResource => ({
    name,
    resource: { "@type": endpointType, ...assignment(name, upstream.port) },
  });
  const answerTo = (name: string): DeltaAnswer =>
    name.startsWith("gone") ? { removed_resources: [name] } : { resources: [wrapped(name)] };
  const server = open.use(
    await DeltaServer.start((type, names) => {
      if (type === listenerType)
        return {
          resources: Object.entries(listeners).map(([name, listener]) => ({
            name,
            resource: { "@type": type, ...listener, name },
          })),
        };
      if (type === routesType)
        return {
          resources: names.map((name) => ({
            name,
            resource: { "@type": routesType, ...routes },
          })),
        };
      if (type === endpointType) return { resources: names.map(endpointsOf) };
      if (type !== clusterType) return {};
      const asked = names.filter((name) => !name.startsWith("silent"));
      if (asked.length === 0) return undefined;
      const answers = asked.map((name) => answerTo(name === "*" ? "known" : name));
      return {
        resources: answers.flatMap(({ resources = [] }) => resources),
        removed_resources: answers.flatMap((each) => each.removed_resources ?? []),
      };
    }),
  );
  const proxy = open.use(
    await ProxyProcess.start(dynamicBootstrap(server.address, "DELTA_GRPC"), [
      "--file-flush-interval-msec",
      "10",
    ]),
  );
  const ports = await until(async () => {
    const bound = await proxy.listenerPorts();
    return bound.size === Object.keys(listeners).length && bound;
  }, "it serves");
  return { server, proxy, ports, wrapped };
}
