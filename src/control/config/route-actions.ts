/** What a matched route does: forward, redirect, or answer. */
import type {
  DirectResponseAction,
  RedirectAction as RedirectMessage,
  RetryPolicy as RetryMessage,
  Route as RouteMessage,
  RouteAction as ActionMessage,
} from "../../../gen/es/envoy/config/route/v3/route_components_pb.d.ts";
import type {
  ClusterAction,
  RedirectAction,
  RetryPolicy,
  RouteAction,
  WeightedCluster,
} from "../../shared/config/route-config.ts";
import { durationMs, durationMsOr } from "../proto/duration.ts";
import { decodeInlineText } from "./data-sources.ts";
import type { DecodeContext } from "./decode-context.ts";
import { decodeInternalRedirect } from "./internal-redirects.ts";
import { decodePerFilterConfigs } from "./per-filter-config.ts";
import { decodeRegexRewrite } from "./matchers.ts";
import { decodeRouteUpgrades, decodeTunnelEnd } from "./upgrades.ts";

/** What a route inherits from its virtual host and its configuration. */
export interface RouteDefaults {
  readonly retryPolicy: RetryMessage | undefined;
  readonly directResponseBytesMax: number;
}

/** Docs: `RouteAction.timeout`, "defaults to 15s; 0 disables it". */
const timeoutMsDefault = 15_000;

export function decodeRouteAction(
  { action }: RouteMessage,
  defaults: RouteDefaults,
  context: DecodeContext,
): RouteAction {
  switch (action.case) {
    case "route":
      return decodeClusterAction(action.value, defaults, context);
    case "redirect":
      return decodeRedirect(action.value, context);
    case "directResponse":
      return decodeDirectResponse(action.value, defaults, context);
    case "filterAction":
    case "nonForwardingAction":
    case undefined:
      // Refused by the field policy or the validation rules.
      return { kind: "directResponse", status: 500, body: "" };
    default:
      return action satisfies never;
  }
}

function decodeDurations({
  maxStreamDuration,
  maxGrpcTimeout,
  grpcTimeoutOffset,
}: ActionMessage): Pick<ClusterAction, "streamDuration" | "grpcTimeout"> {
  const { grpcTimeoutHeaderMax, grpcTimeoutHeaderOffset } = maxStreamDuration ?? {};
  const max = maxStreamDuration?.maxStreamDuration;
  const streamDuration = {
    maxMs: max && durationMs(max),
    grpcHeaderMaxMs: grpcTimeoutHeaderMax && durationMs(grpcTimeoutHeaderMax),
    grpcHeaderOffsetMs: durationMsOr(grpcTimeoutHeaderOffset, 0),
  };
  return {
    ...(maxStreamDuration && { streamDuration }),
    ...(maxGrpcTimeout && {
      grpcTimeout: {
        maxMs: durationMs(maxGrpcTimeout),
        offsetMs: durationMsOr(grpcTimeoutOffset, 0),
      },
    }),
  };
}

function decodeClusterAction(
  message: ActionMessage,
  defaults: RouteDefaults,
  context: DecodeContext,
): ClusterAction {
  const { prefixRewrite, regexRewrite, timeout, idleTimeout } = message;
  if (prefixRewrite !== "" && regexRewrite)
    context.refuse("Specify only one of prefix_rewrite, regex_rewrite or path_rewrite_policy");
  const retryPolicy = message.retryPolicy ?? defaults.retryPolicy;
  const tunnelEnd = decodeTunnelEnd(message.upgradeConfigs);
  const internalRedirect = decodeInternalRedirect(message, context);
  return {
    kind: "cluster",
    clusters: decodeClusters(message, context),
    clusterNotFoundStatus: notFoundStatuses[message.clusterNotFoundResponseCode] ?? 503,
    timeoutMs: durationMsOr(timeout, timeoutMsDefault),
    ...decodeDurations(message),
    idleTimeoutMs: idleTimeout && durationMs(idleTimeout),
    prefixRewrite: prefixRewrite === "" ? undefined : prefixRewrite,
    regexRewrite: regexRewrite && decodeRegexRewrite(regexRewrite, context),
    hostRewrite: decodeHostRewrite(message),
    appendXForwardedHost: message.appendXForwardedHost,
    retryPolicy: retryPolicy && decodeRetryPolicy(retryPolicy),
    upgrades: decodeRouteUpgrades(message.upgradeConfigs, context),
    ...(tunnelEnd && { tunnelEnd }),
    ...(internalRedirect && { internalRedirect }),
    priority: Number(message.priority) === 1 ? "high" : "default",
  };
}

/** By the numbers of `RouteAction.ClusterNotFoundResponseCode`. */
const notFoundStatuses = [503, 404, 500] as const;

function decodeClusters(
  { clusterSpecifier: specifier }: ActionMessage,
  context: DecodeContext,
): ClusterAction["clusters"] {
  switch (specifier.case) {
    case "cluster":
      return [{ name: specifier.value, weight: 1 }];
    case "clusterHeader":
      return { header: specifier.value.toLowerCase() };
    case "weightedClusters": {
      const clusters = specifier.value.clusters.map((each) => ({
        name: each.name,
        weight: each.weight ?? 0,
        ...decodePerFilterConfigs(each.typedPerFilterConfig, context),
      }));
      judgeWeights(clusters, context);
      return clusters;
    }
    case "clusterSpecifierPlugin":
    case "inlineClusterSpecifierPlugin":
    case undefined:
      return [];
    default:
      return specifier satisfies never;
  }
}

function judgeWeights(clusters: readonly WeightedCluster[], context: DecodeContext): void {
  const sum = clusters.reduce((total, { weight }) => total + weight, 0);
  if (sum === 0) context.refuse("Sum of weights in the weighted_cluster must be greater than 0.");
  if (sum > 2 ** 32 - 1)
    context.refuse(`The sum of weights of all weighted clusters of route exceeds ${2 ** 32 - 1}`);
  if (clusters.some(({ name }) => name === ""))
    context.refuse("At least one of name or cluster_header need to be specified");
}

function decodeHostRewrite({
  hostRewriteSpecifier: rewrite,
}: ActionMessage): ClusterAction["hostRewrite"] {
  if (rewrite.case === "hostRewriteLiteral") return { kind: "literal", value: rewrite.value };
  return rewrite.case === "autoHostRewrite" && rewrite.value.value ? { kind: "auto" } : undefined;
}

const retryConditions: readonly string[] = [
  "5xx",
  "gateway-error",
  "connect-failure",
  "refused-stream",
  "reset",
  "retriable-4xx",
  "retriable-status-codes",
  "cancelled",
  "deadline-exceeded",
  "resource-exhausted",
  "internal",
  "unavailable",
] satisfies RetryPolicy["retryOn"];

/** Conditions that we do not know are passed over, as Envoy passes over them. */
export function decodeRetryPolicy(message: RetryMessage): RetryPolicy {
  const conditions = message.retryOn.split(",").map((condition) => condition.trim());
  return {
    retryOn: conditions.filter((one): one is RetryPolicy["retryOn"][number] =>
      retryConditions.includes(one),
    ),
    retriableStatusCodes: message.retriableStatusCodes,
    numRetries: message.numRetries ?? 1,
    perTryTimeoutMs: durationMsOr(message.perTryTimeout, 0),
    perTryIdleTimeoutMs: durationMsOr(message.perTryIdleTimeout, 0),
  };
}

/** By the numbers of `RedirectAction.RedirectResponseCode`. */
const redirectStatuses = [301, 302, 303, 307, 308] as const;

function decodeRedirect(message: RedirectMessage, context: DecodeContext): RedirectAction {
  const { pathRewriteSpecifier: path, hostRedirect, portRedirect } = message;
  return {
    kind: "redirect",
    status: redirectStatuses[message.responseCode] ?? 301,
    scheme: decodeScheme(message, context),
    host: hostRedirect === "" ? undefined : hostRedirect,
    port: portRedirect === 0 ? undefined : portRedirect,
    path: path.case === "pathRedirect" ? path.value : undefined,
    prefixRewrite: path.case === "prefixRewrite" ? path.value : undefined,
    regexRewrite:
      path.case === "regexRewrite" ? decodeRegexRewrite(path.value, context) : undefined,
    stripQuery: message.stripQuery,
  };
}

function decodeScheme(
  { schemeRewriteSpecifier: scheme }: RedirectMessage,
  context: DecodeContext,
): RedirectAction["scheme"] {
  if (scheme.case === "httpsRedirect") return scheme.value ? "https" : undefined;
  if (scheme.case !== "schemeRedirect" || scheme.value === "") return undefined;
  if (scheme.value === "http" || scheme.value === "https") return scheme.value;
  context.refuse(`scheme_redirect '${scheme.value}' is not supported: http or https`);
  return undefined;
}

function decodeDirectResponse(
  { status, body }: DirectResponseAction,
  { directResponseBytesMax }: RouteDefaults,
  context: DecodeContext,
): RouteAction {
  const text = body ? decodeInlineText(body, context) : "";
  const size = Buffer.byteLength(text);
  if (size > directResponseBytesMax)
    context.refuse(`response body size is ${size} bytes; maximum is ${directResponseBytesMax}`);
  return { kind: "directResponse", status, body: text };
}
