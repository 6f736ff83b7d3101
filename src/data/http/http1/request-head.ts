/**
 * The head of a request in the arena: request line, fields, and what they say together. Made once a
 * thread and written over by every parse, like the header table.
 *
 * A target may be in origin form (`/a?b`), absolute form (`http://host/a`), or `*`; the authority form
 * of CONNECT is accepted here and finds no route later.
 */
import { isTargetByte, latin1, space, tokenLower } from "./ascii.ts";
import { fieldsEnd, headers } from "./header-table.ts";
import { knownHeader } from "./known-headers.ts";
import {
  badContentLength,
  badNominatedHeader,
  badTransferEncoding,
  fieldsOk,
  lengthAndChunked,
  MessageFields,
} from "./message-fields.ts";
import { incomplete, malformed, parseHeaders, tooMany } from "./parse-headers.ts";
import { method, methodOf } from "./request-method.ts";
import type { SpelledNames } from "./spelled-names.ts";

/** Refusals beside those of `parse-headers.ts`, all negative as those. */
export const headProblem = {
  incomplete,
  malformed,
  tooMany,
  contentLength: -4,
  transferEncoding: -5,
  lengthAndChunked: -6,
  nominatedHeader: -7,
  host: -8,
} as const;

const versionPrefix = latin1(" HTTP/1.");
const hash = 0x23;
/** Most blank lines before a request line that are skipped (RFC 9112 §2.2). */
const leadingBytesMax = 4;

export class RequestHead {
  methodStart = 0;
  methodEnd = 0;
  /** One of `method`. */
  method: number = method.custom;
  targetStart = 0;
  targetEnd = 0;
  /** 0 or 1, as in HTTP/1.x; 2: the request came by HTTP/2. */
  minorVersion = 1;
  /** Of the target, which is thus none (RFC 9112 §3.2). */
  hasFragment = false;
  /** Index in the header table; -1: none. */
  hostIndex = -1;
  forwardedForIndex = -1;
  /** The first of them. */
  clientCertIndex = -1;
  forwardedProtoIndex = -1;
  requestIdIndex = -1;
  upgradeIndex = -1;
  expectIndex = -1;
  contentTypeIndex = -1;
  /** Any field that only a trusted peer may send (`x-envoy-…`) is there. */
  hasEnvoyFields = false;
  /** Set by a codec that keeps them, for this head alone. */
  spelledNames: SpelledNames | undefined;
  readonly fields = new MessageFields();

  /** The connection may be used again when the request and its response are over. */
  get isPersistent(): boolean {
    const { saysClose, saysKeepAlive } = this.fields;
    return !saysClose && (this.minorVersion === 1 || saysKeepAlive);
  }

  /**
   * Parses bytes[start, end). Returns the position after the head, or a `headProblem`. Only bytes of
   * field names are changed (to lower case), so a head that was incomplete may be parsed again.
   */
  parse(bytes: Uint8Array, start: number, end: number, countMax: number): number {
    const lineEnd = this.#parseLine(bytes, start, end);
    if (lineEnd < 0) return lineEnd;
    const headEnd = parseHeaders(bytes, lineEnd, end, countMax);
    if (headEnd < 0) return headEnd;
    const problem = this.fields.read(bytes);
    if (problem !== fieldsOk) return problemOf(problem);
    return this.locate() ? headEnd : headProblem.host;
  }

  /** After `lengthAndChunked`: the length is forgotten (RFC 9112 §6.3). As `parse`. */
  forgetLength(): number {
    this.fields.forgetLength();
    return this.locate() ? fieldsEnd() : headProblem.host;
  }

  #parseLine(bytes: Uint8Array, start: number, end: number): number {
    let at = start;
    while (at < end && at - start < leadingBytesMax && isLineBreak(bytes[at] as number)) at++;
    this.methodStart = at;
    while (at < end && tokenLower[bytes[at] as number] !== 0) at++;
    this.methodEnd = at;
    if (at >= end) return incomplete;
    if (bytes[at] !== space || at === this.methodStart) return malformed;
    this.method = methodOf(bytes, this.methodStart, at);
    this.targetStart = ++at;
    while (at < end && isTargetByte[bytes[at] as number] === 1) at++;
    this.hasFragment = bytes[at] === hash && at < end;
    if (this.hasFragment) at = fragmentEnd(bytes, at, end);
    this.targetEnd = at;
    if (at >= end) return incomplete;
    if (at === this.targetStart) return malformed;
    return this.#parseVersion(bytes, at, end);
  }

  #parseVersion(bytes: Uint8Array, start: number, end: number): number {
    const prefixLength = versionPrefix.length;
    const isWhole = end - start >= prefixLength + 3;
    if (isWhole && isVersion11(bytes, start)) {
      this.minorVersion = 1;
      return start + prefixLength + 3;
    }
    for (let i = 0; i < prefixLength; i++) {
      if (start + i >= end) return incomplete;
      if (bytes[start + i] !== versionPrefix[i]) return malformed;
    }
    const at = start + prefixLength;
    if (at >= end) return incomplete;
    const minor = (bytes[at] as number) - 0x30;
    if (minor !== 0 && minor !== 1) return malformed;
    this.minorVersion = minor;
    if (at + 1 >= end) return incomplete;
    if (bytes[at + 1] !== 0x0d) return malformed;
    if (at + 2 >= end) return incomplete;
    return bytes[at + 2] === 0x0a ? at + 3 : malformed;
  }

  /** Notes where the fields are that forwarding needs; false when Host is there twice. */
  locate(): boolean {
    this.spelledNames = undefined;
    this.hostIndex = -1;
    this.forwardedForIndex = -1;
    this.forwardedProtoIndex = -1;
    this.requestIdIndex = -1;
    this.clientCertIndex = -1;
    this.upgradeIndex = -1;
    this.expectIndex = -1;
    this.contentTypeIndex = -1;
    this.hasEnvoyFields = false;
    const { count, id: ids } = headers;
    for (let i = 0; i < count; i++) {
      const id = ids[i] as number;
      if (id < knownHeader.upgrade) continue;
      if (id === knownHeader.host) {
        if (headers.isDropped[i] === 1) continue;
        if (this.hostIndex >= 0) return false;
        this.hostIndex = i;
      } else this.#locateField(i, id);
    }
    return true;
  }

  #locateField(index: number, id: number): void {
    switch (id) {
      case knownHeader["x-forwarded-for"]:
        if (this.forwardedForIndex < 0) this.forwardedForIndex = index;
        break;
      case knownHeader["x-forwarded-proto"]:
        this.forwardedProtoIndex = index;
        break;
      case knownHeader["x-request-id"]:
        if (this.requestIdIndex < 0) this.requestIdIndex = index;
        break;
      case knownHeader["x-forwarded-client-cert"]:
        if (this.clientCertIndex < 0) this.clientCertIndex = index;
        break;
      case knownHeader.upgrade:
        this.upgradeIndex = index;
        break;
      case knownHeader["content-type"]:
        this.contentTypeIndex = index;
        break;
      case knownHeader.expect:
        this.expectIndex = index;
        break;
      default:
        if (id >= knownHeader["x-envoy-expected-rq-timeout-ms"]) this.hasEnvoyFields = true;
    }
  }
}

/** The thread's. */
export const requestHead = new RequestHead();

export function problemOf(problem: number): number {
  switch (problem) {
    case badContentLength:
      return headProblem.contentLength;
    case badTransferEncoding:
      return headProblem.transferEncoding;
    case lengthAndChunked:
      return headProblem.lengthAndChunked;
    case badNominatedHeader:
      return headProblem.nominatedHeader;
    default:
      return malformed;
  }
}

/** ` HTTP/1.1` CRLF, which is what nearly everyone sends. */
function isVersion11(bytes: Uint8Array, at: number): boolean {
  return (
    bytes[at + 1] === 0x48 &&
    bytes[at + 8] === 0x31 &&
    bytes[at + 9] === 0x0d &&
    bytes[at + 10] === 0x0a &&
    bytes[at] === 0x20 &&
    bytes[at + 2] === 0x54 &&
    bytes[at + 3] === 0x54 &&
    bytes[at + 4] === 0x50 &&
    bytes[at + 5] === 0x2f &&
    bytes[at + 6] === 0x31 &&
    bytes[at + 7] === 0x2e
  );
}

function fragmentEnd(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && (isTargetByte[bytes[at] as number] === 1 || bytes[at] === hash)) at++;
  return at;
}

function isLineBreak(byte: number): boolean {
  return byte === 0x0d || byte === 0x0a;
}
