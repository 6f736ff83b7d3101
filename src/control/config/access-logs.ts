/** Access logs: where they go, what a line says, which requests they are for. */
import type {
  AccessLog,
  AccessLogFilter as FilterMessage,
  ComparisonFilter,
} from "../../../gen/es/envoy/config/accesslog/v3/accesslog_pb.d.ts";
import type { FileAccessLog } from "../../../gen/es/envoy/extensions/access_loggers/file/v3/file_pb.d.ts";
import type {
  StderrAccessLog,
  StdoutAccessLog,
} from "../../../gen/es/envoy/extensions/access_loggers/stream/v3/stream_pb.d.ts";
import type {
  AccessLogConfig,
  AccessLogFilter,
  LineLogConfig,
} from "../../shared/config/access-log-config.ts";
import type { RuntimeDefault } from "../../shared/config/runtime-values.ts";
import { decodeFileFormat, decodeFormat } from "./access-log-formats.ts";
import type { DecodeContext } from "./decode-context.ts";
import { type FoundExtension, findExtension } from "./extensions.ts";
import { decodeHttpGrpcLog, decodeTcpGrpcLog } from "./grpc-access-logs.ts";

export function decodeAccessLogs(
  logs: readonly AccessLog[],
  context: DecodeContext,
): readonly AccessLogConfig[] {
  return logs.flatMap((log) => {
    const request = { name: log.name, any: log.configType.value };
    const found = findExtension("access logger", request, context);
    if (!found) return [];
    const filter = log.filter ? decodeFilter(log.filter, context) : undefined;
    return decodeLogger(found, filter, context) ?? [];
  });
}

function decodeLogger(
  found: FoundExtension,
  filter: AccessLogFilter | undefined,
  context: DecodeContext,
): AccessLogConfig | undefined {
  const { kind } = found.extension;
  if (kind === "httpGrpcAccessLog") return decodeHttpGrpcLog(found, filter, context);
  if (kind === "tcpGrpcAccessLog") return decodeTcpGrpcLog(found, filter, context);
  const lines = decodeLines(found, context);
  return lines && { kind: "line", ...lines, filter };
}

function decodeLines(
  { extension, config }: FoundExtension,
  context: DecodeContext,
): Pick<LineLogConfig, "sink" | "format"> | undefined {
  if (extension.kind === "fileAccessLog") {
    const schema = context.protos.schema<FileAccessLog>(
      "envoy.extensions.access_loggers.file.v3.FileAccessLog",
    );
    const file = context.read(config, schema);
    return (
      file && { sink: { kind: "file", path: file.path }, format: decodeFileFormat(file, context) }
    );
  }
  const kind = extension.kind === "stdoutAccessLog" ? "stdout" : "stderr";
  const schema =
    kind === "stdout"
      ? context.protos.schema<StdoutAccessLog>(
          "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog",
        )
      : context.protos.schema<StderrAccessLog>(
          "envoy.extensions.access_loggers.stream.v3.StderrAccessLog",
        );
  const stream = context.read<StdoutAccessLog | StderrAccessLog>(config, schema);
  return stream && { sink: { kind }, format: decodeFormat(stream.accessLogFormat.value, context) };
}

/** Never matches: stands for a filter that was refused. */
const noRequest: AccessLogFilter = { kind: "or", filters: [] };

function decodeFilter(
  { filterSpecifier: filter }: FilterMessage,
  context: DecodeContext,
): AccessLogFilter {
  switch (filter.case) {
    case "statusCodeFilter": {
      const { op, value } = decodeComparison(filter.value.comparison);
      return { kind: "statusCode", op, value };
    }
    case "durationFilter": {
      const { op, value } = decodeComparison(filter.value.comparison);
      return { kind: "duration", op, valueMs: value };
    }
    case "notHealthCheckFilter":
      return { kind: "notHealthCheck" };
    case "responseFlagFilter":
      return { kind: "responseFlag", flags: filter.value.flags };
    case "andFilter":
      return {
        kind: "and",
        filters: filter.value.filters.map((one) => decodeFilter(one, context)),
      };
    case "orFilter":
      return { kind: "or", filters: filter.value.filters.map((one) => decodeFilter(one, context)) };
    case "grpcStatusFilter":
      return {
        kind: "grpcStatus",
        statuses: filter.value.statuses,
        excludes: filter.value.exclude,
      };
    case "extensionFilter": {
      const { name } = filter.value;
      findExtension("access log filter", { name, any: filter.value.configType.value }, context);
      return noRequest;
    }
    case "traceableFilter":
    case "runtimeFilter":
    case "headerFilter":
    case "metadataFilter":
    case "logTypeFilter":
    case undefined:
      context.refuse(`access log filter ${filter.case ?? "without a kind"} is not supported`);
      return noRequest;
    default:
      return filter satisfies never;
  }
}

/** By the numbers of `ComparisonFilter.Op`. */
const operators = ["eq", "ge", "le", "ne"] as const;

function decodeComparison(comparison: ComparisonFilter | undefined): {
  readonly op: (typeof operators)[number];
  readonly value: RuntimeDefault;
} {
  return {
    op: operators[comparison?.op ?? 0] ?? "eq",
    value: {
      runtimeKey: comparison?.value?.runtimeKey ?? "",
      otherwise: comparison?.value?.defaultValue ?? 0,
    },
  };
}
