/**
 * What Envoy takes away from and adds to a request's fields before it goes on (docs: configuration/http/
 * http_conn_man/headers; Envoy: `ConnectionManagerUtility::mutateRequestHeaders`).
 *
 * No address counts as internal, which is Envoy's default since internal addresses must be named; so
 * every request is external, and what only an internal peer may say is dropped.
 */
import type { SocketAddress } from "../../../shared/common/address.ts";
import { latin1 } from "../http1/ascii.ts";
import { HeaderName, headers, headerValue } from "../http1/header-table.ts";
import { knownHeader } from "../http1/known-headers.ts";

const forwardedFor = new HeaderName("x-forwarded-for");

/** What is said of a peer's address. */
export class RemoteLines {
  readonly ip: Uint8Array;
  /** Of a request that came without x-forwarded-for. */
  readonly all: Uint8Array;
  readonly externalAddress: Uint8Array;

  constructor(ip: string) {
    this.ip = latin1(ip);
    this.externalAddress = latin1(`x-envoy-external-address: ${ip}\r\n`);
    this.all = latin1(`x-forwarded-for: ${ip}\r\nx-envoy-external-address: ${ip}\r\n`);
  }
}

/** Peers whose lines are kept; beyond that they are made anew. */
const peersMax = 1024;

/** Peers come back: their lines are made once, not once a connection. */
export class RemoteLinesTable {
  readonly #byIp = new Map<string, RemoteLines>();

  of(ip: string): RemoteLines {
    const known = this.#byIp.get(ip);
    if (known !== undefined) return known;
    if (this.#byIp.size >= peersMax) this.#byIp.clear();
    const made = new RemoteLines(ip);
    this.#byIp.set(ip, made);
    return made;
  }
}

/** Of the table: `x-envoy-…` that a peer outside must not set. */
export function dropUntrustedFields(isEdge: boolean): void {
  for (let i = 0; i < headers.count; i++) {
    const id = headers.id[i] as number;
    if (id < knownHeader["x-envoy-expected-rq-timeout-ms"]) continue;
    if (isUntrusted(id, isEdge)) headers.isDropped[i] = 1;
  }
}

function isUntrusted(id: number, isEdge: boolean): boolean {
  switch (id) {
    case knownHeader["x-envoy-upstream-service-time"]:
    case knownHeader["x-envoy-attempt-count"]:
      return false;
    case knownHeader["x-envoy-decorator-operation"]:
    case knownHeader["x-envoy-downstream-service-cluster"]:
    case knownHeader["x-envoy-downstream-service-node"]:
    case knownHeader["x-envoy-external-address"]:
    case knownHeader["x-envoy-original-path"]:
    case knownHeader["x-envoy-original-host"]:
      return isEdge;
    default:
      return true;
  }
}

/** The client's address as x-forwarded-for tells it, `hops` from its end; undefined: it does not. */
export function trustedAddress(buffer: Buffer, hops: number): SocketAddress | undefined {
  const parts = (headerValue(buffer, forwardedFor) ?? "").split(",");
  const ip = parts.at(-1 - hops)?.trim() ?? "";
  return /^[0-9a-fA-F.:]{2,}$/.test(ip) ? { kind: "ip", ip, port: 0 } : undefined;
}

/** All values of x-forwarded-for as one list; empty where there is none. */
export function forwardedForText(buffer: Buffer): string {
  return headerValue(buffer, forwardedFor) ?? "";
}
