/** `Cluster.health_checks`. Refusals are in Envoy's words where it has them. */
import type { Cluster } from "../../../gen/es/envoy/config/cluster/v3/cluster_pb.d.ts";
import type {
  HealthCheck,
  HealthCheck_GrpcHealthCheck as GrpcMessage,
  HealthCheck_HttpHealthCheck as HttpMessage,
  HealthCheck_Payload as Payload,
} from "../../../gen/es/envoy/config/core/v3/health_check_pb.d.ts";
import type { Int64Range } from "../../../gen/es/envoy/type/v3/range_pb.d.ts";
import type { HeaderValueOption } from "../../../gen/es/envoy/config/core/v3/base_pb.d.ts";
import { parseCommandFormat } from "../../shared/config/command-format.ts";
import { durationMsOr } from "../proto/duration.ts";
import type { DecodeContext } from "./decode-context.ts";
import { decodeHeaderMutations } from "./header-mutations.ts";
import type {
  ExpectedBytes,
  GrpcProbeConfig,
  HealthCheckConfig,
  HealthCheckIntervals,
  HttpProbeConfig,
  ProbeConfig,
  StatusRange,
} from "./health-check-config.ts";
import { decodeStringMatcher } from "./matchers.ts";

/** Docs: `HealthCheck.no_traffic_interval`, "the default value is 60 seconds". */
const noTrafficMsDefault = 60_000;
/** Docs: `HttpHealthCheck.response_buffer_size`, "defaults to 1024 bytes". */
const bodyBytesDefault = 1_024;
/** 0 means all of it there; here that has an end. */
const bodyBytesMax = 1024 * 1024;
const okStatuses: readonly StatusRange[] = [{ start: 200, end: 201 }];
const methods = ["GET", "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS"] as const;
const laterMethods = ["TRACE", "PATCH"] as const;
const withPayload = new Set(["POST", "PUT", "PATCH", "OPTIONS"]);

/** `isHttp2`: what the cluster speaks, without which gRPC cannot be. */
export function decodeHealthCheck(
  { name, healthChecks }: Cluster,
  isHttp2: boolean,
  context: DecodeContext,
): HealthCheckConfig | undefined {
  const [message, ...others] = healthChecks;
  if (!message) return undefined;
  if (others.length > 0)
    context.refuse(`cluster '${name}': more than one health check is not supported`);
  if (message.healthChecker.case === "grpcHealthCheck" && !isHttp2)
    context.refuse(`${name} cluster must support HTTP/2 for gRPC healthchecking`);
  const probe = decodeProbe(message, context);
  return (
    probe && {
      timeoutMs: durationMsOr(message.timeout, 0),
      thresholds: {
        unhealthy: message.unhealthyThreshold ?? 1,
        healthy: message.healthyThreshold ?? 1,
      },
      intervals: decodeIntervals(message),
      reuseConnection: message.reuseConnection ?? true,
      alwaysLogFailures: message.alwaysLogHealthCheckFailures,
      altPort: message.altPort,
      alpnProtocols: message.tlsOptions?.alpnProtocols ?? [],
      socketLabels: message.transportSocketMatchCriteria,
      probe,
    }
  );
}

function decodeIntervals(message: HealthCheck): HealthCheckIntervals {
  const intervalMs = durationMsOr(message.interval, 0);
  const unhealthyMs = durationMsOr(message.unhealthyInterval, intervalMs);
  const noTrafficMs = durationMsOr(message.noTrafficInterval, noTrafficMsDefault);
  return {
    intervalMs,
    unhealthyMs,
    unhealthyEdgeMs: durationMsOr(message.unhealthyEdgeInterval, unhealthyMs),
    healthyEdgeMs: durationMsOr(message.healthyEdgeInterval, intervalMs),
    noTrafficMs,
    noTrafficHealthyMs: durationMsOr(message.noTrafficHealthyInterval, noTrafficMs),
    initialJitterMs: durationMsOr(message.initialJitter, 0),
    jitterMs: durationMsOr(message.intervalJitter, 0),
    jitterPercent: message.intervalJitterPercent,
  };
}

function decodeProbe(
  { healthChecker: checker }: HealthCheck,
  context: DecodeContext,
): ProbeConfig | undefined {
  switch (checker.case) {
    case "httpHealthCheck":
      return decodeHttp(checker.value, context);
    case "tcpHealthCheck":
      return {
        kind: "tcp",
        payload: bytesOf(checker.value.send, context),
        expected: expectedOf(checker.value.receive, context),
      };
    case "grpcHealthCheck":
      return decodeGrpc(checker.value, context);
    case "customHealthCheck":
    case undefined:
      // Refused by the field policy or the validation rules.
      return undefined;
    default:
      return checker satisfies never;
  }
}

function decodeHttp(message: HttpMessage, context: DecodeContext): HttpProbeConfig {
  const method = [...methods, ...laterMethods][message.method] ?? "GET";
  const payload = bytesOf(message.send, context);
  if (payload.length > 0 && !withPayload.has(method))
    context.refuse(
      `HTTP health check cannot specify a request payload with method '${method}'. Only methods that support a request body (POST, PUT, PATCH, OPTIONS) can be used with payload.`,
    );
  if (message.codecClientType !== 0)
    context.refuse("health checks by HTTP/2 or HTTP/3 are not supported: codec_client_type");
  const wanted = Number(message.responseBufferSize ?? bodyBytesDefault);
  const statuses = rangesOf(message.expectedStatuses, "expected", context);
  return {
    kind: "http",
    method,
    path: message.path,
    host: message.host,
    headers: headersOf(message.requestHeadersToAdd, message.requestHeadersToRemove, context),
    headersRemoved: message.requestHeadersToRemove.map((name) => name.toLowerCase()),
    payload,
    expectedStatuses: statuses.length > 0 ? statuses : okStatuses,
    retriableStatuses: rangesOf(message.retriableStatuses, "retriable", context),
    serviceName:
      message.serviceNameMatcher && decodeStringMatcher(message.serviceNameMatcher, context),
    expectedBody: expectedOf(message.receive, context),
    bodyBytesMax: wanted === 0 ? bodyBytesMax : Math.min(wanted, bodyBytesMax),
  };
}

function decodeGrpc(message: GrpcMessage, context: DecodeContext): GrpcProbeConfig {
  const metadata = headersOf(message.initialMetadata, [], context);
  for (const { name } of metadata)
    if (!/^[0-9a-z_.-]+$/.test(name) || name.endsWith("-bin"))
      context.refuse(`initial_metadata: '${name}' is not a name of a text header`);
  const { serviceName, authority } = message;
  return { kind: "grpc", serviceName, authority, metadata };
}

function headersOf(
  add: readonly HeaderValueOption[],
  remove: readonly string[],
  context: DecodeContext,
): HttpProbeConfig["headers"] {
  return decodeHeaderMutations(add, remove, context).add.map(({ name, value }) => {
    const format = parseCommandFormat(value);
    const parts = format.ok ? format.parts : [];
    const texts = parts.map((part) => (part.kind === "literal" ? part.text : undefined));
    if (texts.includes(undefined))
      context.refuse(`health check: command operators in '${name}' are not supported`);
    return { name, value: texts.join("") };
  });
}

function rangesOf(
  ranges: readonly Int64Range[],
  kind: "expected" | "retriable",
  context: DecodeContext,
): readonly StatusRange[] {
  const expecting = (what: string): void =>
    context.refuse(`Invalid http ${kind} status range: expecting ${what}`);
  return ranges.map((range) => {
    const [start, end] = [Number(range.start), Number(range.end)];
    if (start >= end) expecting(`start < end, but found start=${start} and end=${end}`);
    else if (start < 100) expecting(`start >= 100, but found start=${start}`);
    else if (end > 600) expecting(`end <= 600, but found end=${end}`);
    return { start, end };
  });
}

function expectedOf(payloads: readonly Payload[], context: DecodeContext): ExpectedBytes {
  return payloads.map((payload) => bytesOf(payload, context));
}

/** `text` is hexadecimal. */
function bytesOf(payload: Payload | undefined, context: DecodeContext): Uint8Array {
  const { case: kind, value } = payload?.payload ?? { case: undefined };
  if (kind === undefined) return new Uint8Array();
  if (kind === "binary") return value;
  if (value.length % 2 !== 0 || !/^[0-9a-f]*$/i.test(value))
    context.refuse(`invalid hex string '${value}'`);
  return Buffer.from(value, "hex");
}
