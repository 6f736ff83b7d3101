/** Small xDS resources in proto3 JSON, as a control plane would push them. */
export const typeUrl = (name: string): string => `type.googleapis.com/envoy.${name}`;
const fromAds = { ads: {}, resourceApiVersion: "V3" };

/** How resources come: `config` of each type, and what of the bootstrap is there for them all. */
export interface XdsVariant {
  readonly name: string;
  readonly adsConfig: object | undefined;
  /** The `ConfigSource` of every type. */
  readonly source: object;
  /** Polled: over HTTP/1.1 in place of gRPC. */
  readonly isRest: boolean;
}

const envoyGrpc = {
  transportApiVersion: "V3",
  grpcServices: [{ envoyGrpc: { clusterName: "control-plane" } }],
};

/** Every transport of the protocol, by Envoy's names. */
export const xdsVariants: readonly XdsVariant[] = [
  ...["GRPC", "DELTA_GRPC"].map((apiType) => ({
    name: `ADS ${apiType}`,
    adsConfig: { apiType, ...envoyGrpc },
    source: fromAds,
    isRest: false,
  })),
  ...["GRPC", "DELTA_GRPC", "AGGREGATED_GRPC", "AGGREGATED_DELTA_GRPC"].map((apiType) => ({
    name: `api_config_source ${apiType}`,
    adsConfig: undefined,
    source: { apiConfigSource: { apiType, ...envoyGrpc }, resourceApiVersion: "V3" },
    isRest: false,
  })),
  {
    name: "REST",
    adsConfig: undefined,
    source: {
      apiConfigSource: {
        apiType: "REST",
        transportApiVersion: "V3",
        clusterNames: ["control-plane"],
        refreshDelay: "0.1s",
      },
      resourceApiVersion: "V3",
    },
    isRest: true,
  },
];

/** A bootstrap whose listeners and clusters come by this variant. */
export function variantBootstrap(
  node: string,
  xdsAddress: string,
  { adsConfig, source, isRest }: XdsVariant,
): object {
  const { staticResources, ...bootstrap } = adsBootstrap(node, xdsAddress);
  const [controlPlane] = staticResources.clusters;
  // A poll is HTTP/1.1: Envoy would speak what the cluster says.
  const { typedExtensionProtocolOptions: _, ...polled } = controlPlane;
  return {
    ...bootstrap,
    staticResources: { clusters: [isRest ? polled : controlPlane] },
    dynamicResources: {
      ...(adsConfig && { adsConfig }),
      cdsConfig: source,
      ldsConfig: source,
    },
  };
}

/** A cluster that speaks HTTP/2. */
type GrpcCluster = Readonly<Record<string, unknown>> & {
  readonly typedExtensionProtocolOptions: object;
};

interface AdsBootstrap {
  readonly node: object;
  readonly admin: object;
  readonly dynamicResources: object;
  readonly staticResources: { readonly clusters: readonly [GrpcCluster] };
}

export function adsBootstrap(node: string, xdsAddress: string): AdsBootstrap {
  return {
    node: { id: node, cluster: node },
    admin: { address: socketAddress("127.0.0.1", 0) },
    dynamicResources: {
      adsConfig: {
        apiType: "GRPC",
        transportApiVersion: "V3",
        grpcServices: [{ envoyGrpc: { clusterName: "control-plane" } }],
      },
      cdsConfig: fromAds,
      ldsConfig: fromAds,
    },
    staticResources: {
      clusters: [grpcCluster("control-plane", xdsAddress)],
    },
  };
}

/** A static cluster that speaks HTTP/2, at `host:port`. */
export function grpcCluster(name: string, hostAndPort: string): GrpcCluster {
  const [address = "", port = ""] = hostAndPort.split(":");
  return {
    name,
    type: "STATIC",
    connectTimeout: "1s",
    loadAssignment: assignment(name, address, Number(port)),
    typedExtensionProtocolOptions: {
      "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": typeUrl("extensions.upstreams.http.v3.HttpProtocolOptions"),
        explicitHttpConfig: { http2ProtocolOptions: {} },
      },
    },
  };
}

export function cluster(name: string, edsConfig: object = fromAds): object {
  return { name, type: "EDS", connectTimeout: "1s", edsClusterConfig: { edsConfig } };
}

export function endpoints(name: string, port: number): object {
  return assignment(name, "127.0.0.1", port);
}

export interface ListenerOptions {
  /** 0, the default, takes a free one. */
  readonly port?: number;
  /** Two versions that differ in it alone are a full update on the same address. */
  readonly bufferLimitBytes?: number;
  /** Where its routes come from; ADS unless given. */
  readonly source?: object;
}

export function httpListener(
  name: string,
  routeConfigName: string,
  { port = 0, bufferLimitBytes, source = fromAds }: ListenerOptions = {},
): object {
  const connectionManager = {
    "@type": typeUrl("extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"),
    statPrefix: name,
    rds: { routeConfigName, configSource: source },
    httpFilters: [
      {
        name: "envoy.filters.http.router",
        typedConfig: { "@type": typeUrl("extensions.filters.http.router.v3.Router") },
      },
    ],
  };
  const filter = {
    name: "envoy.filters.network.http_connection_manager",
    typedConfig: connectionManager,
  };
  return {
    name,
    address: socketAddress("127.0.0.1", port),
    filterChains: [{ filters: [filter] }],
    ...(bufferLimitBytes !== undefined && { perConnectionBufferLimitBytes: bufferLimitBytes }),
  };
}

/** One route to one cluster; `tag` comes back as the response header `x-route`. */
export function routes(name: string, clusterName: string, tag: string): object {
  return {
    name,
    responseHeadersToAdd: [{ header: { key: "x-route", value: tag } }],
    virtualHosts: [
      {
        name: "all",
        domains: ["*"],
        routes: [{ match: { prefix: "/" }, route: { cluster: clusterName } }],
      },
    ],
  };
}

function assignment(clusterName: string, address: string, port: number): object {
  const endpoint = { address: socketAddress(address, port) };
  return { cluster_name: clusterName, endpoints: [{ lbEndpoints: [{ endpoint }] }] };
}

export function socketAddress(address: string, portValue: number): object {
  return { socketAddress: { address, portValue } };
}
