/**
 * The scope key of a request (Envoy: `ScopeKeyBuilderImpl`). A fragment that cannot be made makes no key at all. Of a
 * header that comes twice the first counts: its value is the client's to choose anyway.
 */
import {
  type FragmentBuilder,
  fragmentText,
  type ScopedRoutesConfig,
} from "../../../shared/config/scoped-routes.ts";
import { findHeader, HeaderName, headerText } from "../http1/header-table.ts";
import type { MatchedHead } from "./compiled-matchers.ts";

/** As `scopeKeyText` makes it of the scopes' own; undefined: the request is of no scope. */
export type ScopeKeyOf = (request: MatchedHead) => string | undefined;

export function compileScopeKey({ keyBuilder }: ScopedRoutesConfig): ScopeKeyOf {
  const fragments = keyBuilder.map(compileFragment);
  return (request) => {
    let key = "";
    for (const fragmentOf of fragments) {
      const fragment = fragmentOf(request);
      if (fragment === undefined) return undefined;
      key += fragmentText(fragment);
    }
    return key;
  };
}

function compileFragment(builder: FragmentBuilder): ScopeKeyOf {
  const name = new HeaderName(builder.header);
  // Envoy knows the Host field by both names.
  const pseudo = builder.header === "host" ? ":authority" : builder.header;
  const read = pseudo.startsWith(":")
    ? (request: MatchedHead) => request.pseudoHeader(pseudo)
    : ({ buffer }: MatchedHead) => {
        const index = findHeader(buffer, name);
        return index < 0 ? undefined : headerText(buffer, index);
      };
  return (request) => {
    const value = read(request);
    return value === undefined ? undefined : extractFragment(value, builder);
  };
}

/** The fragment that a header's value holds. */
export function extractFragment(value: string, builder: FragmentBuilder): string | undefined {
  const { elementSeparator, extract } = builder;
  if (elementSeparator === "") {
    if (extract.kind === "element") return elementValue(value, extract);
    return extract.index === 0 ? value : undefined;
  }
  let start = 0;
  for (let index = 0; start >= 0; index++) {
    const separator = value.indexOf(elementSeparator, start);
    const end = separator < 0 ? value.length : separator;
    const found =
      extract.kind === "index"
        ? index === extract.index && value.slice(start, end)
        : elementValue(value.slice(start, end), extract);
    if (typeof found === "string") return found;
    start = separator < 0 ? -1 : separator + elementSeparator.length;
  }
  return undefined;
}

/** An element without the separator is a key whose value is empty. */
function elementValue(
  element: string,
  { key, separator }: { readonly key: string; readonly separator: string },
): string | undefined {
  const at = element.indexOf(separator);
  if ((at < 0 ? element : element.slice(0, at)) !== key) return undefined;
  return at < 0 ? "" : element.slice(at + separator.length);
}
