import type { CidrRange as CidrMessage } from "../../../gen/es/envoy/config/core/v3/address_pb.d.ts";
import type {
  FilterChain,
  FilterChainMatch as MatchMessage,
} from "../../../gen/es/envoy/config/listener/v3/listener_components_pb.d.ts";
import type { CidrRange } from "../../shared/config/cidr-range.ts";
import type { FilterChainConfig, FilterChainMatch } from "../../shared/config/listener-config.ts";
import { durationMsOr } from "../proto/duration.ts";
import { decodeCidrRange } from "./addresses.ts";
import { hashOfValue } from "./canonical.ts";
import type { DecodeContext } from "./decode-context.ts";
import type { ListenerNeeds } from "./decoded-listener.ts";
import { type ChainContent, fixedPartOf, livePartOf } from "./live-fields.ts";
import { decodeNetworkFilters } from "./network-filters.ts";
import { decodeServerSocket } from "./transport-sockets.ts";

export function decodeFilterChain(
  message: FilterChain,
  needs: ListenerNeeds,
  context: DecodeContext,
): FilterChainConfig {
  return withHashes(decodeContent(message, needs, context));
}

/** It has no criteria, as another chain may have none: it is never the same one. */
export function decodeDefaultFilterChain(
  message: FilterChain,
  needs: ListenerNeeds,
  context: DecodeContext,
): FilterChainConfig {
  return withHashes(decodeContent(message, needs, context), "default-");
}

function decodeContent(
  message: FilterChain,
  needs: ListenerNeeds,
  context: DecodeContext,
): ChainContent {
  const filters = decodeNetworkFilters(message.filters, needs, context);
  const tls = decodeServerSocket(message.transportSocket, context);
  if (tls) needs.dependencies.push({ kind: "tls", config: tls });
  return {
    name: message.name,
    match: decodeFilterChainMatch(message.filterChainMatch, context),
    filters,
    transportSocket: tls ? { kind: "tls", contextId: tls.id } : { kind: "rawBuffer" },
    transportSocketConnectTimeoutMs: durationMsOr(message.transportSocketConnectTimeout, 0),
  };
}

/** Hashed when somebody asks: of ten thousand listeners few ever are. A clone has them as plain data. */
function withHashes(chain: ChainContent, prefix = ""): FilterChainConfig {
  let id: string | undefined;
  let revision: string | undefined;
  return {
    ...chain,
    get id() {
      return (id ??= prefix + hashOfValue(fixedPartOf(chain)));
    },
    get revision() {
      return (revision ??= hashOfValue(livePartOf(chain)));
    },
  };
}

const matchesAll: FilterChainMatch = {
  destinationPort: undefined,
  prefixRanges: [],
  serverNames: [],
  transportProtocol: "",
  applicationProtocols: [],
  directSourcePrefixRanges: [],
  sourceType: "any",
  sourcePrefixRanges: [],
  sourcePorts: [],
};

/** By the numbers of `FilterChainMatch.ConnectionSourceType`. */
const sourceTypes = ["any", "sameIpOrLoopback", "external"] as const;

function decodeFilterChainMatch(
  message: MatchMessage | undefined,
  context: DecodeContext,
): FilterChainMatch {
  if (!message) return matchesAll;
  if (message.addressSuffix !== "" || message.suffixLen !== undefined)
    context.refuse("filter chain match contains unimplemented fields: address_suffix, suffix_len");
  return {
    destinationPort: message.destinationPort,
    prefixRanges: decodeRanges(message.prefixRanges, context),
    serverNames: message.serverNames.map((name) => name.toLowerCase()).sort(),
    transportProtocol: message.transportProtocol,
    applicationProtocols: message.applicationProtocols.toSorted(),
    directSourcePrefixRanges: decodeRanges(message.directSourcePrefixRanges, context),
    sourceType: sourceTypes[message.sourceType] ?? "any",
    sourcePrefixRanges: decodeRanges(message.sourcePrefixRanges, context),
    sourcePorts: message.sourcePorts.toSorted((a, b) => a - b),
  };
}

/** Criteria are sets: in one order, so that the same chain has the same identity. */
function decodeRanges(
  ranges: readonly CidrMessage[],
  context: DecodeContext,
): readonly CidrRange[] {
  const key = ({ ip, prefixLength }: CidrRange): string => `${ip}/${prefixLength}`;
  const decoded = ranges.map((range) => decodeCidrRange(range, context));
  return decoded.sort((a, b) => (key(a) < key(b) ? -1 : 1));
}
