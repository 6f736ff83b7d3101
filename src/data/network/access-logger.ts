/**
 * The seam between whatever ends (a request, a TCP connection) and its access logs. `data/http`
 * implements it; `data/tcp` may not import it, so factories are given loggers ready made.
 */
import type { AccessLogConfig } from "../../shared/config/access-log-config.ts";
import type { AccessLogType } from "../../shared/protocol/access-log-entry.ts";
import type { StreamInfo } from "./stream-info.ts";

export interface AccessLogger {
  /** Never blocks and never throws; drops and counts when its buffer is full. Keeps nothing of `info`. */
  log(info: StreamInfo): void;
}

/** One logger over several `access_log` entries; files of the same path share one buffer. */
export type CreateAccessLogger = (
  configs: readonly AccessLogConfig[],
  type: AccessLogType,
) => AccessLogger & Disposable;
