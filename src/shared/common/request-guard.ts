/**
 * Keeps web pages away from an HTTP API without a password: a browser on the same machine or network
 * reaches it as easily as curl. Two attacks are met: a page that posts to us (`Origin`, `Sec-Fetch-Site`), and a
 * page whose own name is made to resolve to our address (DNS rebinding: its name is then in `Host`).
 * curl and every other client that is no browser sends none of these and passes.
 */
import { isIP } from "node:net";
import type { SocketAddress } from "./address.ts";

export interface GuardedRequest {
  readonly method: string;
  readonly host: string | undefined;
  readonly origin: string | undefined;
  readonly secFetchSite: string | undefined;
}

export interface GuardPolicy {
  /** What is guarded, for the message: `the admin`. */
  readonly guarded: string;
  /** The flag that allows another name. */
  readonly allowFlag: string;
  /** Where it is bound. */
  readonly address: SocketAddress;
  /** Further names that a `Host` may have, without port. */
  readonly allowedHosts: readonly string[];
}

/** The reason to refuse, or undefined. */
export function refusalOf(request: GuardedRequest, policy: GuardPolicy): string | undefined {
  // HTTP/1.0 and curl over a Unix socket; no browser leaves it out.
  if (request.host !== undefined && !isOurs(request.host, policy))
    return `Host '${printable(request.host)}' is not ${policy.guarded}'s address; allow it with ${policy.allowFlag}`;
  if (request.method === "GET" || request.method === "HEAD") return undefined;
  const site = request.secFetchSite;
  if (site !== undefined && site !== "same-origin" && site !== "none")
    return `${request.method} from another site is not allowed`;
  if (request.origin !== undefined && request.origin !== `http://${request.host}`)
    return `${request.method} from origin '${printable(request.origin)}' is not allowed`;
  return undefined;
}

/** The port is not compared: a tunnel changes it, and rebinding cannot. */
function isOurs(host: string, { address, allowedHosts }: GuardPolicy): boolean {
  const name = hostName(host);
  if (name === undefined) return false;
  if (allowedHosts.some((allowed) => allowed.toLowerCase() === name)) return true;
  // No browser speaks to a Unix socket.
  if (address.kind === "pipe") return true;
  const isWildcard = address.ip === "0.0.0.0" || address.ip === "::";
  const isLoopback = address.ip === "::1" || address.ip.startsWith("127.");
  if (name === "localhost") return isWildcard || isLoopback;
  // Bound to all addresses, every address of the machine is ours; a name never is.
  return isIP(name) !== 0 && (isWildcard || sameIp(name, address.ip));
}

/** Without port and brackets, lower case; undefined where it is no host at all. */
function hostName(host: string): string | undefined {
  const match = /^(?:\[(?<v6>[^\]]+)\]|(?<name>[^:[\]]+))(?::\d*)?$/.exec(host);
  return (match?.groups?.["v6"] ?? match?.groups?.["name"])?.toLowerCase();
}

/** IPv6 has many spellings of one address; URL writes them all in one way. */
function sameIp(a: string, b: string): boolean {
  return a === b || (isIP(a) === 6 && isIP(b) === 6 && canonical(a) === canonical(b));
}

function canonical(ip: string): string {
  return URL.canParse(`http://[${ip}]`) ? new URL(`http://[${ip}]`).hostname : ip;
}

/** What a client sent goes into a message only without controls and markup, and cut. */
function printable(text: string): string {
  return text.replaceAll(/[^\w.:/[\]-]/g, "?").slice(0, 100);
}
