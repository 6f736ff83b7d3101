/** Envoy's defaults of HTTP/2, but for what a test sets. */
import type { Http2Options } from "../../src/shared/config/http-config.ts";

export function http2Options(overrides: Partial<Http2Options> = {}): Http2Options {
  return {
    hpackTableBytes: 4096,
    usesHuffman: false,
    maxConcurrentStreams: 1024,
    streamWindowBytes: 16 * 1024 * 1024,
    connectionWindowBytes: 24 * 1024 * 1024,
    maxOutboundFrames: 10_000,
    maxOutboundControlFrames: 1_000,
    maxConsecutiveEmptyFrames: 1,
    maxPriorityFramesPerStream: 100,
    maxWindowUpdatesPerDataFrame: 10,
    allowsConnect: false,
    allowsMetadata: false,
    maxMetadataBytes: 1024 * 1024,
    streamErrorOnInvalidMessage: false,
    customSettings: [],
    keepalive: undefined,
    ...overrides,
  };
}
