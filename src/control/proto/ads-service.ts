/**
 * The gRPC service `envoy.service.discovery.v3.AggregatedDiscoveryService`, of which both sides pass
 * messages as bytes: decoding a push of 10,000 resources in the transport would block the thread for
 * more than a second.
 */
import { loadSync, type MethodDefinition } from "@grpc/proto-loader";
import { createRequire } from "node:module";
import path from "node:path";

/** Passes bytes through. */
export type BytesMethod = MethodDefinition<Buffer, Buffer>;

export interface AdsService {
  /** State of the world. */
  readonly StreamAggregatedResources: BytesMethod;
  /** Delta. */
  readonly DeltaAggregatedResources: BytesMethod;
}

const serviceName = "envoy.service.discovery.v3.AggregatedDiscoveryService";

/** Reads the `.proto` files that `@grpc/grpc-js-xds` carries: some 60 ms, so call it once. */
export function loadAdsService(): AdsService {
  const require = createRequire(import.meta.url);
  const deps = path.join(path.dirname(require.resolve("@grpc/grpc-js-xds/package.json")), "deps");
  const includeDirs = ["envoy-api", "googleapis", "protoc-gen-validate", "xds"];
  const definitions = loadSync("envoy/service/discovery/v3/ads.proto", {
    includeDirs: includeDirs.map((folder) => path.join(deps, folder)),
  });
  const service = definitions[serviceName] as Readonly<
    Record<string, MethodDefinition<object, object>>
  >;
  return {
    StreamAggregatedResources: asBytes(service["StreamAggregatedResources"]),
    DeltaAggregatedResources: asBytes(service["DeltaAggregatedResources"]),
  };
}

function asBytes(method: MethodDefinition<object, object> | undefined): BytesMethod {
  if (!method) throw new Error(`${serviceName} lacks a method`);
  const { path: methodPath, requestStream, responseStream } = method;
  const same = (bytes: Buffer): Buffer => bytes;
  return {
    path: methodPath,
    requestStream,
    responseStream,
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
    requestType: method.requestType,
    responseType: method.responseType,
    ...(method.originalName === undefined ? {} : { originalName: method.originalName }),
    options: method.options,
  } as BytesMethod;
}
