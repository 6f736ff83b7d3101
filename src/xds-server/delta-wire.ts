/** The server's half of the incremental discovery messages: reads requests, writes responses. */
import jspb from "google-protobuf";
import {
  eachField,
  identifier,
  readInner,
  readNode,
  type RequestHead,
  type WrittenResource,
  writeResource,
} from "./discovery-wire.ts";

export interface ReadDeltaRequest extends RequestHead {
  readonly subscribe: readonly string[];
  readonly unsubscribe: readonly string[];
  /** Name to version of what the client holds already. */
  readonly initialVersions: ReadonlyMap<string, string>;
}

export interface WrittenDeltaResponse {
  readonly version: string;
  readonly typeUrl: string;
  readonly nonce: string;
  readonly resources: readonly WrittenResource[];
  readonly removedNames: readonly string[];
}

/** Throws on bytes that are no message; the caller ends that stream. */
export function readDeltaRequest(bytes: Uint8Array): ReadDeltaRequest {
  const request = { nodeId: "", nodeCluster: "", features: [], typeUrl: "", nonce: "" };
  const subscribe: string[] = [];
  const unsubscribe: string[] = [];
  const initialVersions = new Map<string, string>();
  let error: string | undefined;
  eachField(new jspb.BinaryReader(bytes), (field, reader) => {
    if (field === 1) Object.assign(request, readNode(reader));
    else if (field === 2) request.typeUrl = reader.readString();
    else if (field === 3) subscribe.push(reader.readString());
    else if (field === 4) unsubscribe.push(reader.readString());
    else if (field === 5) readEntry(reader.readBytes(), initialVersions);
    else if (field === 6) request.nonce = reader.readString();
    else if (field === 7) error = readInner(reader, 2);
    else reader.skipField();
  });
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

function readEntry(bytes: Uint8Array, into: Map<string, string>): void {
  const entry = { name: "", version: "" };
  eachField(new jspb.BinaryReader(bytes), (field, reader) => {
    if (field === 1) entry.name = reader.readString();
    else if (field === 2) entry.version = reader.readString();
    else reader.skipField();
  });
  into.set(entry.name, entry.version);
}
