/**
 * The server's half of the discovery messages: reads requests, writes responses. Resources are bytes
 * here too, and go out as they came in.
 */
import jspb from "google-protobuf";
import { typeUrlOf } from "../control/proto/type-url.ts";

/** What both kinds of request say. */
export interface RequestHead {
  readonly nodeId: string;
  readonly nodeCluster: string;
  /** `Node.client_features`. */
  readonly features: readonly string[];
  readonly typeUrl: string;
  /** Of the response that this answers; empty if it answers none. */
  readonly nonce: string;
  /** The message of `error_detail`: a NACK. */
  readonly error: string | undefined;
}

export interface ReadRequest extends RequestHead {
  readonly version: string;
  readonly names: readonly string[];
}

export interface ServedResource {
  readonly name: string;
  readonly typeUrl: string;
  readonly bytes: Uint8Array;
  /** A client drops it if it has not heard of it for so long; absent: it stays. */
  readonly ttlMs?: number;
  /** Other names that it may be asked by, in delta. */
  readonly aliases?: readonly string[];
}

/** A resource as it goes out. */
export interface WrittenResource {
  readonly name: string;
  readonly typeUrl: string;
  /** `undefined` says that there is none: a sign of life, or a name that is not known. */
  readonly bytes: Uint8Array | undefined;
  readonly version: string;
  readonly ttlMs?: number | undefined;
  readonly aliases?: readonly string[] | undefined;
}

export interface WrittenResponse {
  readonly version: string;
  readonly typeUrl: string;
  readonly nonce: string;
  readonly resources: readonly Pick<ServedResource, "typeUrl" | "bytes">[];
}

/** `control_plane.identifier` of every response. */
export const identifier = "sluice xds-server";

const wrapperType = typeUrlOf("envoy.service.discovery.v3.Resource");

/** Throws on bytes that are no message; the caller ends that stream. */
export function readDiscoveryRequest(bytes: Uint8Array): ReadRequest {
  const request = { version: "", ...noNode, typeUrl: "", nonce: "" };
  const names: string[] = [];
  let error: string | undefined;
  eachField(new jspb.BinaryReader(bytes), (field, reader) => {
    if (field === 1) request.version = reader.readString();
    else if (field === 2) Object.assign(request, readNode(reader));
    else if (field === 3) names.push(reader.readString());
    else if (field === 4) request.typeUrl = reader.readString();
    else if (field === 5) request.nonce = reader.readString();
    else if (field === 6) error = readInner(reader, 2);
    else reader.skipField();
  });
  return { ...request, names, error };
}

export function writeDiscoveryResponse(response: WrittenResponse): Buffer {
  const writer = new jspb.BinaryWriter();
  writer.writeString(1, response.version);
  for (const { typeUrl, bytes } of response.resources)
    writer.writeBytes(2, writeAny(typeUrl, bytes));
  writer.writeString(4, response.typeUrl);
  writer.writeString(5, response.nonce);
  const controlPlane = new jspb.BinaryWriter();
  controlPlane.writeString(1, identifier);
  writer.writeBytes(6, controlPlane.getResultBuffer());
  return Buffer.from(writer.getResultBuffer());
}

export function writeAny(typeUrl: string, bytes: Uint8Array): Uint8Array {
  const writer = new jspb.BinaryWriter();
  writer.writeString(1, typeUrl);
  writer.writeBytes(2, bytes);
  return writer.getResultBuffer();
}

/** A `Resource`: the only form with room for a TTL, for aliases, and for the absence of what it names. */
export function writeResource(resource: WrittenResource): Uint8Array {
  const { name, version, typeUrl, bytes, ttlMs, aliases = [] } = resource;
  const writer = new jspb.BinaryWriter();
  writer.writeString(1, version);
  if (bytes) writer.writeBytes(2, writeAny(typeUrl, bytes));
  writer.writeString(3, name);
  for (const alias of aliases) writer.writeString(4, alias);
  if (ttlMs !== undefined) writer.writeBytes(6, writeDuration(ttlMs));
  return writer.getResultBuffer();
}

/** In state of the world a TTL needs the wrapper, which only some clients read. */
export function wrapped(resource: WrittenResource): Pick<ServedResource, "typeUrl" | "bytes"> {
  return { typeUrl: wrapperType, bytes: writeResource(resource) };
}

const noNode = { nodeId: "", nodeCluster: "", features: [] as readonly string[] };

export function readNode(reader: jspb.BinaryReader): typeof noNode {
  const node = { nodeId: "", nodeCluster: "" };
  const features: string[] = [];
  reader.readMessage(node, (_, inner: jspb.BinaryReader) =>
    eachField(inner, (field) => {
      if (field === 1) node.nodeId = inner.readString();
      else if (field === 2) node.nodeCluster = inner.readString();
      else if (field === 10) features.push(inner.readString());
      else inner.skipField();
    }),
  );
  return { ...node, features };
}

/** One string field of a message field. */
export function readInner(reader: jspb.BinaryReader, wanted: number): string {
  const found = { text: "" };
  reader.readMessage(found, (_, inner: jspb.BinaryReader) =>
    eachField(inner, (field) => {
      if (field === wanted) found.text = inner.readString();
      else inner.skipField();
    }),
  );
  return found.text;
}

export function eachField(
  reader: jspb.BinaryReader,
  visit: (field: number, reader: jspb.BinaryReader) => void,
): void {
  while (reader.nextField() && !reader.isEndGroup()) visit(reader.getFieldNumber(), reader);
}

function writeDuration(ms: number): Uint8Array {
  const writer = new jspb.BinaryWriter();
  const seconds = Math.floor(ms / 1000);
  writer.writeInt64(1, seconds);
  writer.writeInt32(2, Math.round((ms - seconds * 1000) * 1e6));
  return writer.getResultBuffer();
}
