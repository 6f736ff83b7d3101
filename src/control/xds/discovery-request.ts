/**
 * Writes `envoy.service.discovery.v3.DiscoveryRequest`. One message serves three purposes: to
 * subscribe, to accept (ACK) and to refuse (NACK); which it is follows from nonce and error.
 */
import jspb from "google-protobuf";

export interface DiscoveryRequest {
  /** The last accepted version, also in a NACK; empty if there was none. */
  readonly version: string;
  /** A serialised `envoy.config.core.v3.Node`, or `undefined` to leave it out. */
  readonly node: Uint8Array | undefined;
  /** All names subscribed, each time; empty means every resource where `*` is implied. */
  readonly resourceNames: readonly string[];
  readonly typeUrl: string;
  /** Of the response that this answers; empty on a new stream. */
  readonly nonce: string;
  /** Present in a NACK. */
  readonly error: string | undefined;
}

/** `google.rpc.Code.INTERNAL`: what Envoy puts into the `error_detail` of a NACK. */
const errorCode = 13;

export function writeDiscoveryRequest(request: DiscoveryRequest): Uint8Array {
  const writer = new jspb.BinaryWriter();
  if (request.version !== "") writer.writeString(1, request.version);
  if (request.node) writer.writeBytes(2, request.node);
  for (const name of request.resourceNames) writer.writeString(3, name);
  writer.writeString(4, request.typeUrl);
  if (request.nonce !== "") writer.writeString(5, request.nonce);
  if (request.error !== undefined) writer.writeBytes(6, writeErrorDetail(request.error));
  return writer.getResultBuffer();
}

/** A `google.rpc.Status`. */
export function writeErrorDetail(message: string): Uint8Array {
  const writer = new jspb.BinaryWriter();
  writer.writeInt32(1, errorCode);
  writer.writeString(2, message);
  return writer.getResultBuffer();
}
