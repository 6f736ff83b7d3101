import assert from "node:assert/strict";
import { test } from "node:test";
import type { Http2Options } from "../../../src/shared/config/http-config.ts";
import { decodeClusterYaml, errorsOf, valueOf } from "../../support/config-tools.ts";
import { http2Options } from "../../support/http2-options.ts";

const withOptions = (options: string): ReturnType<typeof decodeClusterYaml> =>
  decodeClusterYaml(
    `{name: a, load_assignment: {cluster_name: a}, http2_protocol_options: {${options}}}`,
  );
const decoded = (options: string): Http2Options => valueOf(withOptions(options)).config.http2;

test("each option is where it belongs", () => {
  assert.deepEqual(
    decoded(
      "hpack_table_size: 1, max_concurrent_streams: 2, initial_stream_window_size: 65536, initial_connection_window_size: 65537, max_outbound_frames: 3, max_outbound_control_frames: 4, max_consecutive_inbound_frames_with_empty_payload: 5, max_inbound_priority_frames_per_stream: 6, max_inbound_window_update_frames_per_data_frame_sent: 7, allow_metadata: true, max_metadata_size: 8, connection_keepalive: {interval: 1s, timeout: 2s, interval_jitter: {value: 3}, connection_idle_interval: 4s}, enable_huffman_encoding: true",
    ),
    http2Options({
      hpackTableBytes: 1,
      usesHuffman: true,
      maxConcurrentStreams: 2,
      streamWindowBytes: 65_536,
      connectionWindowBytes: 65_537,
      maxOutboundFrames: 3,
      maxOutboundControlFrames: 4,
      maxConsecutiveEmptyFrames: 5,
      maxPriorityFramesPerStream: 6,
      maxWindowUpdatesPerDataFrame: 7,
      allowsMetadata: true,
      maxMetadataBytes: 8,
      keepalive: { intervalMs: 1_000, timeoutMs: 2_000, jitterPercent: 3, idleIntervalMs: 4_000 },
    }),
  );
});

test("the newer word on malformed messages wins", () => {
  const isOfStream = (options: string): boolean => decoded(options).streamErrorOnInvalidMessage;
  const older = "stream_error_on_invalid_http_messaging: true";
  assert.equal(isOfStream(""), false);
  assert.equal(isOfStream(older), true);
  assert.equal(isOfStream(`${older}, override_stream_error_on_invalid_http_message: false`), false);
  assert.equal(isOfStream("override_stream_error_on_invalid_http_message: true"), true);
});

const custom = (...pairs: readonly (readonly [id: number, value: number])[]): string =>
  `custom_settings_parameters: [${pairs.map(([identifier, value]) => `{identifier: ${identifier}, value: ${value}}`).join(", ")}]`;

test("custom settings stand for fields, or are sent as they are", () => {
  const options = decoded(custom([3, 5], [1, 6], [4, 70_000], [2, 0], [9, 7], [9, 7]));
  assert.deepEqual(
    [options.maxConcurrentStreams, options.hpackTableBytes, options.streamWindowBytes],
    [5, 6, 70_000],
  );
  assert.deepEqual(options.customSettings, [[9, 7]]);
});

/** Envoy's words, but for the last. */
const refused: readonly (readonly [options: string, error: RegExp])[] = [
  [
    `max_concurrent_streams: 3, ${custom([3, 4])}`,
    /the \{max_concurrent_streams\} HTTP\/2 SETTINGS parameter\(s\) can not be configured through both named and custom parameters/,
  ],
  [custom([2, 1]), /server push is not supported by Envoy/],
  [
    custom([8, 1]),
    /the "allow_connect" SETTINGS parameter must only be configured through the named field/,
  ],
  [
    custom([9, 1], [9, 2]),
    /inconsistent HTTP\/2 custom SETTINGS parameter\(s\) detected; identifiers = \{0x09\}/,
  ],
  [custom([70_000, 1]), /identifier/i],
  [custom([5, 20_000]), /SETTINGS_MAX_FRAME_SIZE other than 16384 is not supported/],
];

test("settings that contradict are refused", () => {
  for (const [options, error] of refused)
    assert.match(errorsOf(withOptions(options)).join("\n"), error, options);
});
