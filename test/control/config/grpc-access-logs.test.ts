import assert from "node:assert/strict";
import { test } from "node:test";
import { readDestination } from "../../../src/control/config/grpc-access-logs.ts";
import type { GrpcLogConfig } from "../../../src/shared/config/access-log-config.ts";
import {
  decodeListenerYaml,
  errorsOf,
  listenerYaml,
  tcpProxyYaml,
  valueOf,
} from "../../support/config-tools.ts";

const service = "grpc_service: {envoy_grpc: {cluster_name: logs}}";

/** A listener with one log over gRPC: `fields` beside the common ones. */
function decodeLog(kind: "Http" | "Tcp", common: string, fields = "") {
  const type = `type.googleapis.com/envoy.extensions.access_loggers.grpc.v3.${kind}GrpcAccessLogConfig`;
  const log = `{name: log, typed_config: {"@type": ${type}, common_config: {log_name: l, ${common}}${fields}}}`;
  return decodeListenerYaml(
    listenerYaml(`access_log: [${log}], filter_chains: [{filters: [${tcpProxyYaml()}]}]`),
  );
}

function logOf(result: ReturnType<typeof decodeLog>): GrpcLogConfig {
  const [log] = valueOf(result).config.accessLog;
  assert(log?.kind === "grpc");
  return log;
}

test("a log over gRPC has Envoy's defaults", () => {
  const { destination, ...rest } = logOf(decodeLog("Http", service));
  assert.deepEqual(rest, {
    kind: "grpc",
    entryKind: "http",
    flushIntervalMs: 1_000,
    flushMinBytes: 16_384,
    requestHeaders: [],
    responseHeaders: [],
    responseTrailers: [],
    filter: undefined,
  });
  assert.deepEqual(readDestination(destination), {
    logName: "l",
    entryKind: "http",
    service: {
      target: { kind: "cluster", clusterName: "logs" },
      authority: "",
      initialMetadata: [],
      timeoutMs: 0,
    },
  });
});

test("what is set is honoured; names of headers are in lower case, each once", () => {
  const backoff = "retry_policy: {retry_back_off: {base_interval: 0.2s, max_interval: 2s}}";
  const settings = `grpc_service: {google_grpc: {target_uri: "dns:///logs:80", stat_prefix: x}, ${backoff}, initial_metadata: [{key: k, value: v}]}, buffer_flush_interval: 5s, buffer_size_bytes: 0`;
  const headers =
    ", additional_request_headers_to_log: [X-A, x-a, B], additional_response_headers_to_log: [C], additional_response_trailers_to_log: [T]";
  const log = logOf(decodeLog("Http", settings, headers));
  assert.equal(log.flushIntervalMs, 5_000);
  assert.equal(log.flushMinBytes, 0);
  assert.deepEqual(log.requestHeaders, ["x-a", "b"]);
  assert.deepEqual(log.responseHeaders, ["c"]);
  assert.deepEqual(log.responseTrailers, ["t"]);
  const destination = readDestination(log.destination);
  assert.deepEqual(destination.backoff, { baseMs: 200, maxMs: 2_000 });
  assert.deepEqual(destination.service.target, { kind: "uri", uri: "dns:///logs:80" });
  assert.deepEqual(destination.service.initialMetadata, [{ key: "k", value: "v" }]);
});

test("logs of the same service, name and kind have one destination", () => {
  const one = logOf(decodeLog("Http", `${service}, buffer_size_bytes: 1`)).destination;
  assert.equal(logOf(decodeLog("Http", service)).destination, one);
  assert.notEqual(logOf(decodeLog("Tcp", service)).destination, one);
});

test("what cannot be is refused as Envoy refuses it", () => {
  const errors = (common: string): string => errorsOf(decodeLog("Tcp", common)).join();
  assert.match(
    errors(`${service}, buffer_flush_interval: 0s`),
    /BufferFlushInterval.*greater than/,
  );
  assert.match(errors(""), /GrpcService: value is required/);
  assert.match(errors(`${service}, transport_api_version: V2`), /v2 access log transport protocol/);
});

test("fields that are not built are warned of", () => {
  const result = decodeLog(
    "Tcp",
    `${service}, custom_tags: [{tag: t, literal: {value: v}}], filter_state_objects_to_log: [o]`,
  );
  assert(result.ok);
  const fields = result.warnings?.map(({ field }) => field.split(".").at(-1));
  assert.deepEqual(fields, ["filter_state_objects_to_log", "custom_tags"]);
});

test("certificates of the service come back as bytes from the text that workers keep", () => {
  const secured =
    "grpc_service: {google_grpc: {target_uri: 'dns:///logs.test:80', stat_prefix: s, channel_credentials: {ssl_credentials: {root_certs: {inline_string: PEM}}}}}";
  const { target } = readDestination(logOf(decodeLog("Http", secured)).destination).service;
  assert(target.kind === "uri" && target.tls);
  assert.equal(target.tls.sni, "logs.test");
  const secret = target.tls.validation?.secret;
  assert(secret?.kind === "inline" && secret.value.kind === "validationContext");
  const { trustedCa, subjectAltNames } = secret.value.context;
  assert.deepEqual(trustedCa, { kind: "inline", bytes: Buffer.from("PEM") });
  assert.deepEqual(subjectAltNames, [
    { type: "dns", matcher: { kind: "exact", value: "logs.test", ignoreCase: true } },
  ]);
});
