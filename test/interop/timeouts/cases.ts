/** By timeout and by what a client does meanwhile, with what Envoy 1.40 makes of it. */
const soon = "1s";
/** Of connections: their request has to be answered before. */
const later = "3s";

/** What a client does; `/silent` is never answered, of `/begun` the answer never ends. */
export type Act =
  /** It says nothing. */
  | "connects"
  /** And says no more. */
  | "was answered"
  | "asks /silent"
  | "asks /begun"
  /** The host ends its connection, before its answer or amid it. */
  | "asks /gone"
  | "asks /half"
  /** Says half of what it promised; the host answers when it has all. */
  | "says half a body"
  | "says half a head";

export interface Case {
  readonly act: Act;
  readonly manager?: object;
  readonly route?: object;
  readonly cluster?: object;
  readonly http1: Outcome;
  readonly http2: Outcome;
}

/** What the client sees; flags and details of the log; what is counted, once where no number is said. */
export type Outcome = readonly [seen: string, logged: string, counted: string];

const common = (fields: object): object => ({ common_http_protocol_options: fields });
export const cases: Readonly<Record<string, Case>> = {
  "idle_timeout of a new connection": {
    act: "connects",
    manager: { ...common({ idle_timeout: later }), drain_timeout: "0.1s" },
    http1: ["ends", "", "downstream_cx_idle_timeout downstream_cx_destroy_local"],
    http2: ["goaway 0 goaway 0 ends", "", "downstream_cx_idle_timeout downstream_cx_destroy_local"],
  },
  "idle_timeout after a request": {
    act: "was answered",
    manager: { ...common({ idle_timeout: later }), drain_timeout: "0.1s" },
    http1: [
      "200 ok ends",
      "- via_upstream",
      "downstream_cx_idle_timeout downstream_cx_destroy_local downstream_rq_2xx",
    ],
    http2: [
      "head ok goaway 0 goaway 0 ends",
      "- via_upstream",
      "downstream_cx_idle_timeout downstream_cx_destroy_local downstream_rq_2xx",
    ],
  },
  "idle_timeout, and a request under way": {
    act: "asks /silent",
    manager: { ...common({ idle_timeout: later }), drain_timeout: "0.1s" },
    route: { timeout: "6s" },
    http1: [
      "504 upstream request timeout ends",
      "UT response_timeout",
      "downstream_cx_idle_timeout downstream_cx_destroy_local downstream_rq_5xx upstream_rq_timeout upstream_cx_destroy_local",
    ],
    http2: [
      "head upstream request timeout goaway 0 goaway 0 ends",
      "UT response_timeout",
      "downstream_cx_idle_timeout downstream_cx_destroy_local downstream_rq_5xx upstream_rq_timeout upstream_cx_destroy_local",
    ],
  },
  "max_connection_duration of one that idles": {
    act: "was answered",
    manager: { ...common({ max_connection_duration: later }), drain_timeout: "0.1s" },
    http1: [
      "200 ok ends",
      "- via_upstream",
      "downstream_cx_max_duration_reached downstream_cx_destroy_local downstream_rq_2xx",
    ],
    http2: [
      "head ok goaway 0 goaway 0 ends",
      "- via_upstream",
      "downstream_cx_max_duration_reached downstream_cx_destroy_local downstream_rq_2xx",
    ],
  },
  "max_connection_duration, and a request under way": {
    act: "asks /silent",
    manager: { ...common({ max_connection_duration: later }), drain_timeout: "0.1s" },
    route: { timeout: "6s" },
    http1: [
      "504 upstream request timeout close ends",
      "UT response_timeout",
      "downstream_cx_max_duration_reached downstream_cx_destroy_local downstream_rq_5xx upstream_rq_timeout upstream_cx_destroy_local",
    ],
    http2: [
      "goaway 0 goaway 0 head upstream request timeout ends",
      "UT response_timeout",
      "downstream_cx_max_duration_reached downstream_cx_destroy_local downstream_rq_5xx upstream_rq_timeout upstream_cx_destroy_local",
    ],
  },
  "stream_idle_timeout, no answer": {
    act: "asks /silent",
    manager: { stream_idle_timeout: soon },
    http1: [
      "504 stream timeout",
      "SI stream_idle_timeout",
      "downstream_rq_idle_timeout downstream_rq_5xx upstream_cx_destroy_local",
    ],
    http2: [
      "head stream timeout",
      "SI stream_idle_timeout",
      "downstream_rq_idle_timeout downstream_rq_5xx upstream_cx_destroy_local",
    ],
  },
  "stream_idle_timeout, half an answer": {
    act: "asks /begun",
    manager: { stream_idle_timeout: soon },
    http1: [
      "200 ab ends",
      "SI stream_idle_timeout",
      "downstream_rq_idle_timeout downstream_rq_rx_reset downstream_rq_tx_reset downstream_cx_destroy_local downstream_rq_2xx upstream_cx_destroy_local",
    ],
    http2: [
      "head ab reset 2",
      "SI stream_idle_timeout",
      "downstream_rq_idle_timeout downstream_rq_rx_reset downstream_rq_tx_reset downstream_rq_2xx upstream_cx_destroy_local",
    ],
  },
  "stream_idle_timeout, half a request": {
    act: "says half a body",
    manager: { stream_idle_timeout: soon },
    http1: [
      "408 stream timeout close ends",
      "SI stream_idle_timeout",
      "downstream_rq_idle_timeout downstream_rq_response_before_rq_complete downstream_rq_rx_reset downstream_cx_destroy_local downstream_rq_4xx upstream_cx_destroy_local",
    ],
    http2: [
      "head stream timeout reset 0",
      "SI stream_idle_timeout",
      "downstream_rq_idle_timeout downstream_rq_response_before_rq_complete downstream_rq_rx_reset downstream_rq_4xx upstream_cx_destroy_local",
    ],
  },
  "idle_timeout of the route, no answer": {
    act: "asks /silent",
    route: { idle_timeout: soon },
    http1: [
      "504 stream timeout",
      "SI stream_idle_timeout",
      "downstream_rq_idle_timeout downstream_rq_5xx upstream_cx_destroy_local",
    ],
    http2: [
      "head stream timeout",
      "SI stream_idle_timeout",
      "downstream_rq_idle_timeout downstream_rq_5xx upstream_cx_destroy_local",
    ],
  },
  "idle_timeout of the route, half an answer": {
    act: "asks /begun",
    route: { idle_timeout: soon },
    http1: [
      "200 ab ends",
      "SI stream_idle_timeout",
      "downstream_rq_idle_timeout downstream_rq_rx_reset downstream_rq_tx_reset downstream_cx_destroy_local downstream_rq_2xx upstream_cx_destroy_local",
    ],
    http2: [
      "head ab reset 2",
      "SI stream_idle_timeout",
      "downstream_rq_idle_timeout downstream_rq_rx_reset downstream_rq_tx_reset downstream_rq_2xx upstream_cx_destroy_local",
    ],
  },
  request_timeout: {
    act: "says half a body",
    manager: { request_timeout: soon },
    http1: [
      "408 request timeout close ends",
      "- request_overall_timeout",
      "downstream_rq_timeout downstream_rq_response_before_rq_complete downstream_rq_rx_reset downstream_cx_destroy_local downstream_rq_4xx upstream_cx_destroy_local",
    ],
    http2: [
      "head request timeout reset 0",
      "- request_overall_timeout",
      "downstream_rq_timeout downstream_rq_response_before_rq_complete downstream_rq_rx_reset downstream_rq_4xx upstream_cx_destroy_local",
    ],
  },
  request_headers_timeout: {
    act: "says half a head",
    manager: { request_headers_timeout: soon },
    http1: [
      "408 request header timeout close ends",
      "- request_header_timeout",
      "downstream_rq_header_timeout downstream_rq_response_before_rq_complete downstream_rq_rx_reset downstream_cx_destroy_local downstream_rq_4xx",
    ],
    http2: [
      "head request header timeout reset 0",
      "- request_header_timeout",
      "downstream_rq_header_timeout downstream_rq_response_before_rq_complete downstream_rq_rx_reset downstream_rq_4xx",
    ],
  },
  "max_stream_duration, no answer": {
    act: "asks /silent",
    manager: common({ max_stream_duration: soon }),
    http1: [
      "504 downstream duration timeout",
      "- max_duration_timeout",
      "downstream_rq_max_duration_reached downstream_rq_5xx upstream_cx_destroy_local",
    ],
    http2: [
      "head downstream duration timeout",
      "- max_duration_timeout",
      "downstream_rq_max_duration_reached downstream_rq_5xx upstream_cx_destroy_local",
    ],
  },
  "max_stream_duration, half an answer": {
    act: "asks /begun",
    manager: common({ max_stream_duration: soon }),
    http1: [
      "200 ab ends",
      "- max_duration_timeout",
      "downstream_rq_max_duration_reached downstream_rq_rx_reset downstream_rq_tx_reset downstream_cx_destroy_local downstream_rq_2xx upstream_cx_destroy_local",
    ],
    http2: [
      "head ab reset 2",
      "- max_duration_timeout",
      "downstream_rq_max_duration_reached downstream_rq_rx_reset downstream_rq_tx_reset downstream_rq_2xx upstream_cx_destroy_local",
    ],
  },
  "max_stream_duration, half a request": {
    act: "says half a body",
    manager: common({ max_stream_duration: soon }),
    http1: [
      "408 downstream duration timeout close ends",
      "- max_duration_timeout",
      "downstream_rq_max_duration_reached downstream_rq_response_before_rq_complete downstream_rq_rx_reset downstream_cx_destroy_local downstream_rq_4xx upstream_cx_destroy_local",
    ],
    http2: [
      "head downstream duration timeout reset 0",
      "- max_duration_timeout",
      "downstream_rq_max_duration_reached downstream_rq_response_before_rq_complete downstream_rq_rx_reset downstream_rq_4xx upstream_cx_destroy_local",
    ],
  },
  "max_stream_duration of the route, no answer": {
    act: "asks /silent",
    route: { max_stream_duration: { max_stream_duration: soon } },
    http1: [
      "504 downstream duration timeout",
      "- max_duration_timeout",
      "downstream_rq_max_duration_reached downstream_rq_5xx upstream_cx_destroy_local",
    ],
    http2: [
      "head downstream duration timeout",
      "- max_duration_timeout",
      "downstream_rq_max_duration_reached downstream_rq_5xx upstream_cx_destroy_local",
    ],
  },
  "max_stream_duration of the route, half an answer": {
    act: "asks /begun",
    route: { max_stream_duration: { max_stream_duration: soon } },
    http1: [
      "200 ab ends",
      "- max_duration_timeout",
      "downstream_rq_max_duration_reached downstream_rq_rx_reset downstream_rq_tx_reset downstream_cx_destroy_local downstream_rq_2xx upstream_cx_destroy_local",
    ],
    http2: [
      "head ab reset 2",
      "- max_duration_timeout",
      "downstream_rq_max_duration_reached downstream_rq_rx_reset downstream_rq_tx_reset downstream_rq_2xx upstream_cx_destroy_local",
    ],
  },
  "timeout of the route, no answer": {
    act: "asks /silent",
    route: { timeout: soon },
    http1: [
      "504 upstream request timeout",
      "UT response_timeout",
      "downstream_rq_5xx upstream_rq_timeout upstream_cx_destroy_local",
    ],
    http2: [
      "head upstream request timeout",
      "UT response_timeout",
      "downstream_rq_5xx upstream_rq_timeout upstream_cx_destroy_local",
    ],
  },
  "timeout of the route, half an answer": {
    act: "asks /begun",
    route: { timeout: soon },
    http1: [
      "200 ab ends",
      "UT response_timeout",
      "downstream_rq_rx_reset downstream_rq_tx_reset downstream_cx_destroy_local downstream_rq_2xx upstream_rq_timeout upstream_cx_destroy_local",
    ],
    http2: [
      "head ab reset 2",
      "UT response_timeout",
      "downstream_rq_rx_reset downstream_rq_tx_reset downstream_rq_2xx upstream_rq_timeout upstream_cx_destroy_local",
    ],
  },
  per_try_timeout: {
    act: "asks /silent",
    route: {
      timeout: "20s",
      retry_policy: { retry_on: "reset", num_retries: 1, per_try_timeout: soon },
    },
    http1: [
      "504 upstream request timeout",
      "URX,UT upstream_per_try_timeout",
      "downstream_rq_5xx upstream_rq_per_try_timeout=2 upstream_rq_retry upstream_cx_destroy_local=2",
    ],
    http2: [
      "head upstream request timeout",
      "URX,UT upstream_per_try_timeout",
      "downstream_rq_5xx upstream_rq_per_try_timeout=2 upstream_rq_retry upstream_cx_destroy_local=2",
    ],
  },
  "per_try_idle_timeout, no answer": {
    act: "asks /silent",
    route: {
      timeout: "20s",
      retry_policy: { retry_on: "reset", num_retries: 1, per_try_idle_timeout: soon },
    },
    http1: [
      "504 upstream request timeout",
      "URX,UT upstream_per_try_idle_timeout",
      "downstream_rq_5xx upstream_rq_per_try_idle_timeout=2 upstream_rq_retry upstream_cx_destroy_local=2",
    ],
    http2: [
      "head upstream request timeout",
      "URX,UT upstream_per_try_idle_timeout",
      "downstream_rq_5xx upstream_rq_per_try_idle_timeout=2 upstream_rq_retry upstream_cx_destroy_local=2",
    ],
  },
  "a host that hangs up, no answer": {
    act: "asks /gone",
    http1: [
      "503 upstream connect error or disconnect/reset before headers. reset reason: connection termination",
      "UC upstream_reset_before_response_started{connection_termination}",
      "downstream_rq_5xx",
    ],
    http2: [
      "head upstream connect error or disconnect/reset before headers. reset reason: connection termination",
      "UC upstream_reset_before_response_started{connection_termination}",
      "downstream_rq_5xx",
    ],
  },
  "a host that hangs up, half an answer": {
    act: "asks /half",
    http1: [
      "200 ab ends",
      "UPE upstream_reset_after_response_started{protocol_error}",
      "downstream_rq_rx_reset downstream_rq_tx_reset downstream_cx_destroy_local downstream_rq_2xx upstream_cx_protocol_error",
    ],
    http2: [
      "head ab reset 2",
      "UPE upstream_reset_after_response_started{protocol_error}",
      "downstream_rq_rx_reset downstream_rq_tx_reset downstream_rq_2xx upstream_cx_protocol_error",
    ],
  },
  "per_try_idle_timeout, half an answer": {
    act: "asks /begun",
    route: {
      timeout: "20s",
      retry_policy: { retry_on: "5xx", num_retries: 1, per_try_idle_timeout: soon },
    },
    http1: [
      "200 ab ends",
      "UT upstream_per_try_idle_timeout",
      "downstream_rq_rx_reset downstream_rq_tx_reset downstream_cx_destroy_local downstream_rq_2xx upstream_rq_per_try_idle_timeout upstream_cx_destroy_local",
    ],
    http2: [
      "head ab reset 2",
      "UT upstream_per_try_idle_timeout",
      "downstream_rq_rx_reset downstream_rq_tx_reset downstream_rq_2xx upstream_rq_per_try_idle_timeout upstream_cx_destroy_local",
    ],
  },
  "idle_timeout of a host's connection": {
    act: "was answered",
    cluster: { idle_timeout: later },
    http1: [
      "200 ok",
      "- via_upstream",
      "downstream_rq_2xx upstream_cx_idle_timeout upstream_cx_destroy_local",
    ],
    http2: [
      "head ok",
      "- via_upstream",
      "downstream_rq_2xx upstream_cx_idle_timeout upstream_cx_destroy_local",
    ],
  },
  "max_connection_duration of a host's connection": {
    act: "was answered",
    cluster: { max_connection_duration: later },
    http1: [
      "200 ok",
      "- via_upstream",
      "downstream_rq_2xx upstream_cx_max_duration_reached upstream_cx_destroy_local",
    ],
    http2: [
      "head ok",
      "- via_upstream",
      "downstream_rq_2xx upstream_cx_max_duration_reached upstream_cx_destroy_local",
    ],
  },
};
