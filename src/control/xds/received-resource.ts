/**
 * One resource of a response, still bytes: an `Any`, or the wrapper `envoy.service.discovery.v3.Resource`
 * around one, which delta always has and the state of the world may have.
 *
 * What one would get wrong: payloads are views into the message. Whoever keeps one beyond the response
 * has to copy it, or the whole message stays in memory with it.
 */
import jspb from "google-protobuf";
import { canonicalName, isXdstpName } from "../proto/xdstp-name.ts";
import {
  decodeText,
  eachField,
  eachFieldOf,
  guarded,
  nextField,
  readText,
  readView,
} from "./wire.ts";

export interface ReceivedResource {
  /** In its canonical form. `undefined` if the bytes are broken before a name is found; empty if there is none. */
  readonly name: string | undefined;
  /** What it calls itself, where that is not its name. */
  readonly ownName?: string;
  /** From the wrapper, else the response's. */
  readonly version: string;
  readonly typeUrl: string;
  /** A view: see above. */
  readonly bytes: Uint8Array;
  /** Why the name is `undefined`. */
  readonly fault?: string;
  readonly wrapper?: ResourceWrapper;
}

/** What only the wrapper says. */
export interface ResourceWrapper {
  /** Other names it may have been asked for by. */
  readonly aliases: readonly string[];
  /** It is gone when so long has passed without another word of it; `undefined`: it stays. */
  readonly ttlMs: number | undefined;
  /** There is no resource inside: only the time to live begins anew. */
  readonly isHeartbeat: boolean;
  /** The name that the resource gives itself; `undefined` if it cannot be read. */
  readonly innerName: string | undefined;
}

export interface AnyMessage {
  typeUrl: string;
  value: Uint8Array;
}

const wrapperTypeUrl = "type.googleapis.com/envoy.service.discovery.v3.Resource";
const empty = new Uint8Array(0);

/** Never throws. */
export function receivedAny(any: AnyMessage, version: string): ReceivedResource {
  if (any.typeUrl === wrapperTypeUrl) return receivedWrapper(any.value, version);
  return { ...named(any.value), version, typeUrl: any.typeUrl, bytes: any.value };
}

/** Never throws: a wrapper that cannot be read is a resource without a name. */
export function receivedWrapper(bytes: Uint8Array, version: string): ReceivedResource {
  const read = guarded(() => readWrapper(bytes));
  if (!read.ok)
    return { name: undefined, version, typeUrl: wrapperTypeUrl, bytes, fault: read.error };
  const { resource, name, aliases, ttlMs } = read.value;
  const inner: Naming = resource ? named(resource.value) : { name: "" };
  return {
    ...(name === "" ? inner : namedBy(name, inner)),
    version: read.value.version === "" ? version : read.value.version,
    typeUrl: resource?.typeUrl ?? "",
    bytes: resource?.value ?? empty,
    wrapper: { aliases, ttlMs, isHeartbeat: !resource, innerName: inner.name },
  };
}

/**
 * The name of a resource, without reading the rest. In every type that xDS carries it is the first
 * field: `name`, in a ClusterLoadAssignment `cluster_name`. `undefined` if the bytes are broken.
 */
export function peekName(bytes: Uint8Array): string | undefined {
  return named(bytes).name;
}

export function readAny(bytes: Uint8Array): AnyMessage {
  const any: AnyMessage = { typeUrl: "", value: empty };
  eachFieldOf(bytes, (field, reader) => {
    if (field === 1) any.typeUrl = readText(reader, bytes);
    else if (field === 2) any.value = readView(reader, bytes);
    else reader.skipField();
  });
  return any;
}

type Naming = Pick<ReceivedResource, "name" | "ownName" | "fault">;

function named(bytes: Uint8Array): Naming {
  const read = guarded(() => shortFirstString(bytes) ?? readName(bytes));
  if (!read.ok) return { name: undefined, fault: read.error };
  if (!isXdstpName(read.value)) return { name: read.value };
  return { name: canonicalName(read.value), ownName: read.value };
}

/** The wrapper's name counts. A resource that nobody can read has no name of its own. */
function namedBy(wrapperName: string, inner: Naming): Naming {
  const name = canonicalName(wrapperName);
  const ownName = inner.ownName ?? inner.name ?? name;
  return ownName === name ? { name } : { name, ownName };
}

/** As all serialisers write it: tag 10, a length of one byte, the text. */
function shortFirstString(bytes: Uint8Array): string | undefined {
  const length = bytes[1] ?? 0;
  const isShort = bytes[0] === 10 && length > 0 && length < 0x80 && bytes.length >= 2 + length;
  return isShort ? decodeText(bytes.subarray(2, 2 + length)) : undefined;
}

function readName(bytes: Uint8Array): string {
  let name = "";
  const reader = new jspb.BinaryReader(bytes);
  // Serialisers write fields in order: the name comes first, and then there is no need to go on.
  while (name === "" && nextField(reader)) {
    if (reader.getFieldNumber() === 1) name = readText(reader, bytes);
    else reader.skipField();
  }
  return name;
}

interface WrapperFields {
  name: string;
  version: string;
  resource: AnyMessage | undefined;
  readonly aliases: string[];
  ttlMs: number | undefined;
}

function readWrapper(bytes: Uint8Array): WrapperFields {
  const fields: WrapperFields = {
    name: "",
    version: "",
    resource: undefined,
    aliases: [],
    ttlMs: undefined,
  };
  eachFieldOf(bytes, (field, reader) => {
    if (field === 1) fields.version = readText(reader, bytes);
    else if (field === 2) fields.resource = readAny(readView(reader, bytes));
    else if (field === 3) fields.name = readText(reader, bytes);
    else if (field === 4) fields.aliases.push(readText(reader, bytes));
    else if (field === 6) fields.ttlMs = readDurationMs(reader);
    else reader.skipField();
  });
  return fields;
}

function readDurationMs(reader: jspb.BinaryReader): number {
  const duration = { seconds: 0, nanos: 0 };
  reader.readMessage(duration, (_, inner: jspb.BinaryReader) =>
    eachField(inner, (field) => {
      if (field === 1) duration.seconds = inner.readInt64();
      else if (field === 2) duration.nanos = inner.readInt32();
      else inner.skipField();
    }),
  );
  return Math.max(0, duration.seconds * 1000 + Math.ceil(duration.nanos / 1e6));
}
