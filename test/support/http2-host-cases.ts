/** What hosts of HTTP/2 say, grouped by what becomes of the request. Names are paths and clusters. */
import { errorCode, frameType, streamIdMax, windowMax } from "../../src/data/http/http2/frames.ts";
import {
  answers,
  answersWhole,
  data,
  goaway,
  headFrames,
  lastData,
  resets,
  trailers,
  windowUpdate,
} from "./http2-frames.ts";
import { block, type Fields, frame } from "./raw-http2.ts";
import type { HostScript } from "./scripted-http2-host.ts";

export interface HostCase {
  readonly script: HostScript;
  readonly request?: "GET" | "HEAD" | "POST";
  /** Of its route. */
  readonly route?: object;
  /** `http2_protocol_options`. */
  readonly options?: object;
  /** In place of the host's first SETTINGS. */
  readonly hello?: Buffer;
}

interface Outcome {
  /** Status, flags, details of the log; of these `before` and `after` the response began. */
  readonly told: string;
  /** Stats of the cluster, of those that are watched. */
  readonly counted: readonly string[];
}

export interface HostCaseGroup extends Outcome {
  /** Where Envoy does otherwise. */
  readonly envoy?: Partial<Outcome>;
  readonly cases: Readonly<Record<string, HostCase>>;
}

/** Says these frames to each request. */
const says = (frames: (id: number) => Buffer, more: Omit<HostCase, "script"> = {}): HostCase => ({
  script: ({ id, send }) => send(frames(id)),
  ...more,
});
const head = (fields: Fields, more: Omit<HostCase, "script"> = {}): HostCase =>
  says((id) => headFrames(id, fields, true), more);
const field = (name: string, value: string): HostCase =>
  head([
    [":status", "200"],
    [name, value],
  ]);
/** The head, a part of the body, and then these. */
const breaksOff = (frames: (id: number) => Buffer): HostCase =>
  says((id) => Buffer.concat([answers(id), data(id, "abc"), frames(id)]));
const many = (count: number, frames: Buffer): Buffer =>
  Buffer.concat(Array.from({ length: count }, () => frames));
const fieldsOf = (count: number, value: string): Fields =>
  Array.from({ length: count }, (_, i) => [`f${i}`, value] as const);
const length = (bytes: string): Fields => [["content-length", bytes]];
const ping = frame(frameType.ping, 0, 0, "x");
const streamErrors = { override_stream_error_on_invalid_http_message: true };
const retriesRefused = { retry_policy: { retry_on: "refused-stream" } };

const connectionEnds = [
  "upstream_cx_destroy_remote",
  "upstream_cx_destroy_remote_with_active_rq",
  "upstream_cx_destroy_with_active_rq",
  "upstream_rq_pending_failure_eject",
];
const brokeProtocol = [
  "upstream_cx_destroy_local",
  "upstream_cx_protocol_error",
  "upstream_rq_tx_reset",
];
const resetByUs = ["http2.tx_reset", "upstream_rq_tx_reset"];
const saysGoaway = ["upstream_cx_close_notify", "upstream_cx_destroy_local"];
const refusedOnce = "503 UR before remote_refused_stream_reset";
const oneRetry = [
  "upstream_rq_retry",
  "upstream_rq_retry_backoff_exponential",
  "upstream_rq_retry_success",
];

export const hostCaseGroups: readonly HostCaseGroup[] = [
  {
    told: "200 - via_upstream",
    counted: [],
    cases: {
      plain: says(answersWhole),
      "100-first": says((id) => Buffer.concat([answers(id, "100"), answersWhole(id)])),
      "103-first": says((id) =>
        Buffer.concat([answers(id, "103", [["link", "x"]]), answersWhole(id)]),
      ),
      "trailers-behind": breaksOff((id) => trailers(id, [["a", "b"]])),
      "head-with-length": says((id) => answersWhole(id, "200", length("5")), { request: "HEAD" }),
      "head-and-empty-data": says(
        (id) => Buffer.concat([answers(id, "200", length("5")), lastData(id, "")]),
        { request: "HEAD" },
      ),
      "fifty-kilobytes": says((id) => answersWhole(id, "200", fieldsOf(50, "v".repeat(1000)))),
      "unknown-frames": says((id) =>
        Buffer.concat([frame(0x42, 0, 0, "x"), frame(0xa, 0, 0, "xx"), answersWhole(id)]),
      ),
      "a-hundred-pings": says((id) =>
        Buffer.concat([many(100, frame(frameType.ping, 0, 0, "12345678")), answersWhole(id)]),
      ),
    },
  },
  {
    told: "204 - via_upstream",
    counted: [],
    cases: {
      "204": says((id) => answersWhole(id, "204")),
      "204-of-length-0": says((id) => answersWhole(id, "204", length("0"))),
      "204-and-empty-data": says((id) => Buffer.concat([answers(id, "204"), lastData(id, "")])),
    },
  },
  {
    told: "304 - via_upstream",
    counted: [],
    cases: { "304-with-length": says((id) => answersWhole(id, "304", length("5"))) },
  },
  {
    told: "200 - via_upstream",
    counted: resetByUs,
    cases: { "answered-early": says(answersWhole, { request: "POST" }) },
  },
  // What the host resets.
  {
    told: "503 UR before remote_reset",
    counted: ["http2.rx_reset", "upstream_rq_rx_reset"],
    cases: {
      "reset-no-error": says((id) => resets(id, errorCode.noError)),
      "reset-internal": says((id) => resets(id, errorCode.internalError)),
      "reset-cancel": says((id) => resets(id, errorCode.cancel)),
      "reset-calm": says((id) => resets(id, errorCode.enhanceYourCalm)),
    },
  },
  {
    told: "502 UPE before protocol_error",
    counted: ["http2.rx_reset", "upstream_rq_tx_reset"],
    cases: { "reset-protocol": says((id) => resets(id, errorCode.protocolError)) },
  },
  {
    told: "503 UR before remote_error_with_CONNECT_request",
    counted: ["http2.rx_reset"],
    cases: { "reset-connect": says((id) => resets(id, errorCode.connectError)) },
  },
  {
    told: refusedOnce,
    // It was sent once more.
    counted: ["http2.rx_reset: 2"],
    envoy: { counted: ["http2.rx_reset"] },
    cases: { "reset-refused": says((id) => resets(id, errorCode.refusedStream)) },
  },
  {
    told: "200 - via_upstream",
    counted: ["http2.rx_reset", ...oneRetry],
    cases: {
      "refused-once": {
        script: ({ id, number, send }) =>
          send(number === 1 ? resets(id, errorCode.refusedStream) : answersWhole(id)),
        route: retriesRefused,
      },
    },
  },
  {
    told: "200 UR after remote_reset",
    counted: ["http2.rx_reset", "upstream_rq_rx_reset"],
    cases: {
      "reset-late-no-error": breaksOff((id) => resets(id, errorCode.noError)),
      "reset-late-cancel": breaksOff((id) => resets(id, errorCode.cancel)),
    },
  },
  {
    told: "200 UR after remote_refused_stream_reset",
    counted: ["http2.rx_reset"],
    cases: { "refused-late": breaksOff((id) => resets(id, errorCode.refusedStream)) },
  },
  // What the host's connection does.
  {
    told: "503 UC before connection_termination",
    counted: connectionEnds,
    cases: { fin: { script: ({ end }) => end() }, rst: { script: ({ reset }) => reset() } },
  },
  {
    told: "200 UC after connection_termination",
    counted: connectionEnds,
    cases: {
      "fin-late": {
        script: ({ id, send, end }) => {
          send(answers(id), data(id, "abc"));
          end();
        },
      },
    },
  },
  {
    told: "503 UC before connection_termination",
    counted: ["upstream_cx_close_notify", ...connectionEnds],
    cases: {
      "goaway-that-keeps-it": {
        script: ({ id, send, end }) => {
          send(goaway(id, errorCode.noError));
          end();
        },
      },
    },
  },
  {
    told: refusedOnce,
    counted: ["upstream_cx_close_notify: 2", "upstream_cx_destroy_local: 2"],
    envoy: { counted: saysGoaway },
    cases: {
      "goaway-that-refuses-it": says(() => goaway(0, errorCode.noError)),
      "goaway-calm": says(() => goaway(0, errorCode.enhanceYourCalm)),
    },
  },
  {
    told: "200 - via_upstream",
    counted: [...saysGoaway, ...oneRetry],
    cases: {
      "goaway-first": {
        script: ({ id, number, send }) =>
          send(number === 1 ? goaway(0, errorCode.noError) : answersWhole(id)),
        route: retriesRefused,
      },
    },
  },
  {
    told: "200 - via_upstream",
    counted: saysGoaway,
    // It counts an error of a connection that it closes itself.
    envoy: { counted: [...saysGoaway, "upstream_cx_protocol_error"] },
    cases: {
      "goaway-and-answer": says((id) =>
        Buffer.concat([goaway(id, errorCode.noError), answersWhole(id)]),
      ),
      "goaway-twice-and-answer": says((id) =>
        Buffer.concat([
          goaway(streamIdMax, errorCode.noError),
          goaway(id, errorCode.noError),
          answersWhole(id),
        ]),
      ),
    },
  },
  {
    told: "200 UR after remote_refused_stream_reset",
    counted: saysGoaway,
    cases: { "goaway-late": breaksOff(() => goaway(0, errorCode.noError)) },
  },
  // What is no HTTP/2.
  {
    told: "502 UPE before protocol_error",
    counted: brokeProtocol,
    cases: {
      "ping-of-one-byte": says(() => ping),
      pushes: says((id) => frame(frameType.pushPromise, 4, id, "\0\0\0\u0002")),
      "http-1": { script: () => {}, hello: Buffer.from("HTTP/1.1 400 Bad Request\r\n\r\n") },
      "no-settings": says(answersWhole, { hello: Buffer.alloc(0) }),
      "body-before-head": says((id) => lastData(id, "x")),
      "connection-window-overflow": says(() => windowUpdate(0, windowMax)),
    },
  },
  {
    told: "200 UPE after protocol_error",
    counted: brokeProtocol,
    cases: { "ping-of-one-byte-late": breaksOff(() => ping) },
  },
  {
    told: "502 UPE before protocol_error",
    counted: resetByUs,
    // It ends the connection, which RFC 9113 does not ask for (§6.9, §6.9.1).
    envoy: { counted: brokeProtocol },
    cases: {
      "stream-window-overflow": says((id) => windowUpdate(id, windowMax)),
      "increment-of-nothing": says((id) => windowUpdate(id, 0)),
    },
  },
  {
    told: "200 UPE after protocol_error",
    counted: ["http2.inbound_empty_frames_flood", ...brokeProtocol],
    cases: { "empty-frames": breaksOff((id) => many(5, data(id, ""))) },
  },
  {
    told: "502 UPE before protocol_error",
    counted: ["http2.inbound_priority_frames_flood", ...brokeProtocol],
    cases: { priorities: says((id) => many(300, frame(frameType.priority, 0, id, "12345"))) },
  },
  {
    told: "502 UPE before protocol_error",
    counted: ["http2.inbound_window_update_frames_flood", ...brokeProtocol],
    cases: { "window-updates": says((id) => many(300, windowUpdate(id, 1))) },
  },
  // What is no HTTP.
  {
    told: "502 UPE before protocol_error",
    counted: ["http2.rx_messaging_error", ...brokeProtocol],
    cases: {
      "no-status": head([["a", "b"]]),
      "status-of-letters": says((id) => answersWhole(id, "2xx")),
      "status-of-four": says((id) => answersWhole(id, "2000")),
      "two-statuses": field(":status", "200"),
      "101": says((id) => answers(id, "101")),
      "103-is-all": says((id) => answersWhole(id, "103")),
      "upper-case": field("A", "b"),
      "field-connection": field("connection", "close"),
      "field-keep-alive": field("keep-alive", "x"),
      "field-transfer-encoding": field("transfer-encoding", "chunked"),
      "field-upgrade": field("upgrade", "x"),
      "field-proxy-connection": field("proxy-connection", "x"),
      "line-break": field("a", "b\r\nc: d"),
      nul: field("a", "b\0d"),
      "path-of-a-response": field(":path", "/"),
      "status-late": head([
        ["a", "b"],
        [":status", "200"],
      ]),
      "two-lengths": says((id) => answers(id, "200", [...length("1"), ...length("2")])),
      "length-twice": says((id) => answers(id, "200", [...length("1"), ...length("1")])),
      "length-of-letters": field("content-length", "x"),
      "length-of-nothing": field("content-length", "1"),
      "204-of-length-5": says((id) => answersWhole(id, "204", length("5"))),
    },
  },
  {
    told: "502 UPE before protocol_error",
    counted: ["http2.rx_messaging_error", ...resetByUs],
    cases: {
      "stream-error": head(
        [
          [":status", "200"],
          ["A", "b"],
        ],
        { options: streamErrors },
      ),
    },
  },
  {
    told: "200 UPE after protocol_error",
    counted: ["http2.rx_messaging_error", ...brokeProtocol],
    cases: {
      "trailers-short-of-length": says((id) =>
        Buffer.concat([
          answers(id, "200", length("5")),
          data(id, "abc"),
          trailers(id, [["a", "b"]]),
        ]),
      ),
      "trailers-without-end": breaksOff((id) => frame(frameType.headers, 4, id, block([]))),
      "trailers-with-status": breaksOff((id) => trailers(id, [[":status", "200"]])),
    },
  },
  {
    told: "200 UPE after protocol_error",
    counted: resetByUs,
    cases: {
      "short-of-length": says((id) =>
        Buffer.concat([answers(id, "200", length("5")), lastData(id, "abc")]),
      ),
      "beyond-length": says((id) =>
        Buffer.concat([answers(id, "200", length("1")), lastData(id, "abc")]),
      ),
      "head-with-body": says(
        (id) => Buffer.concat([answers(id, "200", length("5")), lastData(id, "abcde")]),
        { request: "HEAD" },
      ),
    },
  },
  {
    told: "204 UPE after protocol_error",
    counted: resetByUs,
    cases: {
      "204-with-body": says((id) => Buffer.concat([answers(id, "204"), lastData(id, "x")])),
    },
  },
  {
    told: "304 UPE after protocol_error",
    counted: resetByUs,
    cases: {
      "304-with-body": says((id) => Buffer.concat([answers(id, "304"), lastData(id, "x")])),
    },
  },
  // What is too much.
  {
    told: "503 UR before remote_reset",
    counted: ["http2.header_list_size_too_large", "http2.tx_reset", "upstream_rq_rx_reset"],
    cases: {
      "seventy-kilobytes": says((id) => answersWhole(id, "200", fieldsOf(70, "v".repeat(1000)))),
    },
  },
  {
    told: "503 UR before remote_reset",
    counted: ["http2.header_overflow", "http2.tx_reset", "upstream_rq_rx_reset"],
    cases: { "fields-101": says((id) => answersWhole(id, "200", fieldsOf(101, "v"))) },
  },
  // What comes too late.
  {
    told: "504 UT response_timeout",
    counted: ["upstream_rq_timeout", ...resetByUs],
    cases: { "no-answer": { script: () => {}, route: { timeout: "0.5s" } } },
  },
  {
    told: "504 URX,UT upstream_per_try_timeout",
    counted: [
      "http2.tx_reset: 2",
      "upstream_rq_per_try_timeout: 2",
      "upstream_rq_retry",
      "upstream_rq_retry_backoff_exponential",
      "upstream_rq_retry_limit_exceeded",
      "upstream_rq_tx_reset: 2",
    ],
    cases: {
      "no-answer-twice": {
        script: () => {},
        route: { retry_policy: { retry_on: "5xx", num_retries: 1, per_try_timeout: "0.5s" } },
      },
    },
  },
];
