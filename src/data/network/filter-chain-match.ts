/**
 * Which filter chain serves a connection (Envoy: `FilterChainManagerImpl::findFilterChain`; docs:
 * api-v3/config/listener/v3/listener_components, FilterChainMatch).
 *
 * Criteria are looked at in a fixed order and each keeps only its most specific match. There is no way
 * back: a chain that matches everything is not found if a more specific prefix led elsewhere first.
 */
import type { SocketAddress } from "../../shared/common/address.ts";
import type { CidrRange } from "../../shared/config/cidr-range.ts";
import type { FilterChainConfig, FilterChainMatch } from "../../shared/config/listener-config.ts";
import type { ConnectSource } from "../../shared/io/reactor.ts";
import { type IpNumber, isLoopback, parseIp, prefixKey } from "./ip-prefix.ts";

/** What is known of a connection before its bytes are served; listener filters fill in the rest. */
export interface ConnectionFacts {
  readonly localAddress: SocketAddress;
  readonly remoteAddress: SocketAddress;
  /** The peer itself, where a listener filter learned another remote address. */
  readonly directRemoteAddress: SocketAddress;
  /** The local address, where a listener filter restored it. */
  readonly originalDestination: SocketAddress | undefined;
  /** Where upstream connections for it come from; undefined: as their cluster says. */
  readonly upstreamSource: ConnectSource | undefined;
  /** SNI in lower case, or empty. */
  readonly serverName: string;
  /** `raw_buffer` where no listener filter found another. */
  readonly transportProtocol: string;
  readonly applicationProtocols: readonly string[];
  /** Of the ClientHello, where the TLS inspector was asked for them. */
  readonly ja3?: string | undefined;
  readonly ja4?: string | undefined;
}

/** Finds the chain of a connection; undefined: none matches. */
export type FilterChainMatcher = (facts: ConnectionFacts) => FilterChainConfig | undefined;

/** Compiles the chains of one listener, once. Of chains that match alike the first is taken. */
export function compileFilterChainMatcher(
  chains: readonly FilterChainConfig[],
): FilterChainMatcher {
  const all = chains.map((chain) => ({ chain, match: chain.match }));
  return compileFrom(all, criteria);
}

/** A chain under one combination of its values. */
interface Candidate {
  readonly chain: FilterChainConfig;
  readonly match: FilterChainMatch;
}

interface Criterion {
  /** The values under which a chain is found; `any` alone where it does not ask. */
  readonly keysOf: (match: FilterChainMatch) => readonly string[];
  /** Given the keys that some chain has: the keys to look under for a connection, best first. */
  readonly lookup: (keys: readonly string[]) => (facts: ConnectionFacts) => readonly string[];
}

const any = "";
const anyOnly = [any] as const;
/** Of a prefix that is none: it must not become "any". */
const matchesNothing = "0/0/";

const criteria: readonly Criterion[] = [
  {
    keysOf: (match) => [match.destinationPort === undefined ? any : String(match.destinationPort)],
    lookup: () => (facts) => [portOf(facts.localAddress), any],
  },
  prefixCriterion(
    (match) => match.prefixRanges,
    (facts) => facts.localAddress,
  ),
  {
    // `*.example.com` is found under `.example.com`.
    keysOf: (match) =>
      orAny(match.serverNames.map((name) => name.replace(/^\*/, "").toLowerCase())),
    lookup: () => (facts) => [...serverNameKeys(facts.serverName), any],
  },
  {
    keysOf: (match) => [match.transportProtocol],
    lookup: () => (facts) => [facts.transportProtocol, any],
  },
  {
    keysOf: (match) => orAny(match.applicationProtocols),
    lookup: () => (facts) => [...facts.applicationProtocols, any],
  },
  prefixCriterion(
    (match) => match.directSourcePrefixRanges,
    (facts) => facts.directRemoteAddress,
  ),
  {
    keysOf: (match) => [match.sourceType === "any" ? any : match.sourceType],
    lookup: () => (facts) => [isLocalConnection(facts) ? "sameIpOrLoopback" : "external", any],
  },
  prefixCriterion(
    (match) => match.sourcePrefixRanges,
    (facts) => facts.remoteAddress,
  ),
  {
    keysOf: (match) => orAny(match.sourcePorts.map(String)),
    lookup: () => (facts) => [portOf(facts.remoteAddress), any],
  },
];

function compileFrom(
  candidates: readonly Candidate[],
  [criterion, ...rest]: readonly Criterion[],
): FilterChainMatcher {
  if (!criterion) {
    const chain = candidates[0]?.chain;
    return () => chain;
  }
  const groups = new Map<string, Candidate[]>();
  for (const candidate of candidates) {
    for (const key of criterion.keysOf(candidate.match)) {
      const group = groups.get(key);
      if (group) group.push(candidate);
      else groups.set(key, [candidate]);
    }
  }
  const branches = new Map(
    [...groups].map(([key, group]) => [key, compileFrom(group, rest)] as const),
  );
  const fallback = branches.get(any);
  // Most listeners leave most criteria open: those cost nothing.
  if (fallback && branches.size === 1) return fallback;
  const keysFor = criterion.lookup([...branches.keys()]);
  return (facts) => firstBranch(branches, keysFor(facts))?.(facts);
}

function firstBranch(
  branches: ReadonlyMap<string, FilterChainMatcher>,
  keys: readonly string[],
): FilterChainMatcher | undefined {
  for (const key of keys) {
    const branch = branches.get(key);
    if (branch) return branch;
  }
  return undefined;
}

/** Longest prefix first: one look-up a distinct length. */
function prefixCriterion(
  rangesOf: (match: FilterChainMatch) => readonly CidrRange[],
  addressOf: (facts: ConnectionFacts) => SocketAddress,
): Criterion {
  return {
    keysOf: (match) =>
      orAny(
        rangesOf(match).map(({ ip, prefixLength }) => {
          const address = parseIp(ip);
          return address ? prefixKey(address, prefixLength) : matchesNothing;
        }),
      ),
    lookup: (keys) => {
      const prefixes = keys.filter((key) => key !== any).map(splitPrefixKey);
      const lengthsOf = (family: 4 | 6): number[] =>
        [...new Set(prefixes.filter((p) => p.family === family).map((p) => p.length))].sort(
          (a, b) => b - a,
        );
      const lengths = { 4: lengthsOf(4), 6: lengthsOf(6) };
      return (facts) => {
        const address = ipOf(addressOf(facts));
        if (!address) return anyOnly;
        return [...lengths[address.family].map((length) => prefixKey(address, length)), any];
      };
    },
  };
}

function splitPrefixKey(key: string): { readonly family: number; readonly length: number } {
  const [family, length] = key.split("/");
  return { family: Number(family), length: Number(length) };
}

/** The name itself, then its suffixes from the first dot on: `.example.com`, `.com`. */
function serverNameKeys(serverName: string): string[] {
  const keys = serverName === "" ? [] : [serverName];
  let dot = serverName.indexOf(".", 1);
  while (dot >= 0 && dot < serverName.length - 1) {
    keys.push(serverName.slice(dot));
    dot = serverName.indexOf(".", dot + 1);
  }
  return keys;
}

/** Envoy: `Utility::isSameIpOrLoopback`; a pipe is always local. */
export function isLocalConnection(facts: ConnectionFacts): boolean {
  const remote = ipOf(facts.remoteAddress);
  if (!remote || isLoopback(remote)) return true;
  const local = ipOf(facts.localAddress);
  return local?.family === remote.family && local.bits === remote.bits;
}

function ipOf(address: SocketAddress): IpNumber | undefined {
  return address.kind === "ip" ? parseIp(address.ip) : undefined;
}

function portOf(address: SocketAddress): string {
  return address.kind === "ip" ? String(address.port) : any;
}

function orAny(keys: readonly string[]): readonly string[] {
  return keys.length === 0 ? anyOnly : keys;
}
