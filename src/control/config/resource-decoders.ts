/** The xDS resource types, each with its reader: bytes in, judged domain values or every error out. */
import type { Message } from "@bufbuild/protobuf";
import type { GenMessage } from "@bufbuild/protobuf/codegenv2";
import type { Cluster } from "../../../gen/es/envoy/config/cluster/v3/cluster_pb.d.ts";
import type { ClusterLoadAssignment } from "../../../gen/es/envoy/config/endpoint/v3/endpoint_pb.d.ts";
import type { TypedExtensionConfig } from "../../../gen/es/envoy/config/core/v3/extension_pb.d.ts";
import type { ScopedRouteConfiguration } from "../../../gen/es/envoy/config/route/v3/scoped_route_pb.d.ts";
import type { Listener } from "../../../gen/es/envoy/config/listener/v3/listener_pb.d.ts";
import type { VirtualHost } from "../../../gen/es/envoy/config/route/v3/route_components_pb.d.ts";
import type { RouteConfiguration } from "../../../gen/es/envoy/config/route/v3/route_pb.d.ts";
import type { Runtime } from "../../../gen/es/envoy/service/runtime/v3/rtds_pb.d.ts";
import { assert } from "../../shared/common/assert.ts";
import type { Secret } from "../../../gen/es/envoy/extensions/transport_sockets/tls/v3/secret_pb.d.ts";
import { messageOf } from "../../shared/common/errors.ts";
import type { LoadAssignment } from "../../shared/config/cluster-config.ts";
import { readBinary } from "../proto/binary.ts";
import type { DecodeResult } from "../proto/decode-result.ts";
import { typeUrlOf } from "../proto/type-url.ts";
import { clusterTypeName, decodeCluster } from "./clusters.ts";
import { DecodeContext, type DecodeTools } from "./decode-context.ts";
import type { DecodedCluster } from "./decoded-cluster.ts";
import type { DecodedListener } from "./decoded-listener.ts";
import type { DecodedRouteConfig } from "./decoded-route-config.ts";
import type { DecodedVirtualHost } from "./decoded-virtual-host.ts";
import type { DecodedScope } from "./decoded-scope.ts";
import { createEquivalence } from "./equivalence.ts";
import { decodeKnownListener, decodeListener, listenerTypeName } from "./listeners.ts";
import { decodeLoadAssignment } from "./load-assignments.ts";
import { ReceivedRouteConfig, type RouteConfigReader } from "./received-route-config.ts";
import { RecentConfigs } from "./recent-configs.ts";
import { decodeExtensionConfig, extensionConfigTypeName } from "./extension-configs.ts";
import type { DecodedExtensionConfig } from "./extension-config.ts";
import type { DecodedSecret } from "./secret-config.ts";
import { decodeSecret, secretTypeName } from "./secrets.ts";
import type { ResourceDecoder } from "./resource-decoder.ts";
import { decodeDiscoveredHost, decodeRouteConfig, decodeRoutes } from "./route-configs.ts";
import type { RuntimeLayerValues } from "./runtime-layer.ts";
import { decodeRuntimeValues } from "./runtime-layers.ts";
import { decodeScope, scopeTypeName } from "./scoped-routes.ts";
import { nameOfUnnamed } from "./unnamed-listener.ts";

/** In the state of the world a missing resource of theirs was removed. */
const fullStateTypes: ReadonlySet<string> = new Set(["LDS", "CDS", "SRDS", "VHDS"]);

export interface ResourceDecoders {
  readonly listeners: ResourceDecoder<DecodedListener>;
  readonly clusters: ResourceDecoder<DecodedCluster>;
  readonly routes: ResourceDecoder<DecodedRouteConfig>;
  readonly virtualHosts: ResourceDecoder<DecodedVirtualHost>;
  readonly scopes: ResourceDecoder<DecodedScope>;
  readonly endpoints: ResourceDecoder<LoadAssignment>;
  readonly secrets: ResourceDecoder<DecodedSecret>;
  readonly extensions: ResourceDecoder<DecodedExtensionConfig>;
  readonly runtimes: ResourceDecoder<RuntimeLayerValues>;
}

export function createResourceDecoders(tools: DecodeTools): ResourceDecoders {
  const { protos } = tools;
  const isEquivalent = createEquivalence(protos);
  const decoder = <M extends Message, T>(
    shortName: string,
    schema: GenMessage<M>,
    read: (message: M, context: DecodeContext, bytes: Uint8Array) => T | undefined,
  ): ResourceDecoder<T> => ({
    typeUrl: typeUrlOf(schema.typeName),
    shortName,
    isFullState: fullStateTypes.has(shortName),
    decode: (bytes) => decode(tools, schema, { bytes, read }),
    isEquivalent: (held, received) => isEquivalent(schema, held, received),
  });
  return {
    listeners: listenerDecoder(
      tools,
      decoder("LDS", protos.schema<Listener>(listenerTypeName), decodeListener),
    ),
    clusters: decoder("CDS", protos.schema<Cluster>(clusterTypeName), decodeCluster),
    routes: decoder(
      "RDS",
      protos.schema<RouteConfiguration>(routeConfigTypeName),
      pushedRoutesOf(tools),
    ),
    virtualHosts: {
      ...decoder(
        "VHDS",
        protos.schema<VirtualHost>("envoy.config.route.v3.VirtualHost"),
        decodeDiscoveredHost,
      ),
      isNamedByWrapper: true,
    },
    scopes: {
      ...decoder("SRDS", protos.schema<ScopedRouteConfiguration>(scopeTypeName), decodeScope),
      rejectionPrefix: "Error adding/updating scoped route(s): ",
    },
    endpoints: decoder(
      "EDS",
      protos.schema<ClusterLoadAssignment>("envoy.config.endpoint.v3.ClusterLoadAssignment"),
      (message, context) => decodeLoadAssignment(message, { isResolved: false }, context),
    ),
    secrets: decoder("SDS", protos.schema<Secret>(secretTypeName), decodeSecret),
    extensions: decoder(
      "ECDS",
      protos.schema<TypedExtensionConfig>(extensionConfigTypeName),
      decodeExtensionConfig,
    ),
    runtimes: decoder(
      "RTDS",
      protos.schema<Runtime>("envoy.service.runtime.v3.Runtime"),
      ({ layer = {} }, context) => decodeRuntimeValues(layer, context),
    ),
  };
}

/** Of many filter chains most are the same in every version. What goes wrong is said by reading all of it. */
function listenerDecoder(
  tools: DecodeTools,
  whole: ResourceDecoder<DecodedListener>,
): ResourceDecoder<DecodedListener> {
  return {
    ...whole,
    nameOfUnnamed,
    decode(bytes) {
      try {
        const context = new DecodeContext(tools);
        const quick = context.result(decodeKnownListener(bytes, context));
        if (quick.ok) return quick;
      } catch {
        // A bug of ours: `whole` will trip over it too, and refuse.
      }
      return whole.decode(bytes);
    },
  };
}

const routeConfigTypeName = "envoy.config.route.v3.RouteConfiguration" as const;

function pushedRoutesOf(
  tools: DecodeTools,
): (message: RouteConfiguration, context: DecodeContext, bytes: Uint8Array) => DecodedRouteConfig {
  const schema = tools.protos.schema<RouteConfiguration>(routeConfigTypeName);
  const reader: RouteConfigReader = {
    recent: new RecentConfigs(),
    config(bytes) {
      const message = readBinary(schema, bytes);
      assert(message.ok, "routes that were decoded before");
      return decodeRoutes(message.value, new DecodeContext(tools));
    },
  };
  return (message, context, bytes) =>
    new ReceivedRouteConfig(decodeRouteConfig(message, context, bytes), reader);
}

interface Work<M extends Message, T> {
  readonly bytes: Uint8Array;
  /** Undefined: it was refused, and there is nothing to go on with. */
  readonly read: (message: M, context: DecodeContext, bytes: Uint8Array) => T | undefined;
}

/**
 * Never throws: a resource that trips over a bug of ours is refused like any other bad one, and what
 * worked goes on.
 */
function decode<M extends Message, T>(
  tools: DecodeTools,
  schema: GenMessage<M>,
  { bytes, read }: Work<M, T>,
): DecodeResult<T> {
  const context = new DecodeContext(tools);
  try {
    const message = readBinary(schema, bytes);
    if (!message.ok) return { ok: false, errors: message.errors };
    const isValid = context.check(schema, message.value);
    return context.result(isValid ? read(message.value, context, bytes) : undefined);
  } catch (thrown) {
    return {
      ok: false,
      errors: [`internal error while reading ${schema.typeName}: ${messageOf(thrown)}`],
    };
  }
}
