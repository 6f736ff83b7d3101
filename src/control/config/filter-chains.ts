import type {
  FilterChain,
  FilterChainMatch as MatchMessage,
} from "../../../gen/es/envoy/config/listener/v3/listener_components_pb.d.ts";
import type { FilterChainConfig, FilterChainMatch } from "../../shared/config/listener-config.ts";
import { durationMsOr } from "../proto/duration.ts";
import { decodeCidrRange } from "./addresses.ts";
import { hashOf } from "./canonical.ts";
import type { DecodeContext } from "./decode-context.ts";
import type { ListenerNeeds } from "./http-connection-manager.ts";
import { decodeNetworkFilters } from "./network-filters.ts";
import { decodeTransportSocket } from "./transport-sockets.ts";

export function decodeFilterChain(
  message: FilterChain,
  needs: ListenerNeeds,
  context: DecodeContext,
): FilterChainConfig {
  const schema = context.protos.schema<FilterChain>("envoy.config.listener.v3.FilterChain");
  return {
    id: hashOf(schema, message),
    name: message.name,
    match: decodeFilterChainMatch(message.filterChainMatch, context),
    filters: decodeNetworkFilters(message.filters, needs, context),
    transportSocket: decodeTransportSocket(message.transportSocket, context),
    transportSocketConnectTimeoutMs: durationMsOr(message.transportSocketConnectTimeout, 0),
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
    prefixRanges: message.prefixRanges.map((range) => decodeCidrRange(range, context)),
    serverNames: message.serverNames.map((name) => name.toLowerCase()),
    transportProtocol: message.transportProtocol,
    applicationProtocols: message.applicationProtocols,
    directSourcePrefixRanges: message.directSourcePrefixRanges.map((range) =>
      decodeCidrRange(range, context),
    ),
    sourceType: sourceTypes[message.sourceType] ?? "any",
    sourcePrefixRanges: message.sourcePrefixRanges.map((range) => decodeCidrRange(range, context)),
    sourcePorts: message.sourcePorts,
  };
}
