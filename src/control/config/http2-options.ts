/** `Http2ProtocolOptions`: defaults are Envoy's, as its listener's SETTINGS show them. */
import type { Http2ProtocolOptions } from "../../../gen/es/envoy/config/core/v3/protocol_pb.d.ts";
import type { Http2Options } from "../../shared/config/http-config.ts";
import { durationMsOr } from "../proto/duration.ts";

const mebibyte = 1024 * 1024;

/** `isMessageErrorOfStream`: of the connection manager, where these options do not say. */
export function decodeHttp2Options(
  options: Http2ProtocolOptions | undefined,
  isMessageErrorOfStream: boolean,
): Http2Options {
  const keepalive = options?.connectionKeepalive;
  return {
    hpackTableBytes: options?.hpackTableSize ?? 4096,
    maxConcurrentStreams: options?.maxConcurrentStreams ?? 1024,
    streamWindowBytes: options?.initialStreamWindowSize ?? 16 * mebibyte,
    connectionWindowBytes: options?.initialConnectionWindowSize ?? 24 * mebibyte,
    maxOutboundFrames: options?.maxOutboundFrames ?? 10_000,
    maxOutboundControlFrames: options?.maxOutboundControlFrames ?? 1_000,
    maxConsecutiveEmptyFrames: options?.maxConsecutiveInboundFramesWithEmptyPayload ?? 1,
    maxPriorityFramesPerStream: options?.maxInboundPriorityFramesPerStream ?? 100,
    maxWindowUpdatesPerDataFrame: options?.maxInboundWindowUpdateFramesPerDataFrameSent ?? 10,
    allowsConnect: options?.allowConnect ?? false,
    streamErrorOnInvalidMessage:
      options?.overrideStreamErrorOnInvalidHttpMessage ?? isMessageErrorOfStream,
    keepalive: keepalive && {
      intervalMs: durationMsOr(keepalive.interval, 0),
      timeoutMs: durationMsOr(keepalive.timeout, 0),
      jitterPercent: keepalive.intervalJitter?.value ?? 15,
    },
  };
}
