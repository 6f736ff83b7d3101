/** A whole snapshot, of every kind of listener that a control plane makes, in proto3 JSON. */
import type { Resources } from "../../../src/cli/go-control-plane.ts";
import type { TestCertificate } from "../../support/certificates.ts";
import { secretOf, serverSocket, underTls } from "../../support/tls-resources.ts";
import { cluster, endpoints, routes, socketAddress, typeUrl } from "../../support/xds-resources.ts";
import type { Combination } from "./combination.ts";

/** What differs from one snapshot to the next. */
export interface Round {
  /** Comes back from every route, as `x-route`. */
  readonly tag: string;
  /** Name of the cluster that serves; a new name is another cluster. */
  readonly cluster: string;
  readonly upstreamPort: number;
  /** The value of the runtime key, and whether the filter that comes by ECDS hides Envoy's headers. */
  readonly isOn: boolean;
  /** Whether `inline` is there. */
  readonly hasInline: boolean;
  /** What `secured` shows. */
  readonly certificate: TestCertificate;
}

/** Never changes, so that a client on it must not notice anything. */
const steady = { tag: "steady", cluster: "steady" };

export class SnapshotMaker {
  readonly #combination: Combination;
  readonly #steadyPort: number;

  /** @param steadyPort of the upstream of what never changes. */
  constructor(combination: Combination, steadyPort: number) {
    this.#combination = combination;
    this.#steadyPort = steadyPort;
  }

  /** xDS, VHDS: it uses the delta variant only. */
  get #hasVirtualHosts(): boolean {
    const { isDelta, isRest } = this.#combination;
    return isDelta && !isRest;
  }

  /** Clusters of both rounds, with their endpoints: what is there before anything refers to the second's. */
  makeClusters(...rounds: readonly Round[]): Resources {
    const { source } = this.#combination;
    const ports = new Map(rounds.map((round) => [round.cluster, round.upstreamPort]));
    const all = [...ports.set(steady.cluster, this.#steadyPort)];
    return {
      clusters: all.map(([name]) => cluster(name, source)),
      endpoints: all.map(([name, port]) => endpoints(name, port)),
    };
  }

  make(round: Round): Resources {
    return {
      ...this.makeClusters(round),
      listeners: this.#listeners(round),
      routes: this.#routes(round),
      scoped_routes: scopes,
      virtual_hosts: this.#hasVirtualHosts ? [onDemandHost(round)] : [],
      runtime: [layer(round)],
      extension_configs: [extension(round)],
      secrets: [secretOf("own", round.certificate)],
    };
  }

  #listeners(round: Round): readonly object[] {
    const http = (name: string, routing: object, filters?: readonly object[]): object =>
      this.#listener(name, this.#manager(name, routing, filters));
    const rds = (routeConfigName: string): object => ({
      rds: { routeConfigName, configSource: this.#combination.source },
    });
    return [
      http("steady", { routeConfig: routes("steady", steady.cluster, steady.tag) }),
      http("rds", rds("web")),
      ...(round.hasInline
        ? [http("inline", { routeConfig: routes("inline", round.cluster, round.tag) })]
        : []),
      this.#listener("tcp", this.#tcpProxy(round)),
      http("runtime", rds("by-runtime")),
      underTls(http("secured", rds("web")), this.#serverSocket()),
      http("extension", rds("web"), [this.#discoveredFilter()]),
      http("scoped", this.#scopedRoutes()),
      ...(this.#hasVirtualHosts
        ? [http("on-demand", rds("on-demand"), [onDemandFilter, router])]
        : []),
    ];
  }

  #routes(round: Round): readonly object[] {
    const { source } = this.#combination;
    return [
      routes("web", round.cluster, round.tag),
      routesByRuntime(round),
      routes("scope-a", round.cluster, `${round.tag} a`),
      routes("scope-b", round.cluster, `${round.tag} b`),
      ...(this.#hasVirtualHosts ? [{ name: "on-demand", vhds: { configSource: source } }] : []),
    ];
  }

  #listener(name: string, filter: object): object {
    return {
      name,
      address: socketAddress("127.0.0.1", 0),
      filterChains: [{ filters: [{ name: "only", typedConfig: filter }] }],
    };
  }

  #manager(name: string, routing: object, filters: readonly object[] = [router]): object {
    return {
      "@type": typeUrl(
        "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
      ),
      statPrefix: name,
      ...routing,
      httpFilters: filters,
      ...this.#accessLog(name, "HttpGrpcAccessLogConfig"),
    };
  }

  #serverSocket(): object {
    const own = { name: "own", sdsConfig: this.#combination.source };
    return serverSocket({ tlsCertificateSdsSecretConfigs: [own] });
  }

  #tcpProxy(round: Round): object {
    return {
      "@type": typeUrl("extensions.filters.network.tcp_proxy.v3.TcpProxy"),
      statPrefix: "tcp",
      cluster: round.cluster,
      ...this.#accessLog("tcp", "TcpGrpcAccessLogConfig"),
    };
  }

  #accessLog(logName: string, type: string): object {
    const commonConfig = {
      logName,
      transportApiVersion: "V3",
      grpcService: { envoyGrpc: { clusterName: "access-logs" } },
      bufferFlushInterval: "0.05s",
    };
    const typedConfig = {
      "@type": typeUrl(`extensions.access_loggers.grpc.v3.${type}`),
      commonConfig,
    };
    return { accessLog: [{ name: "grpc", typedConfig }] };
  }

  #discoveredFilter(): object {
    return {
      name: "discovered-router",
      configDiscovery: {
        configSource: this.#combination.source,
        typeUrls: [typeUrl("extensions.filters.http.router.v3.Router")],
      },
    };
  }

  #scopedRoutes(): object {
    const { source } = this.#combination;
    return {
      scopedRoutes: {
        name: "scopes",
        scopeKeyBuilder: {
          fragments: [{ headerValueExtractor: { name: "x-scope", index: 0 } }],
        },
        rdsConfigSource: source,
        scopedRds: { scopedRdsConfigSource: source },
      },
    };
  }
}

const router = {
  name: "envoy.filters.http.router",
  typedConfig: { "@type": typeUrl("extensions.filters.http.router.v3.Router") },
};

const onDemandFilter = {
  name: "envoy.filters.http.on_demand",
  typedConfig: { "@type": typeUrl("extensions.filters.http.on_demand.v3.OnDemand") },
};

const scopes = ["a", "b"].map((name) => ({
  name: `scope-${name}`,
  routeConfigurationName: `scope-${name}`,
  key: { fragments: [{ stringKey: name }] },
}));

/** The host is part of the name: `<route configuration>/<host>`. */
function onDemandHost(round: Round): object {
  const [host] = (routes("", round.cluster, round.tag) as { virtualHosts: object[] }).virtualHosts;
  return {
    ...host,
    name: "on-demand/on-demand.test",
    domains: ["on-demand.test"],
    responseHeadersToAdd: [{ header: { key: "x-route", value: round.tag } }],
  };
}

const runtimeKey = "interop.share";

function layer(round: Round): object {
  return { name: "by-rtds", layer: { [runtimeKey]: round.isOn ? 100 : 0 } };
}

/** Two routes: which one is taken, the key says. */
function routesByRuntime(round: Round): object {
  const route = (name: string, match: object): object => ({
    match: { prefix: "/", ...match },
    route: { cluster: round.cluster },
    responseHeadersToAdd: [{ header: { key: "x-route", value: `${round.tag} ${name}` } }],
  });
  const runtimeFraction = { defaultValue: { numerator: 0 }, runtimeKey };
  return {
    name: "by-runtime",
    virtualHosts: [
      { name: "all", domains: ["*"], routes: [route("on", { runtimeFraction }), route("off", {})] },
    ],
  };
}

function extension(round: Round): object {
  return {
    name: "discovered-router",
    typedConfig: { ...router.typedConfig, suppressEnvoyHeaders: round.isOn },
  };
}
