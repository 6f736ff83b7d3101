/**
 * Requests that ask for another protocol on their connection (RFC 9110 §7.8; over HTTP/2, RFC 8441): which are let
 * through, as `upgrade_configs` of the connection manager and of the route say. What is let through has a body without
 * end and without form, and so has its answer if that is 101.
 *
 * What a newcomer would get wrong: `Upgrade: h2c` is none. It is declined by not being answered (RFC 9113 §3.1).
 */
import type { UpgradeConfig } from "../../shared/config/route-config.ts";
import { latin1, listHasToken } from "./http1/ascii.ts";
import { headers } from "./http1/header-table.ts";
import { knownHeader } from "./http1/known-headers.ts";
import type { RequestHead } from "./http1/request-head.ts";

const http2Upgrade = latin1("h2c");

/** Of a head that was just parsed. */
export function asksForUpgrade(head: RequestHead, bytes: Uint8Array): boolean {
  if (head.upgradeIndex < 0 || !head.fields.saysUpgrade) return false;
  const start = headers.valueStart[head.upgradeIndex] as number;
  const end = headers.valueEnd[head.upgradeIndex] as number;
  return !listHasToken(bytes, start, end, http2Upgrade);
}

/** The body of one that asks has no length of its own: two ways to tell its end would be one too many. */
export function mayUpgrade({ fields, minorVersion }: RequestHead): boolean {
  return minorVersion !== 0 && !fields.isChunked && fields.contentLength <= 0;
}

/** An offer of h2c may be declined by answering in HTTP/1.1: what belongs to it goes no further. */
export function dropHttp2Settings(): void {
  for (let i = 0; i < headers.count; i++) {
    if (headers.id[i] === knownHeader["http2-settings"]) headers.isDropped[i] = 1;
  }
}

/** As Envoy's `createUpgradeFilterChain`: what the route says outranks the connection manager. */
export function isUpgradeEnabled(
  type: string,
  ofManager: readonly UpgradeConfig[],
  ofRoute: readonly UpgradeConfig[],
): boolean {
  const named = (each: UpgradeConfig): boolean => each.type === type;
  const own = ofRoute.find(named);
  return own?.isEnabled ?? ofManager.find(named)?.isEnabled ?? false;
}
