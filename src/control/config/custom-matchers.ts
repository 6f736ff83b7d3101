/** Matchers of many values at once: `xds.type.matcher.v3.IPMatcher` and `ServerNameMatcher`. */
import type { ServerNameMatcher } from "../../../gen/es/xds/type/matcher/v3/domain_pb.d.ts";
import type { IPMatcher } from "../../../gen/es/xds/type/matcher/v3/ip_pb.d.ts";
import type { MatchBranch, OnMatch } from "../../shared/config/match-tree.ts";
import type { Matcher_OnMatch as OnMatchMessage } from "../../../gen/es/xds/type/matcher/v3/matcher_pb.d.ts";
import { decodeCidrRange } from "./addresses.ts";
import type { DecodeContext } from "./decode-context.ts";
import { type ExtensionRequest, findExtension } from "./extensions.ts";

/** Of the tree that it stands in. */
export interface OnMatchDecoder<I, A> {
  readonly context: DecodeContext;
  onMatch(message: OnMatchMessage): OnMatch<I, A> | undefined;
}

type CustomBranch<I, A> = Extract<MatchBranch<I, A>, { kind: "ipRanges" | "serverNames" }>;
type WithoutInput<T> = T extends unknown ? Omit<T, "input"> : never;

/** Undefined: it is refused. */
export function decodeCustomMatcher<I, A>(
  request: ExtensionRequest,
  decoder: OnMatchDecoder<I, A>,
): WithoutInput<CustomBranch<I, A>> | undefined {
  const { context } = decoder;
  const found = findExtension("custom matcher", request, context);
  if (!found) return undefined;
  if (found.extension.kind === "ipRanges") {
    const schema = context.protos.schema<IPMatcher>("xds.type.matcher.v3.IPMatcher");
    const message = context.read(found.config, schema);
    return message && { kind: "ipRanges", ranges: ipRanges(message, decoder) };
  }
  const schema = context.protos.schema<ServerNameMatcher>("xds.type.matcher.v3.ServerNameMatcher");
  const message = context.read(found.config, schema);
  return message && { kind: "serverNames", entries: serverNames(message, decoder) };
}

type IpRanges<I, A> = Extract<MatchBranch<I, A>, { kind: "ipRanges" }>["ranges"];

function ipRanges<I, A>(
  { rangeMatchers }: IPMatcher,
  decoder: OnMatchDecoder<I, A>,
): IpRanges<I, A> {
  const { context } = decoder;
  return rangeMatchers.flatMap(({ ranges, exclusive, onMatch: message }) => {
    const onMatch = required("IPMatcher.IPRangeMatcher", message, decoder);
    const decoded = ranges.map((range) => decodeCidrRange(range, context));
    return onMatch ? [{ ranges: decoded, isExclusive: exclusive, onMatch }] : [];
  });
}

type ServerNames<I, A> = Extract<MatchBranch<I, A>, { kind: "serverNames" }>["entries"];

function serverNames<I, A>(
  { domainMatchers }: ServerNameMatcher,
  decoder: OnMatchDecoder<I, A>,
): ServerNames<I, A> {
  const seen = new Set<string>();
  return domainMatchers.flatMap(({ domains, onMatch: message }) => {
    const onMatch = required("ServerNameMatcher.DomainMatcher", message, decoder);
    for (const domain of domains) {
      const error = seen.has(domain)
        ? `Duplicate domain in ServerNameMatcher: ${domain}`
        : wrongDomain(domain);
      if (error !== undefined) decoder.context.refuse(error);
      seen.add(domain);
    }
    return onMatch ? domains.map((domain) => [domain, onMatch] as const) : [];
  });
}

function wrongDomain(domain: string): string | undefined {
  if (domain === "") return "Empty domain in ServerNameMatcher";
  if (domain === "*" || !domain.includes("*")) return undefined;
  const invalid = `Invalid wildcard domain format: ${domain}.`;
  if (!domain.startsWith("*.") || domain.length < 3)
    return `${invalid} Only '*' and '*.domain' patterns are supported`;
  return domain.includes("*", 1) ? `${invalid} Multiple wildcards are not supported` : undefined;
}

/** Envoy 1.40 dies where it is missing. */
function required<I, A>(
  where: string,
  message: OnMatchMessage | undefined,
  decoder: OnMatchDecoder<I, A>,
): OnMatch<I, A> | undefined {
  if (message) return decoder.onMatch(message);
  decoder.context.refuse(`xds.type.matcher.v3.${where}.on_match: is required`);
  return undefined;
}
