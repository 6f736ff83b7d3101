/** Durations of protobuf as milliseconds: what every timeout of a configuration is. */
import type { Duration } from "@bufbuild/protobuf/wkt";

/** Milliseconds, rounded up so that a short timeout never becomes none. */
export function durationMs(duration: Duration): number {
  return Number(duration.seconds) * 1000 + Math.ceil(duration.nanos / 1e6);
}

/** As `durationMs`; what is not set is `otherwise`. */
export function durationMsOr(duration: Duration | undefined, otherwise: number): number {
  return duration ? durationMs(duration) : otherwise;
}
