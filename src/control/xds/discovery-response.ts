/**
 * Reads the envelope of `envoy.service.discovery.v3.DiscoveryResponse` and leaves each resource as
 * bytes: of 10,000 resources sent again, those that did not change are never decoded, nor copied.
 *
 * What one would get wrong: payloads are views into the message. Whoever keeps one beyond the response
 * has to copy it, or the whole message stays in memory with it.
 */
import jspb from "google-protobuf";
import { messageOf } from "../../shared/common/errors.ts";

export interface DiscoveryResponse {
  readonly version: string;
  readonly typeUrl: string;
  readonly nonce: string;
  /** `control_plane.identifier`; empty if not sent. */
  readonly serverIdentifier: string;
  readonly resources: readonly ReceivedResource[];
}

/** One `Any` of a response, out of its `Resource` wrapper if it came in one. */
export interface ReceivedResource {
  /** `undefined` if the bytes are broken before a name is found; empty if there is none. */
  readonly name: string | undefined;
  /** From the wrapper, else the response's. */
  readonly version: string;
  readonly typeUrl: string;
  /** A view: see above. */
  readonly bytes: Uint8Array;
}

type Read<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: string };

interface AnyMessage {
  typeUrl: string;
  value: Uint8Array;
}

const wrapperTypeUrl = "type.googleapis.com/envoy.service.discovery.v3.Resource";
const utf8 = new TextDecoder();
const empty = new Uint8Array(0);

/** Never throws: what cannot be read is an error value, and the stream it came on is lost. */
export function readDiscoveryResponse(bytes: Uint8Array): Read<DiscoveryResponse> {
  return guarded(() => {
    const anys: AnyMessage[] = [];
    let last: TypeUrl | undefined;
    const response = { version: "", typeUrl: "", nonce: "", serverIdentifier: "" };
    eachField(new jspb.BinaryReader(bytes), (field, reader) => {
      if (field === 1) response.version = reader.readString();
      else if (field === 2) {
        const any = readView(reader, bytes);
        const value = last && valueOfPlainAny(any, last);
        anys.push(last && value ? { typeUrl: last.text, value } : readAny(any));
        last ??= typeUrlOf(any);
      } else if (field === 4) response.typeUrl = reader.readString();
      else if (field === 5) response.nonce = reader.readString();
      else if (field === 6) response.serverIdentifier = readIdentifier(reader);
      else reader.skipField();
    });
    return { ...response, resources: anys.map((any) => unwrapped(any, response.version)) };
  });
}

/**
 * The name of a resource, without reading the rest. In every type that xDS carries it is the first
 * field: `name`, in a ClusterLoadAssignment `cluster_name`. `undefined` if the bytes are broken.
 */
export function peekName(bytes: Uint8Array): string | undefined {
  return shortFirstString(bytes) ?? readName(bytes);
}

/** As all serialisers write it: tag 10, a length of one byte, the text. */
function shortFirstString(bytes: Uint8Array): string | undefined {
  const length = bytes[1] ?? 0;
  const isShort = bytes[0] === 10 && length > 0 && length < 0x80 && bytes.length >= 2 + length;
  return isShort ? utf8.decode(bytes.subarray(2, 2 + length)) : undefined;
}

function readName(bytes: Uint8Array): string | undefined {
  const read = guarded(() => {
    let name = "";
    const reader = new jspb.BinaryReader(bytes);
    // Serialisers write fields in order: the name comes first, and then there is no need to go on.
    while (name === "" && nextField(reader)) {
      if (reader.getFieldNumber() === 1) name = reader.readString();
      else reader.skipField();
    }
    return name;
  });
  return read.ok ? read.value : undefined;
}

function unwrapped(any: AnyMessage, version: string): ReceivedResource {
  if (any.typeUrl !== wrapperTypeUrl)
    return { name: peekName(any.value), version, typeUrl: any.typeUrl, bytes: any.value };
  const read = guarded(() => readWrapper(any.value));
  if (!read.ok) return { name: undefined, version, typeUrl: any.typeUrl, bytes: any.value };
  const { resource, name } = read.value;
  return {
    name: name === "" ? peekName(resource.value) : name,
    version: read.value.version === "" ? version : read.value.version,
    typeUrl: resource.typeUrl,
    bytes: resource.value,
  };
}

function readWrapper(bytes: Uint8Array): { name: string; version: string; resource: AnyMessage } {
  const wrapper = { name: "", version: "", resource: { typeUrl: "", value: empty } as AnyMessage };
  eachField(new jspb.BinaryReader(bytes), (field, reader) => {
    if (field === 1) wrapper.version = reader.readString();
    else if (field === 2) wrapper.resource = readAny(readView(reader, bytes));
    else if (field === 3) wrapper.name = reader.readString();
    else reader.skipField();
  });
  return wrapper;
}

function readAny(bytes: Uint8Array): AnyMessage {
  const any: AnyMessage = { typeUrl: "", value: empty };
  eachField(new jspb.BinaryReader(bytes), (field, reader) => {
    if (field === 1) any.typeUrl = reader.readString();
    else if (field === 2) any.value = readView(reader, bytes);
    else reader.skipField();
  });
  return any;
}

/** A type URL that is known, with the field as it is written: tag, length, text. */
interface TypeUrl {
  readonly text: string;
  readonly field: Uint8Array;
}

/** Of an Any whose type URL is its first field, with a length of one byte; undefined of any other. */
function typeUrlOf(any: Uint8Array): TypeUrl | undefined {
  const length = any[1] ?? 0;
  const isPlain = any[0] === 10 && length > 0 && length < 0x80;
  if (!isPlain) return undefined;
  const field = any.subarray(0, 2 + length);
  return { text: utf8.decode(field.subarray(2)), field };
}

/**
 * All resources of a response have one type, and all serialisers write an Any alike: the type URL, then the
 * value, then nothing. Ten thousand of those need no reader; undefined: it is written otherwise.
 */
function valueOfPlainAny(any: Uint8Array, { field }: TypeUrl): Uint8Array | undefined {
  const valueAt = field.length;
  if (any[valueAt] !== 18 || Buffer.compare(any.subarray(0, valueAt), field) !== 0)
    return undefined;
  let at = valueAt + 1;
  let length = 0;
  for (let shift = 0; shift <= 21; shift += 7) {
    const byte = any[at++] ?? 0x80;
    length |= (byte & 0x7f) << shift;
    if (byte < 0x80) return at + length === any.length ? any.subarray(at) : undefined;
  }
  return undefined;
}

/** What `readBytes` reads, without its copy. `message` is what the reader was made of. */
function readView(reader: jspb.BinaryReader, message: Uint8Array): Uint8Array {
  const lengthAt = reader.getCursor();
  reader.skipField();
  let start = lengthAt;
  while ((message[start] ?? 0) >= 0x80) start++;
  return message.subarray(start + 1, reader.getCursor());
}

function readIdentifier(reader: jspb.BinaryReader): string {
  const controlPlane = { identifier: "" };
  reader.readMessage(controlPlane, (_, inner: jspb.BinaryReader) =>
    eachField(inner, (field) => {
      if (field === 1) controlPlane.identifier = inner.readString();
      else inner.skipField();
    }),
  );
  return controlPlane.identifier;
}

function eachField(
  reader: jspb.BinaryReader,
  visit: (field: number, reader: jspb.BinaryReader) => void,
): void {
  while (nextField(reader)) visit(reader.getFieldNumber(), reader);
}

function nextField(reader: jspb.BinaryReader): boolean {
  return reader.nextField() && !reader.isEndGroup();
}

function guarded<T>(read: () => T): Read<T> {
  try {
    return { ok: true, value: read() };
  } catch (thrown) {
    return { ok: false, error: messageOf(thrown) };
  }
}
