/** `Http2ProtocolOptions`: defaults are Envoy's, as its listener's SETTINGS show them. */
import type { Http2ProtocolOptions } from "../../../gen/es/envoy/config/core/v3/protocol_pb.d.ts";
import type { Http2Options } from "../../shared/config/http-config.ts";
import { durationMsOr } from "../proto/duration.ts";
import type { DecodeContext } from "./decode-context.ts";
import { decodeCustomSettings } from "./http2-custom-settings.ts";

const mebibyte = 1024 * 1024;

/** `isMessageErrorOfStream`: what the connection manager says of it, if anything. */
export function decodeHttp2Options(
  options: Http2ProtocolOptions | undefined,
  isMessageErrorOfStream: boolean | undefined,
  context: DecodeContext,
): Http2Options {
  const keepalive = options?.connectionKeepalive;
  const custom = decodeCustomSettings(options, context);
  return {
    hpackTableBytes: options?.hpackTableSize ?? custom.hpackTableSize ?? 4096,
    // Envoy's default is true; here it costs more than it saves, and is there for whoever asks for it.
    usesHuffman: options?.enableHuffmanEncoding ?? false,
    maxConcurrentStreams: options?.maxConcurrentStreams ?? custom.maxConcurrentStreams ?? 1024,
    streamWindowBytes:
      options?.initialStreamWindowSize ?? custom.initialStreamWindowSize ?? 16 * mebibyte,
    connectionWindowBytes: options?.initialConnectionWindowSize ?? 24 * mebibyte,
    maxOutboundFrames: options?.maxOutboundFrames ?? 10_000,
    maxOutboundControlFrames: options?.maxOutboundControlFrames ?? 1_000,
    maxConsecutiveEmptyFrames: options?.maxConsecutiveInboundFramesWithEmptyPayload ?? 1,
    maxPriorityFramesPerStream: options?.maxInboundPriorityFramesPerStream ?? 100,
    maxWindowUpdatesPerDataFrame: options?.maxInboundWindowUpdateFramesPerDataFrameSent ?? 10,
    allowsConnect: options?.allowConnect ?? false,
    allowsMetadata: options?.allowMetadata ?? false,
    maxMetadataBytes: Number(options?.maxMetadataSize ?? mebibyte),
    streamErrorOnInvalidMessage:
      options?.overrideStreamErrorOnInvalidHttpMessage ??
      isMessageErrorOfStream ??
      options?.streamErrorOnInvalidHttpMessaging ??
      false,
    customSettings: custom.others,
    keepalive: keepalive && {
      intervalMs: durationMsOr(keepalive.interval, 0),
      timeoutMs: durationMsOr(keepalive.timeout, 0),
      jitterPercent: keepalive.intervalJitter?.value ?? 15,
      idleIntervalMs: durationMsOr(keepalive.connectionIdleInterval, 0),
    },
  };
}
