/** The server's half of the incremental discovery messages: reads requests, writes responses. */
import jspb from "google-protobuf";
import { identifier, readInner, type ServedResource, writeAny } from "./discovery-wire.ts";

export interface ReadDeltaRequest {
  readonly nodeId: string;
  readonly typeUrl: string;
  readonly subscribe: readonly string[];
  readonly unsubscribe: readonly string[];
  /** Name to version of what the client holds already. */
  readonly initialVersions: ReadonlyMap<string, string>;
  /** Of the response that this answers; empty if it answers none. */
  readonly nonce: string;
  /** The message of `error_detail`: a NACK. */
  readonly error: string | undefined;
}

export interface VersionedResource extends ServedResource {
  readonly version: string;
}

export interface WrittenDeltaResponse {
  readonly version: string;
  readonly typeUrl: string;
  readonly nonce: string;
  readonly resources: readonly VersionedResource[];
  readonly removedNames: readonly string[];
}

/** Throws on bytes that are no message; the caller ends that stream. */
export function readDeltaRequest(bytes: Uint8Array): ReadDeltaRequest {
  const request = { nodeId: "", typeUrl: "", nonce: "" };
  const subscribe: string[] = [];
  const unsubscribe: string[] = [];
  const initialVersions = new Map<string, string>();
  let error: string | undefined;
  const reader = new jspb.BinaryReader(bytes);
  while (reader.nextField() && !reader.isEndGroup()) {
    const field = reader.getFieldNumber();
    if (field === 1) request.nodeId = readInner(reader, 1);
    else if (field === 2) request.typeUrl = reader.readString();
    else if (field === 3) subscribe.push(reader.readString());
    else if (field === 4) unsubscribe.push(reader.readString());
    else if (field === 5) readEntry(reader.readBytes(), initialVersions);
    else if (field === 6) request.nonce = reader.readString();
    else if (field === 7) error = readInner(reader, 2);
    else reader.skipField();
  }
  return { ...request, subscribe, unsubscribe, initialVersions, error };
}

export function writeDeltaResponse(response: WrittenDeltaResponse): Buffer {
  const writer = new jspb.BinaryWriter();
  writer.writeString(1, response.version);
  for (const resource of response.resources) writer.writeBytes(2, writeResource(resource));
  writer.writeString(4, response.typeUrl);
  writer.writeString(5, response.nonce);
  for (const name of response.removedNames) writer.writeString(6, name);
  const controlPlane = new jspb.BinaryWriter();
  controlPlane.writeString(1, identifier);
  writer.writeBytes(7, controlPlane.getResultBuffer());
  return Buffer.from(writer.getResultBuffer());
}

function writeResource({ name, version, typeUrl, bytes }: VersionedResource): Uint8Array {
  const writer = new jspb.BinaryWriter();
  writer.writeString(1, version);
  writer.writeBytes(2, writeAny(typeUrl, bytes));
  writer.writeString(3, name);
  return writer.getResultBuffer();
}

function readEntry(bytes: Uint8Array, into: Map<string, string>): void {
  const reader = new jspb.BinaryReader(bytes);
  const entry = { name: "", version: "" };
  while (reader.nextField() && !reader.isEndGroup()) {
    if (reader.getFieldNumber() === 1) entry.name = reader.readString();
    else if (reader.getFieldNumber() === 2) entry.version = reader.readString();
    else reader.skipField();
  }
  into.set(entry.name, entry.version);
}
