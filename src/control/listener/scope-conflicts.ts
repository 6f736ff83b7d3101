/**
 * Which scopes of a push may not be: a key leads to one scope. What the push removes or replaces does not count, so keys
 * may change hands within it, and a scope may go and come back under another name.
 */
import type { DecodedScope } from "../config/decoded-scope.ts";

export interface ScopeConflict {
  readonly name: string;
  readonly message: string;
}

/** Envoy refuses the whole push for the first conflict; here the second scope of a key is refused, and that alone. */
export function scopeConflicts(
  held: Iterable<DecodedScope>,
  changed: readonly DecodedScope[],
  removed: readonly string[],
): readonly ScopeConflict[] {
  const touched = new Set([...removed, ...changed.map(({ name }) => name)]);
  const owners = new Map<string, string>();
  for (const { name, key } of held) if (!touched.has(name)) owners.set(key, name);
  return changed.flatMap(({ name, key }) => {
    const first = owners.get(key);
    if (first === undefined) owners.set(key, name);
    else
      return {
        name,
        message: `scope key conflict found, first scope is '${first}', second scope is '${name}'`,
      };
    return [];
  });
}
