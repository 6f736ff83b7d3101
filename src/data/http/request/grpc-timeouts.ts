/**
 * How long a request may last by its route, and by its own `grpc-timeout` within the route's limits (docs:
 * `RouteAction.MaxStreamDuration`, and `max_grpc_timeout`, which it has replaced; measured on Envoy 1.40).
 */
import type { ClusterAction } from "../../../shared/config/route-config.ts";

/** What holds for one request; undefined: what holds for all. */
export interface RequestLimits {
  /** From the request's beginning; `none`: for ever, 0: at once. */
  readonly durationMs: number | "none" | undefined;
  /** Of the route, from the request's end; 0: none. */
  readonly timeoutMs: number | undefined;
  /** What the host is told in `grpc-timeout`, in milliseconds. */
  readonly toldMs: number | undefined;
}

export const noLimits: RequestLimits = {
  durationMs: undefined,
  timeoutMs: undefined,
  toldMs: undefined,
};

const unitMs: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1_000,
  m: 1,
  u: 1e-3,
  n: 1e-6,
};

/** Whole milliseconds, rounded up; undefined: it is none (gRPC over HTTP2: at most eight digits and a unit). */
export function parseGrpcTimeout(text: string | undefined): number | undefined {
  const [, digits, unit = ""] = /^(\d{1,8})([HMSmun])$/.exec(text ?? "") ?? [];
  return digits === undefined ? undefined : Math.ceil(Number(digits) * (unitMs[unit] ?? 0));
}

/** `header`: of `grpc-timeout`. */
export function requestLimits(
  { streamDuration, grpcTimeout }: ClusterAction,
  isGrpc: boolean,
  header: string | undefined,
): RequestLimits {
  const asked = parseGrpcTimeout(header);
  if (streamDuration !== undefined) {
    const { maxMs, grpcHeaderMaxMs, grpcHeaderOffsetMs } = streamDuration;
    if (asked !== undefined && grpcHeaderMaxMs !== undefined) {
      const durationMs = shortened(capped(asked, grpcHeaderMaxMs), grpcHeaderOffsetMs);
      return { ...noLimits, durationMs, toldMs: isGrpc ? durationMs : undefined };
    }
    if (maxMs === undefined) return noLimits;
    if (maxMs === 0) return { ...noLimits, durationMs: "none" };
    return { ...noLimits, durationMs: maxMs, toldMs: isGrpc ? maxMs : undefined };
  }
  if (grpcTimeout === undefined || !isGrpc) return noLimits;
  const { maxMs, offsetMs } = grpcTimeout;
  const wanted = asked ?? 0;
  const left = offsetMs < wanted ? wanted - offsetMs : wanted;
  const timeoutMs = maxMs > 0 && (left === 0 || left > maxMs) ? maxMs : left;
  return { ...noLimits, timeoutMs, toldMs: timeoutMs > 0 ? timeoutMs : undefined };
}

function capped(ms: number, maxMs: number): number {
  return maxMs > 0 ? Math.min(ms, maxMs) : ms;
}

/** Never below nothing, which ends it at once. */
function shortened(ms: number, offsetMs: number): number {
  return Math.max(0, ms - offsetMs);
}
