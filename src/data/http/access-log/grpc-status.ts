/** How a status of gRPC is printed (docs: `%GRPC_STATUS(X)%`; names are those of grpc/status.h). */
import type { StreamInfo } from "../../network/stream-info.ts";

const snakeNames = [
  "OK",
  "CANCELLED",
  "UNKNOWN",
  "INVALID_ARGUMENT",
  "DEADLINE_EXCEEDED",
  "NOT_FOUND",
  "ALREADY_EXISTS",
  "PERMISSION_DENIED",
  "RESOURCE_EXHAUSTED",
  "FAILED_PRECONDITION",
  "ABORTED",
  "OUT_OF_RANGE",
  "UNIMPLEMENTED",
  "INTERNAL",
  "UNAVAILABLE",
  "DATA_LOSS",
  "UNAUTHENTICATED",
] as const;

/** `OK` stays; Envoy writes the second one with one L here. */
const camelNames = snakeNames.map((name) => {
  if (name === "OK") return name;
  if (name === "CANCELLED") return "Canceled";
  return name.toLowerCase().replaceAll(/(?:^|_)(\w)/g, (_, letter: string) => letter.toUpperCase());
});

/** `form`: `NUMBER`, `SNAKE_STRING`, or anything else for the default. Unknown numbers stay numbers. */
export function grpcStatusPrinter(form: string): (info: StreamInfo) => string | number | undefined {
  if (form === "NUMBER") return (info) => info.grpcStatus;
  const names: readonly string[] = form === "SNAKE_STRING" ? snakeNames : camelNames;
  return ({ grpcStatus }) =>
    grpcStatus === undefined ? undefined : (names[grpcStatus] ?? String(grpcStatus));
}
