/** Of the keys that a value begins with the longest, then the shorter ones (Envoy: `PrefixMapMatcher`). */
import type { Evaluate, FindByValue } from "./evaluate.ts";

export function compilePrefixMap<D, A>(
  entries: readonly (readonly [prefix: string, evaluate: Evaluate<D, A>])[],
): FindByValue<D, A> {
  const byPrefix = new Map(entries);
  const lengths = [...new Set(entries.map(([prefix]) => prefix.length))].sort((a, b) => b - a);
  return (value, data) => {
    for (const length of lengths) {
      if (length > value.length) continue;
      const found = byPrefix.get(value.slice(0, length))?.(data);
      if (found !== undefined) return found;
    }
    return undefined;
  };
}
