/** Bootstraps whose proxies report to a server: access logs over gRPC, load. Proto3 JSON, as Envoy reads it. */
const typeUrl = (name: string): string => `type.googleapis.com/envoy.${name}`;
const loopback = (portValue: number): object => ({
  socketAddress: { address: "127.0.0.1", portValue },
});

export interface ReportBootstrap {
  readonly listeners: readonly object[];
  readonly clusters: readonly object[];
  /** Of the server that is reported to: the cluster `reports`. */
  readonly reportPort: number;
  /** `load_stats_config` names it too. */
  readonly reportsLoad?: boolean;
}

export const reportService = {
  envoyGrpc: { clusterName: "reports" },
  initialMetadata: [{ key: "x-token", value: "abc" }],
};

export function reportBootstrap(options: ReportBootstrap): object {
  const { listeners, clusters, reportPort, reportsLoad = false } = options;
  const loadStatsConfig = {
    apiType: "GRPC",
    transportApiVersion: "V3",
    grpcServices: [reportService],
  };
  return {
    node: { id: "node-1", cluster: "tests" },
    admin: { address: loopback(0) },
    ...(reportsLoad && { clusterManager: { loadStatsConfig } }),
    staticResources: { listeners, clusters: [...clusters, http2Cluster("reports", reportPort)] },
  };
}

/** `entryKind` http: with headers to be logged. */
export function grpcLog(entryKind: "http" | "tcp", logName: string, settings = {}): object {
  const isHttp = entryKind === "http";
  return {
    name: `envoy.access_loggers.${entryKind}_grpc`,
    typedConfig: {
      "@type": typeUrl(
        `extensions.access_loggers.grpc.v3.${isHttp ? "Http" : "Tcp"}GrpcAccessLogConfig`,
      ),
      commonConfig: {
        logName,
        transportApiVersion: "V3",
        grpcService: reportService,
        bufferFlushInterval: "0.05s",
        ...settings,
      },
      ...(isHttp && {
        additionalRequestHeadersToLog: ["X-A", "x-missing"],
        additionalResponseHeadersToLog: ["content-type", ":status"],
      }),
    },
  };
}

export function httpProxy(name: string, routes: readonly object[], settings = {}): object {
  return listener(name, {
    "@type": typeUrl("extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"),
    statPrefix: name,
    routeConfig: { name, virtualHosts: [{ name, domains: ["*"], routes }] },
    httpFilters: [
      {
        name: "envoy.filters.http.router",
        typedConfig: { "@type": typeUrl("extensions.filters.http.router.v3.Router") },
      },
    ],
    ...settings,
  });
}

export function tcpProxy(name: string, cluster: string, settings = {}, ofListener = {}): object {
  return listener(
    name,
    {
      "@type": typeUrl("extensions.filters.network.tcp_proxy.v3.TcpProxy"),
      statPrefix: name,
      cluster,
      ...settings,
    },
    ofListener,
  );
}

function listener(name: string, typedConfig: object, settings = {}): object {
  const filterChains = [{ filters: [{ name: "filter", typedConfig }] }];
  return { name, address: loopback(0), filterChains, ...settings };
}

export interface TestLocality {
  readonly zone: string;
  readonly ports: readonly number[];
  readonly priority?: number;
}

export function staticCluster(
  name: string,
  localities: readonly TestLocality[],
  settings = {},
): object {
  return {
    name,
    type: "STATIC",
    connectTimeout: "1s",
    loadAssignment: { clusterName: name, endpoints: localities.map(localityEndpoints) },
    ...settings,
  };
}

export function localityEndpoints({ zone, ports, priority = 0 }: TestLocality): object {
  return {
    locality: { region: "r", zone },
    priority,
    lbEndpoints: ports.map((port) => ({ endpoint: { address: loopback(port) } })),
  };
}

function http2Cluster(name: string, port: number): object {
  return staticCluster(name, [{ zone: "", ports: [port] }], {
    typedExtensionProtocolOptions: {
      "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": typeUrl("extensions.upstreams.http.v3.HttpProtocolOptions"),
        explicitHttpConfig: { http2ProtocolOptions: {} },
      },
    },
  });
}
