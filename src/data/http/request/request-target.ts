/**
 * Where a request wants to go, read from its target and its Host field (RFC 9112 §3.2): origin form as it
 * is, absolute form taken apart, paths normalised where the configuration says so. Text is made once for
 * the router; the bytes are forwarded as they came unless something here changed them.
 */
import type { HttpConnectionManagerConfig } from "../../../shared/config/http-config.ts";
import { latin1Text, questionMark } from "../http1/ascii.ts";
import { headers, headerText } from "../http1/header-table.ts";
import type { RequestHead } from "../http1/request-head.ts";
import { method } from "../http1/request-method.ts";
import { normalizePath } from "./normalize-path.ts";
import { withoutPort } from "../router/virtual-host-index.ts";

export type TargetProblem =
  /** The path cannot be one. */
  | "malformed"
  /** The authority cannot be one. */
  | "authority"
  /** No path that begins with a slash. */
  | "notRelative";

const authorityPattern = /^[A-Za-z0-9\-._~!$&'()*+;=:%[\]]*$/;
const isAuthorityByte = new Uint8Array(256);
for (let byte = 0; byte < 256; byte++) {
  isAuthorityByte[byte] = authorityPattern.test(String.fromCharCode(byte)) ? 1 : 0;
}
/** Host, in brackets if it is an IPv6 address, and port. */
const tunnelPattern = /^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9\-._~!$&'()*+;=%]+)(?::(\d{1,5}))?$/;
const portMax = 65_535;
const slash = 0x2f;
const asterisk = 0x2a;

export class RequestTarget {
  /** Without the query; as it will be routed. CONNECT has none. */
  path = "";
  isConnect = false;
  /** The path differs from the bytes between `pathStart` and `pathEnd`. */
  isPathChanged = false;
  /** Where path and query lie in the arena: `?` and query are bytes[pathEnd, end). */
  pathStart = 0;
  pathEnd = 0;
  end = 0;
  /** Of the absolute form, in lower case; else empty. */
  scheme = "";
  /** Replaces the Host field; undefined: the field stands. */
  authority: string | undefined;
  /** Of CONNECT, as it came: a port that is stripped for routing still goes upstream (docs: `strip_any_host_port`). */
  tunnelAuthority = "";

  read(
    buffer: Buffer,
    head: RequestHead,
    config: HttpConnectionManagerConfig,
    listenerPort: number,
  ): TargetProblem | undefined {
    this.authority = undefined;
    this.scheme = "";
    this.isPathChanged = false;
    this.isConnect = false;
    this.pathStart = head.targetStart;
    this.end = head.targetEnd;
    const isCustom = head.method === method.custom;
    if (isCustom && head.minorVersion !== 2 && !config.http1.allowsCustomMethods) {
      this.#readPath(buffer);
      return "malformed";
    }
    this.isConnect = head.method === method.connect;
    if (this.isConnect) return this.#readConnect(buffer, head, config, listenerPort);
    const isRelative = buffer[head.targetStart] === slash;
    if (!isRelative) {
      const problem = this.#readOther(buffer, head, config.http1.allowsAbsoluteUrl);
      if (problem !== undefined) {
        this.#readPath(buffer);
        return problem;
      }
    }
    if (!this.isPathChanged) this.#readPath(buffer);
    if (config.normalizePath || config.mergeSlashes) {
      const path = normalizePath(this.path, config);
      if (path === undefined) return "malformed";
      this.isPathChanged ||= path !== this.path;
      this.path = path;
    }
    return this.#readAuthority(buffer, head, config, listenerPort) ? undefined : "authority";
  }

  /** There is a question mark, with or without something behind it. */
  get hasQuery(): boolean {
    return this.pathEnd !== this.end;
  }

  /** Without the question mark; empty where there is none. */
  query(buffer: Buffer): string {
    return this.hasQuery ? latin1Text(buffer, this.pathEnd + 1, this.end) : "";
  }

  #readPath(buffer: Buffer): void {
    let at = this.pathStart;
    while (at < this.end && buffer[at] !== questionMark) at++;
    this.pathEnd = at;
    this.path = latin1Text(buffer, this.pathStart, at);
  }

  /** The authority form, which stands for Host too (RFC 9112 §3.2.3). Over HTTP/2 Envoy lets its port be left out. */
  #readConnect(
    buffer: Buffer,
    { targetStart, targetEnd, minorVersion }: RequestHead,
    { stripPort: strips }: HttpConnectionManagerConfig,
    listenerPort: number,
  ): TargetProblem | undefined {
    this.path = "";
    this.pathEnd = this.end;
    this.tunnelAuthority = latin1Text(buffer, targetStart, targetEnd);
    const match = tunnelPattern.exec(this.tunnelAuthority);
    const port = match?.[1];
    const isPortMissing = port === undefined && minorVersion !== 2;
    if (match === null || isPortMissing || Number(port ?? 0) > portMax) return "malformed";
    this.authority = stripPort(this.tunnelAuthority, strips, listenerPort);
    return undefined;
  }

  /** Whatever is not a path that begins with a slash. */
  #readOther(
    buffer: Buffer,
    head: RequestHead,
    allowsAbsolute: boolean,
  ): TargetProblem | undefined {
    const isAsterisk = this.end - this.pathStart === 1 && buffer[this.pathStart] === asterisk;
    if (isAsterisk) return head.method === method.options ? "notRelative" : "malformed";
    return allowsAbsolute ? this.#readAbsolute(buffer) : "notRelative";
  }

  /** `http://authority/path`. */
  #readAbsolute(buffer: Buffer): TargetProblem | undefined {
    const text = latin1Text(buffer, this.pathStart, this.end);
    const [, scheme = "", authority = ""] = /^(https?:\/\/)([^/?]*)/i.exec(text) ?? [];
    if (scheme === "") return "malformed";
    if (authority === "") return "malformed";
    this.authority = authority;
    this.scheme = scheme.slice(0, -"://".length).toLowerCase();
    this.pathStart += scheme.length + authority.length;
    if (this.pathStart < this.end && buffer[this.pathStart] === slash) return undefined;
    // `http://host` and `http://host?query` mean the root.
    this.path = "/";
    this.isPathChanged = true;
    this.pathEnd = this.pathStart;
    return undefined;
  }

  #readAuthority(
    buffer: Buffer,
    head: RequestHead,
    config: HttpConnectionManagerConfig,
    listenerPort: number,
  ): boolean {
    const { defaultHostForHttp10 } = config.http1;
    if (head.hostIndex < 0 && head.minorVersion === 0 && defaultHostForHttp10 !== "") {
      this.authority ??= defaultHostForHttp10;
    }
    if (this.authority === undefined && config.stripPort === "none") {
      return head.hostIndex < 0 || isAuthorityField(buffer, head.hostIndex);
    }
    const text = this.authority ?? (head.hostIndex < 0 ? "" : headerText(buffer, head.hostIndex));
    if (!authorityPattern.test(text)) return false;
    const stripped = stripPort(text, config.stripPort, listenerPort);
    if (stripped !== text) this.authority = stripped;
    return true;
  }
}

/** Of a request that is no CONNECT; there is one. */
export function isAuthority(text: string): boolean {
  return text !== "" && authorityPattern.test(text);
}

/** As `authorityPattern`, without making text of it. */
function isAuthorityField(bytes: Uint8Array, index: number): boolean {
  const end = headers.valueEnd[index] as number;
  for (let at = headers.valueStart[index] as number; at < end; at++) {
    if (isAuthorityByte[bytes[at] as number] === 0) return false;
  }
  return true;
}

function stripPort(
  authority: string,
  mode: HttpConnectionManagerConfig["stripPort"],
  listenerPort: number,
): string {
  if (mode === "none") return authority;
  const host = withoutPort(authority);
  return mode === "any" || authority === `${host}:${listenerPort}` ? host : authority;
}
