import type {
  Route as RouteMessage,
  VirtualHost as HostMessage,
} from "../../../gen/es/envoy/config/route/v3/route_components_pb.d.ts";
import type { Route, VirtualHost } from "../../shared/config/route-config.ts";
import type { DecodeContext } from "./decode-context.ts";
import { decodeHeaderMutations } from "./header-mutations.ts";
import { decodePerFilterConfigs } from "./per-filter-config.ts";
import { type RouteDefaults, decodeRouteAction } from "./route-actions.ts";
import { decodeRouteMatch } from "./route-matches.ts";

/** By the numbers of `VirtualHost.TlsRequirementType`. */
const tlsRequirements = ["none", "externalOnly", "all"] as const;

export function decodeVirtualHost(
  message: HostMessage,
  defaults: Omit<RouteDefaults, "retryPolicy">,
  context: DecodeContext,
): VirtualHost {
  const forRoutes = { ...defaults, retryPolicy: message.retryPolicy };
  return {
    name: message.name,
    domains: message.domains.map((domain) => domain.toLowerCase()),
    routes: message.routes.flatMap((route) => decodeRoute(route, forRoutes, context) ?? []),
    ...decodeBothMutations(message, context),
    ...decodePerFilterConfigs(message.typedPerFilterConfig, context),
    requireTls: tlsRequirements[message.requireTls] ?? "none",
  };
}

function decodeRoute(
  message: RouteMessage,
  defaults: RouteDefaults,
  context: DecodeContext,
): Route | undefined {
  // The validation rules require a match.
  if (!message.match) return undefined;
  return {
    name: message.name,
    match: decodeRouteMatch(message.match, context),
    action: decodeRouteAction(message, defaults, context),
    ...decodeBothMutations(message, context),
    ...decodePerFilterConfigs(message.typedPerFilterConfig, context),
  };
}

type Mutating = Pick<
  HostMessage,
  | "requestHeadersToAdd"
  | "requestHeadersToRemove"
  | "responseHeadersToAdd"
  | "responseHeadersToRemove"
>;

export function decodeBothMutations(
  message: Mutating,
  context: DecodeContext,
): Pick<Route, "requestHeaders" | "responseHeaders"> {
  const { requestHeadersToAdd, requestHeadersToRemove } = message;
  const { responseHeadersToAdd, responseHeadersToRemove } = message;
  return {
    requestHeaders: decodeHeaderMutations(requestHeadersToAdd, requestHeadersToRemove, context),
    responseHeaders: decodeHeaderMutations(responseHeadersToAdd, responseHeadersToRemove, context),
  };
}
