/** What is said of how large heads may be, beside what the data path has room for. */
import type { Http2ProtocolOptions } from "../../../gen/es/envoy/config/core/v3/protocol_pb.d.ts";
import { headKbMax } from "../../shared/config/http-config.ts";
import type { DecodeContext } from "./decode-context.ts";

const limits = {
  request:
    "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager.max_request_headers_kb",
  response: "envoy.config.core.v3.HttpProtocolOptions.max_response_headers_kb",
} as const;

interface Where {
  readonly part: "request" | "response";
  readonly context: DecodeContext;
}

/** `headersKb` undefined: nothing is said, and there is nothing to compare with. */
export function judgeHeadSizes(
  headersKb: number | undefined,
  http2: Http2ProtocolOptions | undefined,
  { part, context }: Where,
): void {
  if (headersKb === undefined) return;
  if ((http2?.maxHeaderFieldSizeKb ?? 0) > headersKb)
    context.refuse(`max_header_field_size_kb must not exceed max_${part}_headers_kb`);
  if (headersKb > headKbMax) context.warn(limits[part], `a head is ${headKbMax} KiB at most`);
}
