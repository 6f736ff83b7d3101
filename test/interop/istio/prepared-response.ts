/**
 * A recorded response as it is sent: on ports that are free, and without what the proxy under test has not
 * got. An extension goes out of the list that holds it, known by the type of its configuration. Equal
 * resources stay equal, so one that istiod sent again unchanged is still unchanged.
 */
import assert from "node:assert/strict";
import { isIP } from "node:net";
import { type DescMessage, fromBinary, type Message, toBinary } from "@bufbuild/protobuf";
import type { Any } from "@bufbuild/protobuf/wkt";
import type { Cluster } from "../../../gen/es/envoy/config/cluster/v3/cluster_pb.d.ts";
import type { Listener } from "../../../gen/es/envoy/config/listener/v3/listener_pb.d.ts";
import type { ListenerFilter } from "../../../gen/es/envoy/config/listener/v3/listener_components_pb.d.ts";
import type { RouteAction } from "../../../gen/es/envoy/config/route/v3/route_components_pb.d.ts";
import type {
  DeltaDiscoveryResponse,
  DiscoveryResponse,
} from "../../../gen/es/envoy/service/discovery/v3/discovery_pb.d.ts";
import type { TypedStruct } from "../../../gen/es/udpa/type/v1/typed_struct_pb.d.ts";
import { createProtoRegistry } from "../../../src/control/proto/proto-registry.ts";
import { typeNameOf } from "../../../src/control/proto/type-url.ts";
import type { RecordedResponse } from "./recording.ts";

const protos = createProtoRegistry();

/** Fields that hold one extension, and are as good without: the message around them stays. */
const optionalFields = ["transportSocket", "tracing"];

/** Messages whose list means something else without one of its members. */
const inseparable = ["envoy.config.accesslog.v3.AndFilter"];

const schemas = {
  stateOfTheWorld: protos.schema<DiscoveryResponse>("envoy.service.discovery.v3.DiscoveryResponse"),
  delta: protos.schema<DeltaDiscoveryResponse>("envoy.service.discovery.v3.DeltaDiscoveryResponse"),
};

export interface PreparedResponse {
  readonly bytes: Buffer;
  /** Content of each resource, by name. */
  readonly resources: ReadonlyMap<string, Uint8Array>;
}

/**
 * @param lacking types of configurations, as `envoy.extensions.filters.http.cors.v3.Cors`, and features by
 * the name of the field or value, as `RING_HASH`.
 */
export function prepareResponse(
  response: RecordedResponse,
  isDelta: boolean,
  lacking: ReadonlySet<string>,
): PreparedResponse {
  const desc = isDelta ? schemas.delta : schemas.stateOfTheWorld;
  const message = fromBinary<DescMessage>(desc, response.bytes) as
    | DiscoveryResponse
    | DeltaDiscoveryResponse;
  trim(message, lacking);
  const anys = message.resources.flatMap((one) =>
    one.$typeName === "google.protobuf.Any" ? one : (one.resource ?? []),
  );
  assert.equal(anys.length, response.names.length, "a resource went out whole");
  if (response.type === "LDS") for (const any of anys) takeFreePort(any);
  if (response.type === "CDS") for (const any of anys) stayOnThisMachine(any);
  return {
    bytes: Buffer.from(toBinary<DescMessage>(desc, message)),
    resources: new Map(anys.map((any, index) => [response.names[index] ?? "", any.value])),
  };
}

/** Port 0 in place of the recorded one, where a socket is bound: a test never knows which ones are taken. */
function takeFreePort(any: Any): void {
  const schema = protos.schema<Listener>("envoy.config.listener.v3.Listener");
  const listener = fromBinary(schema, any.value);
  const address = listener.address?.address;
  assert(address?.case === "socketAddress");
  if (listener.bindToPort?.valueOf() === false) return;
  address.value.portSpecifier = { case: "portValue", value: 0 };
  any.value = toBinary(schema, listener);
}

/** An address in place of the name of a host: no name server is asked. */
function stayOnThisMachine(any: Any): void {
  const schema = protos.schema<Cluster>("envoy.config.cluster.v3.Cluster");
  const cluster = fromBinary(schema, any.value);
  for (const { lbEndpoints } of cluster.loadAssignment?.endpoints ?? [])
    for (const { hostIdentifier } of lbEndpoints) {
      if (hostIdentifier.case !== "endpoint") continue;
      const address = hostIdentifier.value.address?.address;
      if (address?.case !== "socketAddress" || isIP(address.value.address) !== 0) continue;
      address.value.address = "127.0.0.1";
      any.value = toBinary(schema, cluster);
    }
}

/** Gives true for what has to go, whole: it is, or stands or falls with, something that is lacking. */
function trim(message: Message, lacking: ReadonlySet<string>): boolean {
  if (message.$typeName === "google.protobuf.Any") return trimAny(message as Any, lacking);
  if (message.$typeName === "envoy.config.cluster.v3.Cluster")
    trimCluster(message as Cluster, lacking);
  if (message.$typeName === "envoy.config.listener.v3.ListenerFilter")
    trimListenerFilter(message as ListenerFilter, lacking);
  if (message.$typeName === "envoy.config.listener.v3.Listener")
    trimListener(message as Listener, lacking);
  if (message.$typeName === "envoy.config.route.v3.RouteAction")
    trimRouteAction(message as RouteAction, lacking);
  const members = message as unknown as Record<string, unknown>;
  for (const [key, value] of Object.entries(members))
    if (trimValue(value, lacking, inseparable.includes(message.$typeName))) {
      if (!optionalFields.includes(key)) return true;
      members[key] = undefined;
    }
  return false;
}

/** The value of a field: a message, a list or map of them, one case of a choice, or nothing of interest. */
function trimValue(value: unknown, lacking: ReadonlySet<string>, isInseparable = false): boolean {
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return false;
  if (isMessage(value)) return trim(value, lacking);
  if (Array.isArray(value)) {
    const kept = value.filter((one) => !trimValue(one, lacking));
    if (isInseparable) return kept.length < value.length;
    value.splice(0, value.length, ...kept);
    return false;
  }
  if ("case" in value && "value" in value) return trimValue(value.value, lacking);
  for (const [key, entry] of Object.entries(value))
    if (trimValue(entry, lacking)) Reflect.deleteProperty(value, key);
  return false;
}

/** The numbers of `Cluster.DiscoveryType` and `Cluster.LbPolicy`. */
const [strictDns, logicalDns] = [1, 2];
const [roundRobin, ringHash] = [0, 2];

/** A feature that is lacking gives way to the nearest one that is there. */
function trimCluster(cluster: Cluster, lacking: ReadonlySet<string>): void {
  const { clusterDiscoveryType: chosen } = cluster;
  if (chosen.case === "type") {
    if (chosen.value === logicalDns && lacking.has("LOGICAL_DNS")) chosen.value = strictDns;
  }
  if (cluster.lbPolicy === ringHash && lacking.has("RING_HASH")) cluster.lbPolicy = roundRobin;
  if (lacking.has("transport_socket_matches")) cluster.transportSocketMatches = [];
}

function trimListener(listener: Listener, lacking: ReadonlySet<string>): void {
  if (lacking.has("use_original_dst")) listener.useOriginalDst = undefined;
}

function trimListenerFilter(filter: ListenerFilter, lacking: ReadonlySet<string>): void {
  if (lacking.has("filter_disabled")) filter.filterDisabled = undefined;
}

function trimRouteAction(action: RouteAction, lacking: ReadonlySet<string>): void {
  if (lacking.has("request_mirror_policies")) action.requestMirrorPolicies = [];
}

function trimAny(any: Any, lacking: ReadonlySet<string>): boolean {
  const typeName = typeNameOf(any.typeUrl);
  if (lacking.has(typeName)) return true;
  const desc = protos.find(typeName);
  if (!desc) return false;
  const content = fromBinary(desc, any.value);
  if (typeName === "udpa.type.v1.TypedStruct")
    return lacking.has(typeNameOf((content as TypedStruct).typeUrl));
  if (trim(content, lacking)) return true;
  any.value = toBinary(desc, content);
  return false;
}

function isMessage(value: object): value is Message {
  return "$typeName" in value;
}
