/** What is common to HTTP/1 and HTTP/2: `HttpProtocolOptions` of clusters, `common_http_protocol_options` of listeners. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  decodeClusterYaml,
  decodeListenerYaml,
  errorsOf,
  listenerYaml,
  managerYaml,
  routesYaml,
  valueOf,
} from "../../support/config-tools.ts";

const optionsType = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
const cluster = (options: string, http2 = ""): ReturnType<typeof decodeClusterYaml> =>
  decodeClusterYaml(
    `{name: a, load_assignment: {cluster_name: a}, typed_extension_protocol_options: {${optionsType}: {"@type": type.googleapis.com/${optionsType}, explicit_http_config: {http2_protocol_options: {${http2}}}, ${options}}}}`,
  );
const listener = (fields: string): ReturnType<typeof decodeListenerYaml> => {
  const routes = `route_config: ${routesYaml("{match: {prefix: /}, direct_response: {status: 200}}")}`;
  return decodeListenerYaml(
    listenerYaml(`filter_chains: [{filters: [${managerYaml(`${routes}, ${fields}`)}]}]`),
  );
};
const warnedOf = (result: ReturnType<typeof cluster | typeof listener>): readonly string[] =>
  result.ok ? result.warnings.map(({ field, reason }) => `${field}: ${reason}`) : [];

test("a cluster's options are where they belong", () => {
  const decoded = cluster(
    "common_http_protocol_options: {max_response_headers_kb: 2, max_headers_count: 3}, retry_policy: {retry_on: 'reset, nonsense', num_retries: 4, per_try_timeout: 5s}",
  );
  const { maxResponseHeadersKb, maxResponseHeadersCount, retryPolicy } = valueOf(decoded).config;
  assert.deepEqual([maxResponseHeadersKb, maxResponseHeadersCount], [2, 3]);
  assert.deepEqual(retryPolicy, {
    retryOn: ["reset"],
    retriableStatusCodes: [],
    numRetries: 4,
    perTryTimeoutMs: 5_000,
    perTryIdleTimeoutMs: 0,
  });
  assert.deepEqual(warnedOf(decoded), []);
});

test("a listener's are, and nothing is said of what is honoured", () => {
  const decoded = listener(
    "stream_error_on_invalid_http_message: true, common_http_protocol_options: {max_connection_duration: 4s, max_connection_duration_jitter: {value: 25}}",
  );
  const [filter] = valueOf(decoded).config.filterChains[0]?.filters ?? [];
  assert(filter?.kind === "httpConnectionManager");
  const { maxConnectionDurationMs, connectionDurationJitterPercent, http2 } = filter.config;
  assert.deepEqual([maxConnectionDurationMs, connectionDurationJitterPercent], [4_000, 25]);
  assert.equal(http2.streamErrorOnInvalidMessage, true);
  assert.deepEqual(warnedOf(decoded), []);
});

test("heads have a limit that no option lifts, and one field is no larger than all", () => {
  const common = (kb: number): string =>
    `common_http_protocol_options: {max_response_headers_kb: ${kb}}`;
  const { maxResponseHeadersKb } = valueOf(cluster(common(64))).config;
  assert.equal(maxResponseHeadersKb, 64);
  assert.deepEqual(warnedOf(cluster(common(63))), []);
  assert.deepEqual(warnedOf(cluster(common(64))), [
    "envoy.config.core.v3.HttpProtocolOptions.max_response_headers_kb: a head is 63 KiB at most",
  ]);
  const field = "max_header_field_size_kb: 70";
  const ofListener = `http2_protocol_options: {${field}}`;
  assert.deepEqual(errorsOf(cluster(common(70), field)), []);
  assert.match(
    errorsOf(cluster(common(69), field)).join(),
    /max_header_field_size_kb must not exceed max_response_headers_kb$/,
  );
  assert.match(
    errorsOf(listener(ofListener)).join(),
    /max_header_field_size_kb must not exceed max_request_headers_kb$/,
  );
  assert.deepEqual(errorsOf(listener(`max_request_headers_kb: 70, ${ofListener}`)), []);
});

test("what would send requests elsewhere, or judge them otherwise, is refused", () => {
  const refused = [
    [
      "header_validation_config: {name: x, typed_config: {'@type': type.googleapis.com/google.protobuf.Empty}}",
      /does not support header validator extensions: 'x'/,
    ],
    ["request_mirror_policies: [{cluster: a}]", /requests would not be mirrored/],
    ["common_http_protocol_options: {max_response_headers_kb: 0}", /range \(0, 8192\]/],
  ] as const;
  for (const [options, error] of refused) assert.match(errorsOf(cluster(options)).join(), error);
  const field = errorsOf(cluster("", "max_header_field_size_kb: 10"));
  assert.match(field.join(), /range \[64, 256\]/);
});
