/** The payload of METADATA: a header block without references to what came before, since no table lasts. */
import type { Metadata } from "../../../shared/http-filter/http-filter.ts";

/** A literal that is not indexed, with a literal name (RFC 7541 §6.2.2). */
const newName = 0;
/** Its length takes no more (§5.1). */
const lengthBytesMax = 6;
const shortMax = 0x7f;

export function metadataBlock(metadata: Metadata): Uint8Array {
  let room = 0;
  for (const [name, value] of metadata) room += name.length + value.length + 2 * lengthBytesMax;
  const buffer = Buffer.allocUnsafe(room);
  let at = 0;
  for (const [name, value] of metadata) {
    buffer[at++] = newName;
    at = writeString(buffer, at, name);
    at = writeString(buffer, at, value);
  }
  return buffer.subarray(0, at);
}

/** As it is, without Huffman's code. */
function writeString(buffer: Buffer, start: number, text: string): number {
  let at = start;
  const { length } = text;
  if (length < shortMax) buffer[at++] = length;
  else {
    buffer[at++] = shortMax;
    let rest = length - shortMax;
    for (; rest >= 0x80; rest >>>= 7) buffer[at++] = (rest & 0x7f) | 0x80;
    buffer[at++] = rest;
  }
  return at + buffer.write(text, at, "latin1");
}
