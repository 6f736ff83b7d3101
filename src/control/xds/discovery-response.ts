/**
 * Reads the envelope of `envoy.service.discovery.v3.DiscoveryResponse` and leaves each resource as
 * bytes: of 10,000 resources sent again, those that did not change are never decoded, nor copied.
 */
import type jspb from "google-protobuf";
import {
  type AnyMessage,
  readAny,
  receivedAny,
  type ReceivedResource,
} from "./received-resource.ts";
import { PlainAnys } from "./plain-any.ts";
import { readResourceError, type ResourceError } from "./resource-error.ts";
import { eachField, eachFieldOf, guarded, type Read, readText, readView } from "./wire.ts";

export interface DiscoveryResponse {
  /** Delta: `system_version_info`, to show; each resource has its own. */
  readonly version: string;
  readonly typeUrl: string;
  readonly nonce: string;
  /** `control_plane.identifier`; empty if not sent. */
  readonly serverIdentifier: string;
  readonly resources: readonly ReceivedResource[];
  /** Present in delta alone, where what is not named stays as it is. */
  readonly removedNames?: readonly string[];
  /** What the server says it cannot give; absent: nothing. */
  readonly resourceErrors?: readonly ResourceError[];
}

/** Never throws: what cannot be read is an error value, and the stream it came on is lost. */
export function readDiscoveryResponse(bytes: Uint8Array): Read<DiscoveryResponse> {
  return guarded(() => {
    const anys: AnyMessage[] = [];
    const plain = new PlainAnys();
    const resourceErrors: ResourceError[] = [];
    const response = { version: "", typeUrl: "", nonce: "", serverIdentifier: "" };
    eachFieldOf(bytes, (field, reader) => {
      if (field === 1) response.version = readText(reader, bytes);
      else if (field === 2) {
        const any = readView(reader, bytes);
        anys.push(plain.read(any) ?? readAny(any));
      } else if (field === 4) response.typeUrl = readText(reader, bytes);
      else if (field === 5) response.nonce = readText(reader, bytes);
      else if (field === 6) response.serverIdentifier = readIdentifier(reader, bytes);
      else if (field === 7) resourceErrors.push(readResourceError(reader, bytes));
      else reader.skipField();
    });
    const resources = anys.map((any) => receivedAny(any, response.version));
    return { ...response, resources, resourceErrors };
  });
}

/** Of `core.v3.ControlPlane`. */
export function readIdentifier(reader: jspb.BinaryReader, message: Uint8Array): string {
  const controlPlane = { identifier: "" };
  reader.readMessage(controlPlane, (_, inner: jspb.BinaryReader) =>
    eachField(inner, (field) => {
      if (field === 1) controlPlane.identifier = readText(inner, message);
      else inner.skipField();
    }),
  );
  return controlPlane.identifier;
}
