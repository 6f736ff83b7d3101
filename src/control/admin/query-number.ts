/** Numbers of a query. */

/** NaN where it is none: `Number` alone takes an empty text for 0. */
export function numberOf(text: string): number {
  return text.trim() === "" ? Number.NaN : Number(text);
}
