/**
 * What the connection manager answers by itself, in Envoy's words (`sendLocalReply` and its details,
 * docs: configuration/http/http_conn_man/response_code_details). Failures of the upstream are in
 * `upstream/exchange-failure.ts`.
 */
import type { ServerHttp1Options } from "../../../shared/config/http1-options.ts";
import type { ResponseFlag } from "../../network/stream-info.ts";

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly details: string;
  readonly flag: ResponseFlag | undefined;
  /** What it means to gRPC, where that is not what its status does. */
  readonly grpcStatus?: number;
}

/** Of gRPC. */
const deadlineExceeded = 4;

export const localReplies = {
  malformed: answer(400, "Bad Request", "http1.codec_error", "DPE"),
  authority: answer(400, "Bad Request", "http.invalid_authority", "DPE"),
  fragment: answer(400, "", "path_normalization_failed", undefined),
  contentLength: answer(400, "Bad Request", "http1.content_length_not_allowed", "DPE"),
  lengthAndChunked: answer(
    400,
    "Bad Request",
    "http1.content_length_and_chunked_not_allowed",
    "DPE",
  ),
  transferEncoding: answer(501, "Not Implemented", "http1.invalid_transfer_encoding", "DPE"),
  nominatedHeader: answer(400, "Bad Request", "http1.connection_header_rejected", "DPE"),
  tooManyHeaders: answer(431, "Request Header Fields Too Large", "http1.too_many_headers", "DPE"),
  headTooLarge: answer(431, "Request Header Fields Too Large", "http1.headers_too_large", "DPE"),
  responseTooLarge: answer(502, "Bad Gateway", "response_headers_too_large", "UPE"),
  underscore: answer(400, "Bad Request", "http1.unexpected_underscore", "DPE"),
  missingHost: answer(400, "", "missing_host_header", undefined),
  lowVersion: answer(426, "Upgrade Required", "low_version", "DPE"),
  upgrade: answer(403, "", "upgrade_failed", undefined),
  notRelative: answer(404, "", "absolute_path_rejected", undefined),
  noFilterConfig: answer(500, "", "", "NFCF"),
  filterFailed: answer(500, "Internal Server Error", "filter_failed", undefined),
  requestTooLarge: answer(413, "Payload Too Large", "request_payload_too_large", undefined),
  responseBodyTooLarge: answer(
    500,
    "Internal Server Error",
    "response_payload_too_large",
    undefined,
  ),
  noCredential: answer(
    401,
    "Failed to inject credential.",
    "failed_to_inject_credential",
    undefined,
  ),
  overload: answer(503, "envoy overloaded", "overload", undefined),
  noCluster: answer(503, "", "cluster_not_found", "NC"),
  noRoute: answer(404, "", "route_not_found", "NR"),
  headerTimeout: answer(408, "request header timeout", "request_header_timeout", undefined),
  requestTimeout: answer(408, "request timeout", "request_overall_timeout", undefined),
  streamIdle: answer(408, "stream timeout", "stream_idle_timeout", "SI"),
  maxDuration: {
    ...answer(408, "downstream duration timeout", "max_duration_timeout", undefined),
    grpcStatus: deadlineExceeded,
  },
} as const satisfies Readonly<Record<string, Answer>>;

export type LocalReplyReason = keyof typeof localReplies;

/** Of requests that were well-formed, and yet end their connection unless the configuration lets it stay. */
const ofMessage: ReadonlySet<LocalReplyReason> = new Set(["missingHost", "fragment"]);

/** Its request was refused, and the next one may come on the same connection. */
export function leavesOpen(
  reason: LocalReplyReason,
  { keepsConnectionOnError }: ServerHttp1Options,
): boolean {
  // What is refused for want of room, or of a path, may be asked again.
  if (reason === "overload" || reason === "notRelative") return true;
  return keepsConnectionOnError && ofMessage.has(reason);
}

function answer(
  status: number,
  body: string,
  details: string,
  flag: ResponseFlag | undefined,
): Answer {
  return { status, body, details, flag };
}
