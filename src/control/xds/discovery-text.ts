/** A DiscoveryResponse that came as text, from a file or a polled server, as if it had come in a stream. */
import type { DiscoveryResponse as ResponseMessage } from "../../../gen/es/envoy/service/discovery/v3/discovery_pb.d.ts";
import type { DiscoveryResponse } from "./discovery-response.ts";
import { receivedAny } from "./received-resource.ts";

/** It need not say its type again: each resource does. */
export function responseOf(message: ResponseMessage, typeUrl: string): DiscoveryResponse {
  const version = message.versionInfo;
  return {
    version,
    typeUrl,
    nonce: "",
    serverIdentifier: message.controlPlane?.identifier ?? "",
    resources: message.resources.map((any) => receivedAny(any, version)),
  };
}
