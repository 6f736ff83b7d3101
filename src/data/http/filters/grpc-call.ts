/** A call of gRPC, as filters name and count it (Envoy: `Grpc::Context`). */
import type { Fields } from "../../../shared/http-filter/http-filter.ts";
import { grpcCallStats } from "../../../shared/stats/stat-names.ts";
import type { CallCounts } from "../../upstream/grpc-calls.ts";

const success = grpcCallStats.offset("success");
const failure = grpcCallStats.offset("failure");
const total = grpcCallStats.offset("total");
const statusOffsets = new Map(grpcCallStats.members.map(({ name, offset }) => [name, offset]));
const statusPattern = /^\d+$/;

export interface CallName {
  readonly service: string;
  readonly method: string;
}

/** Undefined: it is no path of a method. */
export function callOf(path: string): CallName | undefined {
  const [before, service, method, ...rest] = (path.split("?", 1)[0] ?? "").split("/");
  if (before !== "" || !service || !method || rest.length > 0) return undefined;
  return { service, method };
}

/** The status that a head or trailers say, if they do: one with both counts twice, as in Envoy. */
export function countStatus(counts: CallCounts, fields: Fields): void {
  const status = fields.get("grpc-status");
  if (status === undefined) return;
  const offset = statusPattern.test(status) ? statusOffsets.get(status) : undefined;
  if (offset !== undefined) counts.count(offset);
  counts.count(status === "0" ? success : failure);
  counts.count(total);
}
