/** Which requests an access log is for (Envoy: `AccessLogFilter`). */
import type { AccessLogFilter } from "../../../shared/config/access-log-config.ts";
import type { Runtime } from "../../upstream/worker-runtime.ts";
import type { StreamInfo } from "../../network/stream-info.ts";
import { grpcStatusOf, grpcStatusOfHttp } from "../grpc.ts";

/** Kept for as long as a filter asks for it. */
export const grpcStatusField = "grpc-status";

/** A runtime key may override what is compared with. */
export function passesFilter(
  filter: AccessLogFilter,
  info: StreamInfo,
  runtime: Pick<Runtime, "integer">,
): boolean {
  switch (filter.kind) {
    case "statusCode":
      return compare(filter.op, info.responseCode, runtime.integer(filter.value));
    case "duration":
      return compare(filter.op, info.endMs - info.startMs, runtime.integer(filter.valueMs));
    case "responseFlag":
      // No flags named: any flag will do.
      return info.responseFlags.some(
        (flag) => filter.flags.length === 0 || filter.flags.includes(flag),
      );
    case "notHealthCheck":
      return !info.isHealthCheck;
    case "grpcStatus":
      return filter.statuses.includes(statusOf(info)) !== filter.excludes;
    case "and":
      return filter.filters.every((inner) => passesFilter(inner, info, runtime));
    case "or":
      return filter.filters.some((inner) => passesFilter(inner, info, runtime));
    default:
      return filter satisfies never;
  }
}

/** What the response says, whatever the request was, or what its HTTP status means. */
function statusOf(info: StreamInfo): number {
  const said = info.responseTrailer(grpcStatusField) ?? info.responseHeader(grpcStatusField);
  return grpcStatusOf(said) ?? grpcStatusOfHttp(info.responseCode);
}

function compare(op: "eq" | "ge" | "le" | "ne", left: number, right: number): boolean {
  switch (op) {
    case "eq":
      return left === right;
    case "ge":
      return left >= right;
    case "le":
      return left <= right;
    case "ne":
      return left !== right;
    default:
      return op satisfies never;
  }
}
