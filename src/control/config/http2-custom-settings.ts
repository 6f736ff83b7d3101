/**
 * `Http2ProtocolOptions.custom_settings_parameters`: SETTINGS by their numbers. Those that have a field of their own stand for
 * it; of the others we send what is given, and nothing here depends on it.
 */
import type { Http2ProtocolOptions } from "../../../gen/es/envoy/config/core/v3/protocol_pb.d.ts";
import type { DecodeContext } from "./decode-context.ts";

/** RFC 9113 §6.5.2, RFC 8441 §3. */
const id = {
  headerTableSize: 1,
  enablePush: 2,
  maxConcurrentStreams: 3,
  initialWindowSize: 4,
  maxFrameSize: 5,
  enableConnectProtocol: 8,
} as const;

/** The largest frame that we read; no peer may be told of less. */
const frameBytesMax = 16_384;

export interface CustomSettings {
  readonly hpackTableSize: number | undefined;
  readonly maxConcurrentStreams: number | undefined;
  readonly initialStreamWindowSize: number | undefined;
  /** What has no field. */
  readonly others: readonly (readonly [id: number, value: number])[];
}

export function decodeCustomSettings(
  options: Http2ProtocolOptions | undefined,
  context: DecodeContext,
): CustomSettings {
  const values = new Map<number, number>();
  const inconsistent = new Set<string>();
  for (const { identifier = 0, value = 0 } of options?.customSettingsParameters ?? []) {
    const before = values.get(identifier);
    if (before !== undefined && before !== value)
      inconsistent.add(`0x${identifier.toString(16).padStart(2, "0")}`);
    values.set(identifier, value);
  }
  if (inconsistent.size > 0)
    context.refuse(
      `inconsistent HTTP/2 custom SETTINGS parameter(s) detected; identifiers = {${[...inconsistent].join(",")}}`,
    );
  judge(values, options, context);
  return {
    hpackTableSize: taken(values, id.headerTableSize),
    maxConcurrentStreams: taken(values, id.maxConcurrentStreams),
    initialStreamWindowSize: taken(values, id.initialWindowSize),
    others: [...values].filter(([each]) => each !== id.enablePush && each !== id.maxFrameSize),
  };
}

function judge(
  values: ReadonlyMap<number, number>,
  options: Http2ProtocolOptions | undefined,
  context: DecodeContext,
): void {
  if ((values.get(id.enablePush) ?? 0) !== 0)
    context.refuse(
      "server push is not supported by Envoy and can not be enabled via a SETTINGS parameter.",
    );
  if (values.has(id.enableConnectProtocol))
    context.refuse(
      'the "allow_connect" SETTINGS parameter must only be configured through the named field',
    );
  if ((values.get(id.maxFrameSize) ?? frameBytesMax) !== frameBytesMax)
    context.refuse(
      `custom_settings_parameters: SETTINGS_MAX_FRAME_SIZE other than ${frameBytesMax} is not supported`,
    );
  const named = [
    ["hpack_table_size", id.headerTableSize, options?.hpackTableSize],
    ["max_concurrent_streams", id.maxConcurrentStreams, options?.maxConcurrentStreams],
    ["initial_stream_window_size", id.initialWindowSize, options?.initialStreamWindowSize],
  ] as const;
  const twice = named.filter(([, each, value]) => values.has(each) && value !== undefined);
  if (twice.length > 0)
    context.refuse(
      `the {${twice.map(([name]) => name).join(",")}} HTTP/2 SETTINGS parameter(s) can not be configured through both named and custom parameters`,
    );
}

function taken(values: Map<number, number>, each: number): number | undefined {
  const value = values.get(each);
  values.delete(each);
  return value;
}
