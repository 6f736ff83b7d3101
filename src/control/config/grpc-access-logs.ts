/**
 * Access logs that go to a service of gRPC: `envoy.access_loggers.http_grpc` and `tcp_grpc`. Workers are told
 * of the service in a text that only main reads, since only main speaks gRPC.
 */
import type {
  CommonGrpcAccessLogConfig,
  HttpGrpcAccessLogConfig,
  TcpGrpcAccessLogConfig,
} from "../../../gen/es/envoy/extensions/access_loggers/grpc/v3/als_pb.d.ts";
import type { BackoffOptions } from "../../shared/common/backoff.ts";
import type {
  AccessLogFilter,
  GrpcLogConfig,
  GrpcLogEntryKind,
} from "../../shared/config/access-log-config.ts";
import type { ListenerConfig } from "../../shared/config/listener-config.ts";
import { durationMsOr } from "../proto/duration.ts";
import { clusterOf, decodeGrpcService, decodeServiceBackoff } from "./api-config-sources.ts";
import type { GrpcService } from "./config-source.ts";
import { knownFilters } from "./listener-facts.ts";
import type { DecodeContext } from "./decode-context.ts";
import type { FoundExtension } from "./extensions.ts";

/** What one stream to a log server is for: logs that agree in all of it share the stream. */
export interface AccessLogDestination {
  readonly logName: string;
  readonly entryKind: GrpcLogEntryKind;
  readonly service: GrpcService;
  /** Between attempts to open the stream; undefined: 500 ms to 30 s. */
  readonly backoff?: BackoffOptions | undefined;
}

const flushIntervalMsDefault = 1_000;
const bufferBytesDefault = 16 * 1024;
/** `core.v3.ApiVersion.V2`. */
const versionV2 = 1;

export function decodeHttpGrpcLog(
  { config }: FoundExtension,
  filter: AccessLogFilter | undefined,
  context: DecodeContext,
): GrpcLogConfig | undefined {
  const schema = context.protos.schema<HttpGrpcAccessLogConfig>(
    "envoy.extensions.access_loggers.grpc.v3.HttpGrpcAccessLogConfig",
  );
  const message = context.read(config, schema);
  const common = message?.commonConfig && decodeCommon("http", message.commonConfig, context);
  if (!common) return undefined;
  const lowerCase = (names: readonly string[]): readonly string[] => [
    ...new Set(names.map((name) => name.toLowerCase())),
  ];
  return {
    ...common,
    requestHeaders: lowerCase(message.additionalRequestHeadersToLog),
    responseHeaders: lowerCase(message.additionalResponseHeadersToLog),
    responseTrailers: lowerCase(message.additionalResponseTrailersToLog),
    filter,
  };
}

export function decodeTcpGrpcLog(
  { config }: FoundExtension,
  filter: AccessLogFilter | undefined,
  context: DecodeContext,
): GrpcLogConfig | undefined {
  const schema = context.protos.schema<TcpGrpcAccessLogConfig>(
    "envoy.extensions.access_loggers.grpc.v3.TcpGrpcAccessLogConfig",
  );
  const common = context.read(config, schema)?.commonConfig;
  return common && { ...decodeCommon("tcp", common, context), ...noHeaders, filter };
}

/** A connection has none. */
const noHeaders = { requestHeaders: [], responseHeaders: [], responseTrailers: [] } as const;

function decodeCommon(
  entryKind: GrpcLogEntryKind,
  message: CommonGrpcAccessLogConfig,
  context: DecodeContext,
): Pick<GrpcLogConfig, "kind" | "destination" | "entryKind" | "flushIntervalMs" | "flushMinBytes"> {
  const { logName, grpcService, transportApiVersion, bufferFlushInterval } = message;
  if (Number(transportApiVersion) === versionV2)
    context.refuse("the v2 access log transport protocol is not supported");
  return {
    kind: "grpc",
    // The validation rules require a service.
    destination: grpcService
      ? writeDestination({
          logName,
          entryKind,
          service: decodeGrpcService(grpcService, context),
          backoff: decodeServiceBackoff(grpcService, context),
        })
      : "",
    entryKind,
    flushIntervalMs: durationMsOr(bufferFlushInterval, flushIntervalMsDefault),
    flushMinBytes: message.bufferSizeBytes ?? bufferBytesDefault,
  };
}

function writeDestination(destination: AccessLogDestination): string {
  return JSON.stringify(destination);
}

/** The text was written by `writeDestination`, and workers hand it back as it is. */
export function readDestination(text: string): AccessLogDestination {
  return JSON.parse(text, reviveBytes) as AccessLogDestination;
}

/** Inline certificates: a Buffer writes itself as an object that says so. */
function reviveBytes(_key: string, value: unknown): unknown {
  const isBytes = typeof value === "object" && value !== null && "type" in value && "data" in value;
  return isBytes && value.type === "Buffer" ? Buffer.from(value.data as number[]) : value;
}

/** The clusters that a listener's logs over gRPC go through. */
export function logClustersOf(config: ListenerConfig): readonly string[] {
  const chains = config.defaultFilterChain
    ? [...config.filterChains, config.defaultFilterChain]
    : config.filterChains;
  const ofFilters = chains.flatMap(({ filters }) =>
    knownFilters(filters).flatMap((filter) =>
      filter.kind === "noop" ? [] : filter.config.accessLog,
    ),
  );
  return [...config.accessLog, ...ofFilters].flatMap((log) =>
    log.kind === "grpc" ? clusterOf(readDestination(log.destination).service) : [],
  );
}
