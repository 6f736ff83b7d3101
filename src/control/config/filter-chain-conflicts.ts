/**
 * Two filter chains must never match the same connection by the same criteria: then which one serves
 * would be chance. Envoy refuses exact duplicates, and chains that share a path through its match tree
 * (`FilterChainManagerImpl::addFilterChains`); the texts are its own.
 */
import type { CidrRange } from "../../shared/config/cidr-range.ts";
import type { FilterChainConfig, FilterChainMatch } from "../../shared/config/listener-config.ts";

/** Reasons without their prefix `error adding listener '…': `. */
export function filterChainConflicts(chains: readonly FilterChainConfig[]): readonly string[] {
  const errors: string[] = [];
  const chainOf = new Map<string, FilterChainConfig>();
  const taken = new Set<string>();
  for (const chain of chains) {
    errors.push(...partialWildcards(chain));
    const matcher = printMatch(chain.match);
    const same = chainOf.get(matcher);
    if (same) {
      errors.push(
        `filter chain '${chain.name}' has the same matching rules defined as '${same.name}'. duplicate matcher is: ${matcher}`,
      );
      continue;
    }
    chainOf.set(matcher, chain);
    const criteria = criteriaOf(chain.match);
    // Most listeners have one chain, and what it matches is then of no interest.
    const paths = chains.length < 2 ? [] : pathsThroughTree(criteria);
    if (criteria.some(hasRepeated) || paths.some((path) => taken.has(path)))
      errors.push("multiple filter chains with overlapping matching rules are defined");
    for (const path of paths) taken.add(path);
  }
  return errors;
}

function partialWildcards({ match }: FilterChainConfig): readonly string[] {
  const isPartial = (name: string): boolean => name.replace(/^\*\./, "").includes("*");
  return match.serverNames.some(isPartial)
    ? ['partial wildcards are not supported in "server_names"']
    : [];
}

type Criterion = readonly (string | number)[];

/** By criterion, the values that it is met by; none: by all. */
function criteriaOf(match: FilterChainMatch): readonly Criterion[] {
  return [
    match.destinationPort === undefined ? [] : [match.destinationPort],
    match.prefixRanges.map(printRange),
    match.serverNames,
    [match.transportProtocol],
    match.applicationProtocols,
    match.directSourcePrefixRanges.map(printRange),
    [match.sourceType],
    match.sourcePrefixRanges.map(printRange),
    match.sourcePorts,
  ];
}

/** A chain that names a value twice is in its own way: Envoy refuses it with the same words. */
function hasRepeated(values: Criterion): boolean {
  return new Set(values).size < values.length;
}

/** Every combination of one value a criterion; a criterion that is absent has one value of its own. */
function pathsThroughTree(criteria: readonly Criterion[]): readonly string[] {
  let paths = [""];
  for (const values of criteria) {
    const choices = values.length === 0 ? ["*"] : [...new Set(values)];
    paths = paths.flatMap((path) => choices.map((choice) => `${path}|${choice}`));
  }
  return paths;
}

const printRange = ({ ip, prefixLength }: CidrRange): string => `${ip}/${prefixLength}`;

/** The criteria that are set, as JSON by their proto names. */
function printMatch(match: FilterChainMatch): string {
  const list = <T>(values: readonly T[]): readonly T[] | undefined =>
    values.length === 0 ? undefined : values;
  return JSON.stringify({
    destination_port: match.destinationPort,
    prefix_ranges: list(match.prefixRanges.map(printRange)),
    server_names: list(match.serverNames),
    transport_protocol: match.transportProtocol === "" ? undefined : match.transportProtocol,
    application_protocols: list(match.applicationProtocols),
    direct_source_prefix_ranges: list(match.directSourcePrefixRanges.map(printRange)),
    source_type: match.sourceType === "any" ? undefined : match.sourceType,
    source_prefix_ranges: list(match.sourcePrefixRanges.map(printRange)),
    source_ports: list(match.sourcePorts),
  });
}
