/** The name itself, then its wildcards from the longest on: `*.b.test`, `*.test`, `*` (Envoy: `DomainTrieMatcher`). */
import type { Evaluate, FindByValue } from "./evaluate.ts";

export function compileServerNames<D, A>(
  entries: readonly (readonly [domain: string, evaluate: Evaluate<D, A>])[],
): FindByValue<D, A> {
  const byDomain = new Map(entries);
  return (name, data) => {
    let found = byDomain.get(name)?.(data);
    for (
      let dot = name.indexOf(".");
      dot >= 0 && found === undefined;
      dot = name.indexOf(".", dot + 1)
    )
      found = byDomain.get(`*${name.slice(dot)}`)?.(data);
    return found ?? byDomain.get("*")?.(data);
  };
}
