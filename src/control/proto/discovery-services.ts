/**
 * The gRPC services of discovery: the aggregated one, and one for each type alone. Both sides pass messages
 * as bytes: decoding a push of 10,000 resources in the transport would block the thread for more than a
 * second.
 */
import type { MethodDefinition as GrpcMethod } from "@grpc/grpc-js";
import { loadSync, type MethodDefinition, type PackageDefinition } from "@grpc/proto-loader";
import { createRequire } from "node:module";
import path from "node:path";
import { assert } from "../../shared/common/assert.ts";
import { typeUrlOf } from "./type-url.ts";

/** Passes bytes through. */
export type BytesMethod = GrpcMethod<Buffer, Buffer>;

export interface DiscoveryService {
  /** State of the world; `undefined` for a type that is served by delta alone. */
  readonly stream: BytesMethod | undefined;
  readonly delta: BytesMethod;
}

/** Where a type's own service is to be found. */
interface ServiceName {
  readonly file: string;
  readonly service: string;
  /** `Stream` and `Delta` before it name the methods. */
  readonly noun: string;
  /** Behind `/v3/discovery:`, of the polled variant; absent for a type that is served by delta alone. */
  readonly path?: string;
}

const aggregated: ServiceName = {
  file: "discovery/v3/ads.proto",
  service: "discovery.v3.AggregatedDiscoveryService",
  noun: "AggregatedResources",
};

const services: readonly (readonly [message: string, ServiceName])[] = [
  [
    "envoy.config.listener.v3.Listener",
    {
      file: "listener/v3/lds.proto",
      service: "listener.v3.ListenerDiscoveryService",
      noun: "Listeners",
      path: "listeners",
    },
  ],
  [
    "envoy.config.cluster.v3.Cluster",
    {
      file: "cluster/v3/cds.proto",
      service: "cluster.v3.ClusterDiscoveryService",
      noun: "Clusters",
      path: "clusters",
    },
  ],
  [
    "envoy.config.route.v3.RouteConfiguration",
    {
      file: "route/v3/rds.proto",
      service: "route.v3.RouteDiscoveryService",
      noun: "Routes",
      path: "routes",
    },
  ],
  [
    "envoy.config.endpoint.v3.ClusterLoadAssignment",
    {
      file: "endpoint/v3/eds.proto",
      service: "endpoint.v3.EndpointDiscoveryService",
      noun: "Endpoints",
      path: "endpoints",
    },
  ],
  [
    "envoy.config.route.v3.ScopedRouteConfiguration",
    {
      file: "route/v3/srds.proto",
      service: "route.v3.ScopedRoutesDiscoveryService",
      noun: "ScopedRoutes",
      path: "scoped-routes",
    },
  ],
  [
    "envoy.config.route.v3.VirtualHost",
    {
      file: "route/v3/rds.proto",
      service: "route.v3.VirtualHostDiscoveryService",
      noun: "VirtualHosts",
    },
  ],
  [
    "envoy.extensions.transport_sockets.tls.v3.Secret",
    {
      file: "secret/v3/sds.proto",
      service: "secret.v3.SecretDiscoveryService",
      noun: "Secrets",
      path: "secrets",
    },
  ],
  [
    "envoy.service.runtime.v3.Runtime",
    {
      file: "runtime/v3/rtds.proto",
      service: "runtime.v3.RuntimeDiscoveryService",
      noun: "Runtime",
      path: "runtime",
    },
  ],
  [
    "envoy.config.core.v3.TypedExtensionConfig",
    {
      file: "extension/v3/config_discovery.proto",
      service: "extension.v3.ExtensionConfigDiscoveryService",
      noun: "ExtensionConfigs",
      path: "extension_configs",
    },
  ],
];

const byType: ReadonlyMap<string, ServiceName> = new Map(
  services.map(([message, name]) => [typeUrlOf(message), name]),
);

const loaded = new Map<ServiceName, DiscoveryService>();

/** Reads the `.proto` files that `@grpc/grpc-js-xds` carries: some 60 ms at the first call. */
export function aggregatedDiscovery(): DiscoveryService & { readonly stream: BytesMethod } {
  const { stream, delta } = load(aggregated);
  assert(stream, "the aggregated service has both variants");
  return { stream, delta };
}

/** As `aggregatedDiscovery`, for one type; `undefined` where there is none that we know. */
export function discoveryServiceOf(typeUrl: string): DiscoveryService | undefined {
  const name = byType.get(typeUrl);
  return name && load(name);
}

/** Where the state of the world of one type is polled over HTTP; `undefined` for types we do not know. */
export function restPathOf(typeUrl: string): string | undefined {
  const path = byType.get(typeUrl)?.path;
  return path === undefined ? undefined : `/v3/discovery:${path}`;
}

function load(name: ServiceName): DiscoveryService {
  const known = loaded.get(name);
  if (known) return known;
  const require = createRequire(import.meta.url);
  const deps = path.join(path.dirname(require.resolve("@grpc/grpc-js-xds/package.json")), "deps");
  const includeDirs = ["envoy-api", "googleapis", "protoc-gen-validate", "xds"];
  const definitions = loadSync(`envoy/service/${name.file}`, {
    includeDirs: includeDirs.map((folder) => path.join(deps, folder)),
  });
  const isDeltaAlone = name.path === undefined && name !== aggregated;
  const service = {
    stream: isDeltaAlone ? undefined : methodOf(definitions, name, `Stream${name.noun}`),
    delta: methodOf(definitions, name, `Delta${name.noun}`),
  };
  loaded.set(name, service);
  return service;
}

function methodOf(definitions: PackageDefinition, name: ServiceName, method: string): BytesMethod {
  const service = definitions[`envoy.service.${name.service}`] as Readonly<
    Record<string, MethodDefinition<object, object>>
  >;
  const definition = service[method];
  if (!definition) throw new Error(`${name.service} lacks ${method}`);
  return bytesMethod(definition);
}

/** A method whose messages are passed on as they are. */
export function bytesMethod({
  path: methodPath,
  requestStream,
  responseStream,
}: Pick<BytesMethod, "path" | "requestStream" | "responseStream">): BytesMethod {
  const same = (bytes: Buffer): Buffer => bytes;
  return {
    path: methodPath,
    requestStream,
    responseStream,
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  };
}
