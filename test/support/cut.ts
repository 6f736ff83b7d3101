/** Bytes in parts, as they may come from a peer: cut where the numbers say. */
export function cut<T extends Uint8Array>(
  bytes: T,
  cuts: readonly number[],
): readonly Uint8Array[] {
  const at = cuts.map((each) => each % (bytes.length + 1)).toSorted((a, b) => a - b);
  return [0, ...at].map((start, index) => bytes.subarray(start, at[index] ?? bytes.length));
}
