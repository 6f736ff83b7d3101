/**
 * The seam between whatever ends (a request, a TCP connection) and its access logs. `data/http`
 * implements it; `data/tcp` may not import it, so factories are given loggers ready made.
 */
import type { StreamInfo } from "./stream-info.ts";

export interface AccessLogger {
  /** Never blocks and never throws; drops and counts when its buffer is full. Keeps nothing of `info`. */
  log(info: StreamInfo): void;
}
