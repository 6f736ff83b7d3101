/** How old a connection may become. */
import type { Random } from "../../shared/common/random.ts";
import type { HttpConnectionManagerConfig } from "../../shared/config/http-config.ts";

type AgeLimits = Pick<
  HttpConnectionManagerConfig,
  "maxConnectionDurationMs" | "connectionDurationJitterPercent"
>;

/**
 * `max_connection_duration` in whole milliseconds, 0: none. Drawn once a connection, so that those that came together
 * do not come again together.
 */
export function maxAgeMs(limits: AgeLimits, random: Random): number {
  const { maxConnectionDurationMs, connectionDurationJitterPercent } = limits;
  if (connectionDurationJitterPercent === 0) return maxConnectionDurationMs;
  const share = (connectionDurationJitterPercent / 100) * random.next();
  return Math.ceil(maxConnectionDurationMs * (1 + share));
}
