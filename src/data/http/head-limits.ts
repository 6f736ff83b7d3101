/** How large a head may be, whoever sends it: as configured, within what the arena has room for. */
import { headKbMax } from "../../shared/config/http-config.ts";

/** `max_request_headers_kb`, `max_response_headers_kb`. */
export function headBytesOf(kilobytes: number): number {
  return Math.min(kilobytes, headKbMax) * 1024;
}
