/**
 * Whether two byte strings consist of the same bytes. Two spellings of one protobuf message do, since another order of
 * fields and of map entries changes no length and no byte within them; messages that differ in anything else
 * hardly ever do.
 */
export function isPermutation(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  const counts = new Int32Array(256);
  for (const byte of a) counts[byte] = (counts[byte] ?? 0) + 1;
  for (const byte of b) {
    const left = (counts[byte] ?? 0) - 1;
    if (left < 0) return false;
    counts[byte] = left;
  }
  return true;
}
