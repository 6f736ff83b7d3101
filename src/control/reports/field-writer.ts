/**
 * Writes fields as proto3 has them: what is empty, zero or absent is no field. Reports are written by hand, as
 * envelopes of discovery are: thousands a second must not cost main its time.
 */
import jspb from "google-protobuf";
import type { SocketAddress } from "../../shared/common/address.ts";

export type Writer = jspb.BinaryWriter;

export function messageBytes(write: (writer: Writer) => void): Uint8Array {
  const writer = new jspb.BinaryWriter();
  write(writer);
  return writer.getResultBuffer();
}

export function writeText(writer: Writer, field: number, text: string | undefined): void {
  if (text !== undefined && text !== "") writer.writeString(field, text);
}

/** A `uint64` or `uint32`. */
export function writeCount(writer: Writer, field: number, count: number): void {
  if (count > 0) writer.writeUint64(field, count);
}

export function writeEnum(writer: Writer, field: number, value: number): void {
  if (value !== 0) writer.writeEnum(field, value);
}

/** A message, also where it comes out empty. */
export function writeMessage(writer: Writer, field: number, write: (writer: Writer) => void): void {
  writer.writeMessage(field, write, (content, inner) => content(inner));
}

export function writeTextMap(
  writer: Writer,
  field: number,
  entries: readonly (readonly [string, string])[],
): void {
  for (const [key, value] of entries)
    writeMessage(writer, field, (entry) => {
      entry.writeString(1, key);
      entry.writeString(2, value);
    });
}

/** Milliseconds as `google.protobuf.Duration`, or as `Timestamp` where they count from 1970. */
export function writeMs(writer: Writer, field: number, ms: number | undefined): void {
  if (ms === undefined) return;
  const seconds = Math.floor(ms / 1000);
  const nanos = Math.floor((ms - seconds * 1000) * 1e6);
  writeMessage(writer, field, (inner) => {
    if (seconds !== 0) inner.writeInt64(1, seconds);
    if (nanos !== 0) inner.writeInt32(2, nanos);
  });
}

/** `envoy.config.core.v3.Address`. */
export function writeAddress(
  writer: Writer,
  field: number,
  address: SocketAddress | undefined,
): void {
  if (!address) return;
  writeMessage(writer, field, (inner) => {
    if (address.kind === "pipe") writeMessage(inner, 2, (pipe) => writePipe(pipe, address));
    else writeMessage(inner, 1, (socket) => writeSocketAddress(socket, address));
  });
}

function writeSocketAddress(
  writer: Writer,
  { ip, port }: Extract<SocketAddress, { kind: "ip" }>,
): void {
  writer.writeString(2, ip);
  // Of a oneof: 0 is said too.
  writer.writeUint32(3, port);
}

function writePipe(writer: Writer, pipe: Extract<SocketAddress, { kind: "pipe" }>): void {
  writer.writeString(1, pipe.path);
  writeCount(writer, 2, pipe.mode);
}
