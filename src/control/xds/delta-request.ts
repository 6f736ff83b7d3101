/**
 * Writes `envoy.service.discovery.v3.DeltaDiscoveryRequest`. It says what changed in the subscription, or
 * answers a response, or both at once; which it is follows from nonce and error.
 */
import jspb from "google-protobuf";
import { writeErrorDetail } from "./discovery-request.ts";

export interface DeltaRequest {
  readonly typeUrl: string;
  /** A serialised `envoy.config.core.v3.Node`, or `undefined` to leave it out. */
  readonly node: Uint8Array | undefined;
  readonly subscribe: readonly string[];
  readonly unsubscribe: readonly string[];
  /** Name to version of what is held; in the first request of a type on a stream alone. */
  readonly initialVersions: ReadonlyMap<string, string>;
  /** Of the response that this answers; empty if it answers none. */
  readonly nonce: string;
  /** Present in a NACK. */
  readonly error: string | undefined;
}

export function writeDeltaRequest(request: DeltaRequest): Uint8Array {
  const writer = new jspb.BinaryWriter();
  if (request.node) writer.writeBytes(1, request.node);
  writer.writeString(2, request.typeUrl);
  for (const name of request.subscribe) writer.writeString(3, name);
  for (const name of request.unsubscribe) writer.writeString(4, name);
  for (const [name, version] of request.initialVersions)
    writer.writeBytes(5, writeEntry(name, version));
  if (request.nonce !== "") writer.writeString(6, request.nonce);
  if (request.error !== undefined) writer.writeBytes(7, writeErrorDetail(request.error));
  return writer.getResultBuffer();
}

function writeEntry(name: string, version: string): Uint8Array {
  const writer = new jspb.BinaryWriter();
  writer.writeString(1, name);
  writer.writeString(2, version);
  return writer.getResultBuffer();
}
