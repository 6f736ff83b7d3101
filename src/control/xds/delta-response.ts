/** Reads the envelope of `envoy.service.discovery.v3.DeltaDiscoveryResponse`; its resources stay bytes. */
import { canonicalName } from "../proto/xdstp-name.ts";
import { readIdentifier, type DiscoveryResponse } from "./discovery-response.ts";
import { receivedWrapper } from "./received-resource.ts";
import { readResourceError, type ResourceError } from "./resource-error.ts";
import { eachFieldOf, guarded, type Read, readText, readView } from "./wire.ts";

/** Never throws: what cannot be read is an error value, and the stream it came on is lost. */
export function readDeltaResponse(bytes: Uint8Array): Read<DiscoveryResponse> {
  return guarded(() => {
    const wrappers: Uint8Array[] = [];
    const removedNames: string[] = [];
    const resourceErrors: ResourceError[] = [];
    const response = { version: "", typeUrl: "", nonce: "", serverIdentifier: "" };
    eachFieldOf(bytes, (field, reader) => {
      if (field === 1) response.version = readText(reader, bytes);
      else if (field === 2) wrappers.push(readView(reader, bytes));
      else if (field === 4) response.typeUrl = readText(reader, bytes);
      else if (field === 5) response.nonce = readText(reader, bytes);
      else if (field === 6) removedNames.push(canonicalName(readText(reader, bytes)));
      else if (field === 7) response.serverIdentifier = readIdentifier(reader, bytes);
      else if (field === 9) resourceErrors.push(readResourceError(reader, bytes));
      else reader.skipField();
    });
    const resources = wrappers.map((wrapper) => receivedWrapper(wrapper, ""));
    return { ...response, resources, removedNames, resourceErrors };
  });
}
