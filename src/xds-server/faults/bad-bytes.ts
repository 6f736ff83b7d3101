/** Bytes that no client should fall over: of messages cut short, of lengths that lie, of nesting without end. */
import jspb from "google-protobuf";
import type { ServedType } from "../resource-types.ts";

const groupDepth = 100_000;
/** A field that no message of Envoy's has, as the tag of a group's start: field 1000, wire type 3. */
const groupTag = Uint8Array.of(0xc3, 0x3e);

/** A tag of field 2 and the length of 1 GiB, without the bytes. */
export const hugeField = Uint8Array.of(0x12, 0x80, 0x80, 0x80, 0x80, 0x04);
/** A tag of field 2, the length of 100, without the bytes. */
export const brokenField = Uint8Array.of(0x12, 100);

/** A parser that follows groups it does not know by calling itself runs out of stack. */
export function nestedGroups(): Uint8Array {
  const bytes = new Uint8Array(groupDepth * groupTag.length);
  for (let at = 0; at < bytes.length; at += groupTag.length) bytes.set(groupTag, at);
  return bytes;
}

/** The field that names a resource of any type. */
export function nameField(name: string): Uint8Array {
  const writer = new jspb.BinaryWriter();
  writer.writeString(1, name);
  return writer.getResultBuffer();
}

/** A field that breaks a `(validate.rules)` of the type's message, to be joined to a good resource. */
export function invalidField({ shortName }: ServedType): Uint8Array {
  const writer = new jspb.BinaryWriter();
  if (shortName === "CDS") writer.writeBytes(4, durationOf(-1)); // connect_timeout: greater than 0
  else if (shortName === "LDS") writer.writeBytes(2, emptySocketAddress()); // address: one character
  else if (shortName === "RDS") writer.writeBytes(2, new Uint8Array()); // virtual_hosts: a name
  else if (shortName === "EDS") writer.writeBytes(4, noOverprovisioning()); // greater than 0
  else return emptyName;
  return writer.getResultBuffer();
}

/** `name: ""`, which is required everywhere. */
const emptyName = Uint8Array.of(0x0a, 0);

function durationOf(seconds: number): Uint8Array {
  const writer = new jspb.BinaryWriter();
  writer.writeInt64(1, seconds);
  return writer.getResultBuffer();
}

/** Address { socket_address { address: "" } }, written out though it is the default. */
function emptySocketAddress(): Uint8Array {
  return Uint8Array.of(0x0a, 2, 0x12, 0);
}

/** Policy { overprovisioning_factor { value: 0 } } */
function noOverprovisioning(): Uint8Array {
  return Uint8Array.of(0x1a, 2, 0x08, 0);
}

/** The text wherever it stands, its first byte made one that begins no character. */
export function withoutUtf8(message: Buffer, text: string): Buffer {
  const changed = Buffer.from(message);
  const wanted = Buffer.from(text);
  if (wanted.length === 0) return changed;
  for (let at = changed.indexOf(wanted); at >= 0; at = changed.indexOf(wanted, at + wanted.length))
    changed[at] = 0xff;
  return changed;
}
