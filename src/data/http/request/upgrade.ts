/**
 * Requests that ask for bytes both ways in the place of an answer: another protocol on their connection (RFC 9110 §7.8;
 * over HTTP/2 by extended CONNECT, RFC 8441) or a tunnel to an authority (CONNECT, RFC 9110 §9.3.6). Which are let
 * through, `upgrade_configs` of the connection manager and of the route say. What is granted has a body without
 * end and without form, and so has its answer.
 *
 * What a newcomer would get wrong: extended CONNECT is none of CONNECT's. The codec makes of it what HTTP/1 would have
 * sent, a GET with an Upgrade field, and of 101 what HTTP/2 says for it, so all between the codecs knows one form.
 */
import type { UpgradeConfig } from "../../../shared/config/route-config.ts";
import { latin1, listHasToken } from "../http1/ascii.ts";
import { headers, headerText } from "../http1/header-table.ts";
import type { RequestHead } from "../http1/request-head.ts";
import { method } from "../http1/request-method.ts";

/** The `upgrade_type` of CONNECT itself; of others it is what their Upgrade field says, as it was spelled. */
export const connectType = "CONNECT";
/** Of a request that asks for no such thing. */
export const noUpgrade = "";

const http2Upgrade = latin1("h2c");

/** By its Upgrade field, of a head that was just parsed. `h2c` is declined by not being answered (RFC 9113 §3.1). */
export function asksForUpgrade(head: RequestHead, bytes: Uint8Array): boolean {
  if (head.upgradeIndex < 0 || !head.fields.saysUpgrade) return false;
  const start = headers.valueStart[head.upgradeIndex] as number;
  const end = headers.valueEnd[head.upgradeIndex] as number;
  return !listHasToken(bytes, start, end, http2Upgrade);
}

/** Whatever comes behind the head is no body: it belongs to what is asked for. */
export function asksForTunnel(head: RequestHead, buffer: Buffer): boolean {
  if (head.method === method.connect) return true;
  return asksForUpgrade(head, buffer);
}

/** The body of one that asks has no length of its own: two ways to tell its end would be one too many. */
export function mayUpgrade({ fields, minorVersion }: RequestHead): boolean {
  return minorVersion !== 0 && !fields.isChunked && fields.contentLength <= 0;
}

/** The `upgrade_type` of a head that asks and may have what it asks for; else `noUpgrade`. */
export function admittedType(
  head: RequestHead,
  buffer: Buffer,
  ofManager: readonly UpgradeConfig[],
  ofRoute: readonly UpgradeConfig[],
): string {
  const type = upgradeTypeOf(head, buffer);
  const isAdmitted = mayUpgrade(head) && isUpgradeEnabled(type, ofManager, ofRoute);
  return isAdmitted ? type : noUpgrade;
}

function upgradeTypeOf(head: RequestHead, buffer: Buffer): string {
  if (head.method === method.connect) return connectType;
  const type = headerText(buffer, head.upgradeIndex);
  // The word means the method in configurations, never a field that a client writes.
  return type.toUpperCase() === connectType ? noUpgrade : type;
}

/** As Envoy's `createUpgradeFilterChain`: what the route says outranks the connection manager. */
function isUpgradeEnabled(
  type: string,
  ofManager: readonly UpgradeConfig[],
  ofRoute: readonly UpgradeConfig[],
): boolean {
  const wanted = type.toLowerCase();
  const named = (each: UpgradeConfig): boolean => each.type === wanted;
  const own = ofRoute.find(named);
  return own?.isEnabled ?? ofManager.find(named)?.isEnabled ?? false;
}

/** The status, as HTTP/1 says it, opens the way for bytes. Any 2xx grants CONNECT (RFC 9110 §9.3.6). */
export function isGranted(upgradeType: string, status: number): boolean {
  switch (upgradeType) {
    case noUpgrade:
      return false;
    case connectType:
      return status >= 200 && status < 300;
    default:
      return status === 101;
  }
}
