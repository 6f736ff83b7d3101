/** Who the proxy says it is: the bootstrap's node, with what the command line says over it. */
import { create } from "@bufbuild/protobuf";
import type { Locality, Node } from "../../../gen/es/envoy/config/core/v3/base_pb.d.ts";
import type { ProtoRegistry } from "../proto/proto-registry.ts";

export interface NodeFlags {
  readonly id: string;
  readonly cluster: string;
  readonly zone: string;
}

/** Envoy's name: control planes choose what to send by it. */
const userAgentName = "envoy";

/** What a control plane may send because we take it (Envoy docs, "Well Known Client Features"). */
const clientFeatures = ["xds.config.supports-resource-ttl", "xds.config.resource-in-sotw"];

/** A flag that is given wins over the bootstrap (Envoy: `LocalInfoImpl`). */
export function completeNode(
  node: Node | undefined,
  flags: NodeFlags,
  protos: ProtoRegistry,
): Node {
  const completed = node ?? create(protos.schema<Node>("envoy.config.core.v3.Node"));
  if (flags.id !== "") completed.id = flags.id;
  if (flags.cluster !== "") completed.cluster = flags.cluster;
  if (flags.zone !== "") {
    completed.locality ??= create(protos.schema<Locality>("envoy.config.core.v3.Locality"));
    completed.locality.zone = flags.zone;
  }
  completed.userAgentName ||= userAgentName;
  completed.clientFeatures = [...new Set([...completed.clientFeatures, ...clientFeatures])];
  return completed;
}
