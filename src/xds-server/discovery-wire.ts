/**
 * The server's half of the discovery messages: reads requests, writes responses. Resources are bytes
 * here too, and go out as they came in.
 */
import jspb from "google-protobuf";

export interface ReadRequest {
  readonly version: string;
  readonly nodeId: string;
  readonly names: readonly string[];
  readonly typeUrl: string;
  readonly nonce: string;
  /** The message of `error_detail`: a NACK. */
  readonly error: string | undefined;
}

export interface ServedResource {
  readonly name: string;
  readonly typeUrl: string;
  readonly bytes: Uint8Array;
}

export interface WrittenResponse {
  readonly version: string;
  readonly typeUrl: string;
  readonly nonce: string;
  readonly resources: readonly Pick<ServedResource, "typeUrl" | "bytes">[];
}

/** `control_plane.identifier` of every response. */
export const identifier = "sluice xds-server";

/** Throws on bytes that are no message; the caller ends that stream. */
export function readDiscoveryRequest(bytes: Uint8Array): ReadRequest {
  const request = { version: "", nodeId: "", typeUrl: "", nonce: "" };
  const names: string[] = [];
  let error: string | undefined;
  eachField(new jspb.BinaryReader(bytes), (field, reader) => {
    if (field === 1) request.version = reader.readString();
    else if (field === 2) request.nodeId = readInner(reader, 1);
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

function eachField(
  reader: jspb.BinaryReader,
  visit: (field: number, reader: jspb.BinaryReader) => void,
): void {
  while (reader.nextField() && !reader.isEndGroup()) visit(reader.getFieldNumber(), reader);
}
