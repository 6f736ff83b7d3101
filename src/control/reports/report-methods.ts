/** What reports are sent to. Messages are passed as bytes, as those of discovery are. */
import type { BytesMethod } from "../proto/discovery-services.ts";

/** Its one answer, which never comes, makes no difference on the wire to a stream of answers. */
export const streamAccessLogs = streamMethod("accesslog.v3.AccessLogService/StreamAccessLogs");

export const streamLoadStats = streamMethod("load_stats.v3.LoadReportingService/StreamLoadStats");

function streamMethod(name: string): BytesMethod {
  const same = (bytes: Buffer): Buffer => bytes;
  return {
    path: `/envoy.service.${name}`,
    requestStream: true,
    responseStream: true,
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  };
}
