/**
 * All that a child is pushed is wrong at first, each in its own file: refused, or not there. Mended one after another they
 * show what it waits for, and that it waits for all of them.
 */
import path from "node:path";
import type { GenerationStage } from "./generation-stage.ts";
import {
  credentialInjector,
  discoveredFilter,
  extensionConfig,
  genericSecret,
  router,
  versionMutation,
} from "./secret-resources.ts";
import { edsCluster, httpListener, routesTo } from "./truth-resources.ts";

const types = "type.googleapis.com/envoy";
const listenerUrl = `${types}.config.listener.v3.Listener`;
const clusterUrl = `${types}.config.cluster.v3.Cluster`;
const endpointsUrl = `${types}.config.endpoint.v3.ClusterLoadAssignment`;
const routesUrl = `${types}.config.route.v3.RouteConfiguration`;
const scopeUrl = `${types}.config.route.v3.ScopedRouteConfiguration`;
const extensionUrl = `${types}.config.core.v3.TypedExtensionConfig`;
const runtimeUrl = `${types}.service.runtime.v3.Runtime`;
const secretUrl = `${types}.extensions.transport_sockets.tls.v3.Secret`;

export interface Wrong {
  /** What the child says of it. */
  readonly message: RegExp;
  readonly mend: () => void;
}

/** The last of them comes before the workers start. */
export const goesOnWithAll = /add\/update secret 'token'[^]*all dependencies initialized/;

interface ServingJson {
  readonly admin: object;
  readonly static_resources: {
    readonly listeners: readonly { readonly address: object }[];
    readonly clusters: readonly object[];
  };
}

/** Writes `pushed.json`. In the order in which the child comes upon them; the port of HTTP serves when all are mended. */
export function pushWrong(stage: GenerationStage): readonly Wrong[] {
  const { admin, static_resources } = stage.read("good.json") as ServingJson;
  const { clusters, listeners } = static_resources;
  const push = (file: string, typeUrl: string, resources: readonly object[]): void =>
    stage.replace(file, {
      version_info: "1",
      resources: resources.map((resource) => ({ "@type": typeUrl, ...resource })),
    });
  const source = (file: string): object => ({
    resource_api_version: "V3",
    initial_fetch_timeout: "0.2s",
    path_config_source: { path: path.join(stage.folder, file) },
  });
  const routing = {
    rds: { route_config_name: "routes", config_source: source("rds.json") },
    http_filters: [
      credentialInjector("token", source("sds.json")),
      discoveredFilter("mutation", { config_source: source("ecds.json") }),
      router,
    ],
  };
  const scoping = {
    scoped_routes: {
      name: "scopes",
      scope_key_builder: {
        fragments: [
          {
            header_value_extractor: {
              name: "x-scope",
              element: { separator: "=", key: "a" },
              element_separator: ";",
            },
          },
        ],
      },
      rds_config_source: source("rds.json"),
      scoped_rds: { scoped_rds_config_source: source("srds.json") },
    },
  };
  stage.write("pushed.json", {
    admin,
    node: { id: "n", cluster: "c" },
    static_resources: { clusters },
    layered_runtime: {
      layers: [
        { name: "pushed", rtds_layer: { name: "values", rtds_config: source("rtds.json") } },
      ],
    },
    dynamic_resources: { cds_config: source("cds.json"), lds_config: source("lds.json") },
  });
  push("rtds.json", runtimeUrl, []);
  push("cds.json", clusterUrl, [{ name: "", connect_timeout: "-1s" }]);
  push("eds.json", endpointsUrl, []);
  push("lds.json", listenerUrl, [{ name: "web", address: {} }]);
  push("rds.json", routesUrl, [{ name: "routes", virtual_hosts: [{ name: "all" }] }]);
  push("srds.json", scopeUrl, [{ name: "s" }]);
  push("ecds.json", extensionUrl, []);
  push("sds.json", secretUrl, []);
  const web = { ...httpListener("web", routing), address: listeners[0]?.address };
  return [
    {
      message: /RTDS 'values' has not come: .* serves on until it is there/,
      mend: () => push("rtds.json", runtimeUrl, [{ name: "values", layer: {} }]),
    },
    {
      message: /the first push of CDS was refused: .* serves on until one is accepted/,
      mend: () => push("cds.json", clusterUrl, [edsCluster("more", source("eds.json"))]),
    },
    {
      message: /EDS 'more' has not come: .* serves on until it is there/,
      mend: () => push("eds.json", endpointsUrl, [{ cluster_name: "more" }]),
    },
    {
      message: /the first push of LDS was refused: .* serves on until one is accepted/,
      mend: () => push("lds.json", listenerUrl, [web, httpListener("scoped", scoping)]),
    },
    {
      message: /RDS 'routes' was refused: .* serves on until it is there/,
      mend: () => push("rds.json", routesUrl, [routesTo("up")]),
    },
    {
      message: /the first push of SRDS was refused: .* serves on until one is accepted/,
      mend: () => push("srds.json", scopeUrl, []),
    },
    {
      message: /ECDS 'mutation' has not come: .* serves on until it is there/,
      mend: () =>
        push("ecds.json", extensionUrl, [extensionConfig("mutation", versionMutation("1"))]),
    },
    {
      message: /SDS 'token' has not come: .* serves on until it is there/,
      mend: () => push("sds.json", secretUrl, [genericSecret("token", "Bearer x")]),
    },
  ];
}
