/** Which requests an access log is for (Envoy: `AccessLogFilter`). */
import type { AccessLogFilter } from "../../../shared/config/access-log-config.ts";
import type { StreamInfo } from "../../network/stream-info.ts";

export function passesFilter(filter: AccessLogFilter, info: StreamInfo): boolean {
  switch (filter.kind) {
    case "statusCode":
      return compare(filter.op, info.responseCode, filter.value);
    case "duration":
      return compare(filter.op, info.endMs - info.startMs, filter.valueMs);
    case "responseFlag":
      // No flags named: any flag will do.
      return info.responseFlags.some(
        (flag) => filter.flags.length === 0 || filter.flags.includes(flag),
      );
    case "notHealthCheck":
      return !info.isHealthCheck;
    case "and":
      return filter.filters.every((inner) => passesFilter(inner, info));
    case "or":
      return filter.filters.some((inner) => passesFilter(inner, info));
    default:
      return filter satisfies never;
  }
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
