/**
 * Field by field over protobuf bytes, for the few messages that are read without a registry: envelopes of
 * discovery, whose payloads stay bytes.
 */
import jspb from "google-protobuf";
import { messageOf } from "../../shared/common/errors.ts";

export type Read<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: string };

/** proto3 strings are UTF-8, and a name that is not would not survive being sent back. */
const utf8 = new TextDecoder("utf-8", { fatal: true });

export function eachField(
  reader: jspb.BinaryReader,
  visit: (field: number, reader: jspb.BinaryReader) => void,
): void {
  while (nextField(reader)) visit(reader.getFieldNumber(), reader);
}

export function nextField(reader: jspb.BinaryReader): boolean {
  return reader.nextField() && !reader.isEndGroup();
}

export function eachFieldOf(
  bytes: Uint8Array,
  visit: (field: number, reader: jspb.BinaryReader) => void,
): void {
  eachField(new jspb.BinaryReader(bytes), visit);
}

/** What `readBytes` reads, without its copy. `message` is what the reader was made of. */
export function readView(reader: jspb.BinaryReader, message: Uint8Array): Uint8Array {
  const lengthAt = reader.getCursor();
  reader.skipField();
  let start = lengthAt;
  while ((message[start] ?? 0) >= 0x80) start++;
  return message.subarray(start + 1, reader.getCursor());
}

/** A string field; throws on bytes that are not UTF-8. */
export function readText(reader: jspb.BinaryReader, message: Uint8Array): string {
  return decodeText(readView(reader, message));
}

export function decodeText(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch {
    throw new Error("a string is not valid UTF-8");
  }
}

/** The reader throws on anything senseless; here that becomes a value. */
export function guarded<T>(read: () => T): Read<T> {
  try {
    return { ok: true, value: read() };
  } catch (thrown) {
    return { ok: false, error: messageOf(thrown) };
  }
}
