/**
 * Which fields an update may change under open connections: each request reads them anew, so connections have them
 * from their next request on, and nothing drains. One table, with the reason.
 *
 * What a newcomer would get wrong: a field that is not here drains. To list one, show that no connection holds it,
 * nor what was made of it, from one request to the next (`LiveConfig` of the data path).
 */
import type {
  HttpConnectionManagerConfig,
  HttpFilterConfig,
} from "../../shared/config/http-config.ts";
import type {
  FilterChainConfig,
  NetworkFilterConfig,
} from "../../shared/config/listener-config.ts";

export type ChainContent = Omit<FilterChainConfig, "id" | "revision">;

type ManagerKey = keyof HttpConnectionManagerConfig;

interface LiveField {
  /** Of `HttpConnectionManager`, by their proto names. */
  readonly fields: readonly string[];
  readonly reason: string;
}

const common = "common_http_protocol_options";
const headRead = "read while a request's head is looked at";
const headWritten = "read while a head is written";
const requestTimer = "a request keeps those of its beginning";

const liveManagerFields: Partial<Record<ManagerKey, LiveField>> = {
  // Scoped routes are not: `isLiveRoutes`.
  routes: { fields: ["route_config", "rds"], reason: "looked up once a request, as those of RDS" },
  // Where each of them is: `liveHttpFilters`.
  filters: { fields: ["http_filters"], reason: "a request takes the chain when it begins" },
  accessLog: { fields: ["access_log"], reason: "a request is logged as when it began" },
  serverName: { fields: ["server_name"], reason: headWritten },
  serverHeader: { fields: ["server_header_transformation"], reason: headWritten },
  via: { fields: ["via"], reason: headWritten },
  alwaysSetRequestIdInResponse: {
    fields: ["always_set_request_id_in_response"],
    reason: headWritten,
  },
  useRemoteAddress: { fields: ["use_remote_address"], reason: headRead },
  xffNumTrustedHops: { fields: ["xff_num_trusted_hops"], reason: headRead },
  skipXffAppend: { fields: ["skip_xff_append"], reason: headRead },
  clientCert: {
    fields: ["forward_client_cert_details", "set_current_client_cert_details"],
    reason: headWritten,
  },
  generateRequestId: { fields: ["generate_request_id"], reason: headRead },
  preserveExternalRequestId: { fields: ["preserve_external_request_id"], reason: headRead },
  normalizePath: { fields: ["normalize_path"], reason: headRead },
  mergeSlashes: { fields: ["merge_slashes"], reason: headRead },
  stripPort: {
    fields: ["strip_matching_host_port", "strip_any_host_port"],
    reason: headRead,
  },
  http1: {
    fields: ["http_protocol_options"],
    reason: "read while a head is looked at, or a head or trailers are written",
  },
  headersWithUnderscores: {
    fields: [`${common}.headers_with_underscores_action`],
    reason: headRead,
  },
  streamIdleTimeoutMs: { fields: ["stream_idle_timeout"], reason: requestTimer },
  requestTimeoutMs: { fields: ["request_timeout"], reason: requestTimer },
  maxStreamDurationMs: { fields: [`${common}.max_stream_duration`], reason: requestTimer },
};

/** HTTP filters that hold nothing of a connection, nor anything that a new one of the kind would lack. */
const liveHttpFilters: Partial<Record<HttpFilterConfig["kind"], string>> = {
  router: "its flags are read once a request",
  headerMutation: "it holds nothing but its configuration",
  credentialInjector: "the secret is the worker's, not the filter's",
  discovered: "what ECDS brings is for new requests already",
  module: "a filter is made for each request",
  noop: "it does nothing",
};

/** Proto paths below a connection manager's `typed_config` that open connections take up. */
export const liveManagerPaths: readonly string[] = Object.values(liveManagerFields).flatMap(
  ({ fields }) => fields,
);

/** What a connection keeps from its beginning to its end. */
export function fixedPartOf(chain: ChainContent): unknown {
  return { ...chain, filters: chain.filters.map((filter) => partOf(filter, false)) };
}

export function livePartOf(chain: ChainContent): unknown {
  return chain.filters.map((filter) => partOf(filter, true));
}

function partOf(filter: NetworkFilterConfig, live: boolean): unknown {
  if (filter.kind !== "httpConnectionManager") return live ? filter.kind : filter;
  const keys = Object.keys(filter.config) as ManagerKey[];
  const chosen = keys.filter((key) => isLive(key, filter.config) === live);
  return [filter.kind, chosen.map((key) => [key, filter.config[key]])];
}

function isLive(key: ManagerKey, config: HttpConnectionManagerConfig): boolean {
  if (key === "routes") return config.routes.kind !== "scoped";
  // One that keeps something would lose it, were the chain made anew for the sake of another.
  if (key === "filters") return config.filters.every(({ kind }) => kind in liveHttpFilters);
  return key in liveManagerFields;
}
