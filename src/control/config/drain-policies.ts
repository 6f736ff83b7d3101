/**
 * How a listener drains, from its metadata: `filter_metadata["sluice.drain"]`, a struct that reads as
 * `sluice.drain.v1.DrainPolicy`. Metadata, so that a stock control plane can send it through.
 *
 * People write words in small letters (`strategy: gradual`), protobuf's JSON knows constants: both are taken.
 */
import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import type { DrainPolicy as PolicyMessage } from "../../../gen/es/sluice/drain/v1/drain_policy_pb.d.ts";
import { type DrainPolicy, drainMsMax } from "../../shared/drain/drain.ts";
import { durationMs } from "../proto/duration.ts";
import { readJson } from "../proto/json.ts";
import type { DecodeContext } from "./decode-context.ts";

export const drainMetadataKey = "sluice.drain";

/** By the numbers of the enums; 0 is unspecified. */
const strategies = [undefined, "gradual", "immediate"] as const;
const idles = [undefined, "close", "spread", "keep"] as const;
const streams = [undefined, "finish", "deadline"] as const;
const tcps = [undefined, "deadline", "spread", "keep"] as const;
const webSockets = [undefined, "deadline", "close"] as const;
/** Fields whose values are names of constants, with what stands before the word in each. */
const constantPrefixes: Readonly<Record<string, string>> = {
  strategy: "",
  idle: "IDLE_",
  streams: "STREAMS_",
  tcp: "TCP_",
  websocket: "WEBSOCKET_",
};

export function decodeDrainPolicy(
  struct: JsonObject | undefined,
  context: DecodeContext,
): Partial<DrainPolicy> {
  if (!struct) return {};
  const schema = context.protos.schema<PolicyMessage>("sluice.drain.v1.DrainPolicy");
  const read = readJson(context.protos, schema, withConstants(struct));
  if (!read.ok) {
    for (const error of read.errors) context.refuse(`metadata '${drainMetadataKey}': ${error}`);
    return {};
  }
  return fromMessage(read.value, context);
}

/** `idle: keep` as `idle: IDLE_KEEP`. */
function withConstants(struct: JsonObject): JsonObject {
  const entries = Object.entries(struct).map(([key, value]): [string, JsonValue] => {
    const prefix = constantPrefixes[key];
    if (prefix === undefined || typeof value !== "string") return [key, value];
    const name = value.toUpperCase();
    return [key, name.startsWith(prefix) ? name : prefix + name];
  });
  return Object.fromEntries(entries);
}

function fromMessage(message: PolicyMessage, context: DecodeContext): Partial<DrainPolicy> {
  const { time, idleGrace, maxGenerations } = message;
  const strategy = strategies[message.strategy];
  const idle = idles[message.idle];
  const ofStreams = streams[message.streams];
  const tcp = tcps[message.tcp];
  const webSocket = webSockets[message.websocket];
  const problem = problemOf(message);
  if (problem !== undefined) context.refuse(`metadata '${drainMetadataKey}': ${problem}`);
  return {
    ...(time && { timeMs: durationMs(time) }),
    ...(strategy && { strategy }),
    ...(idle && { idle }),
    ...(idleGrace && { idleGraceMs: durationMs(idleGrace) }),
    ...(ofStreams && { streams: ofStreams }),
    ...(tcp && { tcp }),
    ...(webSocket && { webSocket }),
    ...(maxGenerations !== undefined && { maxGenerations }),
  };
}

/** What protobuf cannot know. */
function problemOf({ time, idleGrace, maxGenerations }: PolicyMessage): string | undefined {
  for (const [name, duration] of Object.entries({ time, idle_grace: idleGrace })) {
    const ms = duration ? durationMs(duration) : 0;
    if (ms < 0) return `${name} must not be negative`;
    if (ms > drainMsMax) return `${name} must be at most ${drainMsMax / 1_000} seconds`;
  }
  return maxGenerations === 0 ? "max_generations must be at least 1" : undefined;
}
