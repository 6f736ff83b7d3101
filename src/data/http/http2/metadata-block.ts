/** The payload of METADATA: a header block without references to what came before, since no table lasts. */
import type { Metadata } from "../../../shared/http-filter/http-filter.ts";
import { form, writeInteger, writeText } from "./hpack-forms.ts";

/** The length of a string takes no more (RFC 7541 §5.1). */
const lengthBytesMax = 6;

export function metadataBlock(metadata: Metadata): Uint8Array {
  let room = 0;
  for (const [name, value] of metadata) room += name.length + value.length + 2 * lengthBytesMax;
  const bytes = new Uint8Array(room);
  let at = 0;
  for (const [name, value] of metadata) {
    // A literal that is not indexed, with a literal name (§6.2.2).
    at = writeInteger(bytes, at, form.plain, 0);
    at = writeText(bytes, at, name);
    at = writeText(bytes, at, value);
  }
  return bytes.subarray(0, at);
}
