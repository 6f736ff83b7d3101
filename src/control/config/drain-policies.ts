/**
 * How a listener drains, from its metadata: `filter_metadata["sluice.drain"]`, a struct that reads as
 * `sluice.drain.v1.DrainPolicy`. Metadata, so that a stock control plane can send it through.
 */
import type { JsonObject } from "@bufbuild/protobuf";
import type { DrainPolicy as PolicyMessage } from "../../../gen/es/sluice/drain/v1/drain_policy_pb.d.ts";
import type { DrainPolicy } from "../../shared/drain/drain.ts";
import { durationMs } from "../proto/duration.ts";
import { readJson } from "../proto/json.ts";
import type { DecodeContext } from "./decode-context.ts";

export const drainMetadataKey = "sluice.drain";

/** By the numbers of the enums; 0 is unspecified. */
const strategies = [undefined, "gradual", "immediate"] as const;
const atDeadlines = [undefined, "cut", "keep"] as const;

export function decodeDrainPolicy(
  struct: JsonObject | undefined,
  context: DecodeContext,
): Partial<DrainPolicy> {
  if (!struct) return {};
  const schema = context.protos.schema<PolicyMessage>("sluice.drain.v1.DrainPolicy");
  const read = readJson(context.protos, schema, struct);
  if (!read.ok) {
    for (const error of read.errors) context.refuse(`metadata '${drainMetadataKey}': ${error}`);
    return {};
  }
  return fromMessage(read.value, context);
}

function fromMessage(message: PolicyMessage, context: DecodeContext): Partial<DrainPolicy> {
  const { time, idle } = message;
  const strategy = strategies[message.strategy];
  const atDeadline = atDeadlines[message.streams] ?? "cut";
  // One answer for a whole drain: `Drain` tells when it has ended, and that is one moment.
  if (atDeadline !== (atDeadlines[message.tcp] ?? "cut"))
    context.refuse(`metadata '${drainMetadataKey}': streams and tcp must be the same`);
  if ((time && durationMs(time) < 0) || (idle && durationMs(idle) < 0))
    context.refuse(`metadata '${drainMetadataKey}': a duration must not be negative`);
  return {
    ...(time && { timeMs: durationMs(time) }),
    ...(strategy && { strategy }),
    ...(idle && { idleGraceMs: durationMs(idle) }),
    ...(message.streams + message.tcp > 0 && { atDeadline }),
  };
}
