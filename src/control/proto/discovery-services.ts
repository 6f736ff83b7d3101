/**
 * The gRPC services of discovery: the aggregated one, and one for each type alone. Both sides pass messages
 * as bytes: decoding a push of 10,000 resources in the transport would block the thread for more than a
 * second.
 */
import type { MethodDefinition as GrpcMethod } from "@grpc/grpc-js";
import { loadSync, type MethodDefinition, type PackageDefinition } from "@grpc/proto-loader";
import { createRequire } from "node:module";
import path from "node:path";

/** Passes bytes through. */
export type BytesMethod = GrpcMethod<Buffer, Buffer>;

export interface DiscoveryService {
  /** State of the world. Of a type that has none it is a method that every server says it lacks. */
  readonly stream: BytesMethod;
  readonly delta: BytesMethod;
}

/** Where a type's own service is to be found. */
interface ServiceName {
  readonly file: string;
  readonly service: string;
  /** `Stream` and `Delta` before it name the methods. */
  readonly noun: string;
  /** Of the polled variant; undefined: there is none. */
  readonly path: string | undefined;
  /** There is no state of the world. */
  readonly isDeltaOnly?: boolean;
}

const aggregated: ServiceName = {
  file: "discovery/v3/ads.proto",
  service: "discovery.v3.AggregatedDiscoveryService",
  noun: "AggregatedResources",
  path: undefined,
};

const byType: ReadonlyMap<string, ServiceName> = new Map([
  entry("listener.v3.Listener", ["listener", "lds", "Listener"]),
  entry("cluster.v3.Cluster", ["cluster", "cds", "Cluster"]),
  entry("route.v3.RouteConfiguration", ["route", "rds", "Route"]),
  [
    "type.googleapis.com/envoy.config.route.v3.VirtualHost",
    {
      file: "route/v3/rds.proto",
      service: "route.v3.VirtualHostDiscoveryService",
      noun: "VirtualHosts",
      path: undefined,
      isDeltaOnly: true,
    },
  ],
  [
    "type.googleapis.com/envoy.config.route.v3.ScopedRouteConfiguration",
    {
      file: "route/v3/srds.proto",
      service: "route.v3.ScopedRoutesDiscoveryService",
      noun: "ScopedRoutes",
      path: "scoped-routes",
    },
  ],
  entry("endpoint.v3.ClusterLoadAssignment", ["endpoint", "eds", "Endpoint"]),
]);

const loaded = new Map<ServiceName, DiscoveryService>();

/** Reads the `.proto` files that `@grpc/grpc-js-xds` carries: some 60 ms at the first call. */
export function aggregatedDiscovery(): DiscoveryService {
  return load(aggregated);
}

/** As `aggregatedDiscovery`, for one type; `undefined` where there is none that we know. */
export function discoveryServiceOf(typeUrl: string): DiscoveryService | undefined {
  const name = byType.get(typeUrl);
  return name && load(name);
}

/** Where the state of the world of one type is polled over HTTP; `undefined` for types we do not know. */
export function restPathOf(typeUrl: string): string | undefined {
  const name = byType.get(typeUrl);
  return name?.path === undefined ? undefined : `/v3/discovery:${name.path}`;
}

function entry(
  message: string,
  [folder, file, noun]: readonly [string, string, string],
): readonly [string, ServiceName] {
  return [
    `type.googleapis.com/envoy.config.${message}`,
    {
      file: `${folder}/v3/${file}.proto`,
      service: `${folder}.v3.${noun}DiscoveryService`,
      noun: `${noun}s`,
      path: `${noun.toLowerCase()}s`,
    },
  ];
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
  const delta = methodOf(definitions, name, `Delta${name.noun}`);
  const stream = name.isDeltaOnly
    ? { ...delta, path: delta.path.replace("/Delta", "/Stream") }
    : methodOf(definitions, name, `Stream${name.noun}`);
  const service = { stream, delta };
  loaded.set(name, service);
  return service;
}

function methodOf(definitions: PackageDefinition, name: ServiceName, method: string): BytesMethod {
  const service = definitions[`envoy.service.${name.service}`] as Readonly<
    Record<string, MethodDefinition<object, object>>
  >;
  const definition = service[method];
  if (!definition) throw new Error(`${name.service} lacks ${method}`);
  const same = (bytes: Buffer): Buffer => bytes;
  return {
    path: definition.path,
    requestStream: definition.requestStream,
    responseStream: definition.responseStream,
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  };
}
