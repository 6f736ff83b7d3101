/**
 * `internal_redirect_policy` of a route, or the two older fields that say less of the same.
 *
 * What one would get wrong: an empty policy is one; it follows a 302, once.
 */
import type {
  InternalRedirectPolicy as PolicyMessage,
  RouteAction as ActionMessage,
} from "../../../gen/es/envoy/config/route/v3/route_components_pb.d.ts";
import type { AllowListedRoutesConfig } from "../../../gen/es/envoy/extensions/internal_redirect/allow_listed_routes/v3/allow_listed_routes_config_pb.d.ts";
import type {
  InternalRedirectPolicy,
  RedirectPredicate,
} from "../../shared/config/route-config.ts";
import type { DecodeContext } from "./decode-context.ts";
import { findExtension } from "./extensions.ts";

const allowListed =
  "envoy.extensions.internal_redirect.allow_listed_routes.v3.AllowListedRoutesConfig" as const;
/** Docs: `redirect_response_codes`, "any other codes will be ignored", and `302` where there are none. */
const validCodes = [301, 302, 303, 307, 308];
const codesDefault = [302];
const redirectsDefault = 1;
/** By the number of `InternalRedirectAction`. */
const handleInternalRedirect = 1;

/** Undefined: redirects go to the client. */
export function decodeInternalRedirect(
  message: ActionMessage,
  context: DecodeContext,
): InternalRedirectPolicy | undefined {
  if (message.internalRedirectPolicy) return decodePolicy(message.internalRedirectPolicy, context);
  if (Number(message.internalRedirectAction) !== handleInternalRedirect) return undefined;
  return {
    redirectsMax: message.maxInternalRedirects ?? redirectsDefault,
    codes: codesDefault,
    predicates: [],
    allowsCrossScheme: false,
    headersToCopy: [],
  };
}

function decodePolicy(message: PolicyMessage, context: DecodeContext): InternalRedirectPolicy {
  const { redirectResponseCodes: codes } = message;
  const headersToCopy = message.responseHeadersToCopy.map((name) => name.toLowerCase());
  for (const name of headersToCopy) {
    if (name.startsWith(":") || name === "host")
      context.refuse(":-prefixed headers or Hosts may not be specified here.");
  }
  return {
    redirectsMax: message.maxInternalRedirects ?? redirectsDefault,
    codes: codes.length === 0 ? codesDefault : codes.filter((code) => validCodes.includes(code)),
    predicates: message.predicates.flatMap(({ name, typedConfig }) =>
      decodePredicate(name, typedConfig, context),
    ),
    allowsCrossScheme: message.allowCrossSchemeRedirect,
    headersToCopy,
  };
}

function decodePredicate(
  name: string,
  any: PolicyMessage["predicates"][number]["typedConfig"],
  context: DecodeContext,
): readonly RedirectPredicate[] {
  const found = findExtension("internal redirect predicate", { name, any }, context);
  if (!found) return [];
  const { kind } = found.extension;
  if (kind === "previousRoutes" || kind === "safeCrossScheme") return [{ kind }];
  const schema = context.protos.schema<AllowListedRoutesConfig>(allowListed);
  const routes = context.read(found.config, schema)?.allowedRouteNames ?? [];
  return [{ kind: "allowListedRoutes", routes }];
}
