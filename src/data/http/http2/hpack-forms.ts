/** How fields, and the integers and strings in them, are written (RFC 7541 §5, §6). */

/** How a first byte begins, and what is left of it. */
interface Form {
  readonly first: number;
  readonly mask: number;
}

export const form = {
  indexed: { first: 0x80, mask: 0x7f },
  added: { first: 0x40, mask: 0x3f },
  plain: { first: 0x00, mask: 0x0f },
  never: { first: 0x10, mask: 0x0f },
  sizeUpdate: { first: 0x20, mask: 0x1f },
  string: { first: 0x00, mask: 0x7f },
  huffman: { first: 0x80, mask: 0x7f },
} as const satisfies Readonly<Record<string, Form>>;

/** §5.1: `value` behind the first bits, in what they leave of a byte, and on. Returns the position behind. */
export function writeInteger(
  bytes: Uint8Array,
  at: number,
  { first, mask }: Form,
  value: number,
): number {
  let to = at;
  if (value < mask) {
    bytes[to] = first | value;
    return to + 1;
  }
  bytes[to++] = first | mask;
  let rest = value - mask;
  for (; rest >= 0x80; rest >>>= 7) bytes[to++] = (rest & 0x7f) | 0x80;
  bytes[to] = rest;
  return to + 1;
}

/** §5.2: a string of Latin-1 as it is, without Huffman's code. */
export function writeText(bytes: Uint8Array, at: number, text: string): number {
  let to = writeInteger(bytes, at, form.string, text.length);
  for (let i = 0; i < text.length; i++) bytes[to++] = text.charCodeAt(i);
  return to;
}
