/**
 * What both kinds of head need to know of their fields: how long the body is, whether the connection
 * stays, and which fields concern this hop alone (RFC 9110 §7.6.1, RFC 9112 §6).
 *
 * Fields of this hop are marked as dropped here, so that whoever forwards the head has no list of its own.
 */
import { comma, equalsIgnoringCase, isTargetByte, latin1, listHasToken } from "./ascii.ts";
import { parseDecimal, trimmedEnd } from "./ascii.ts";
import { dropFields, findHeader, HeaderName, headers } from "./header-table.ts";
import { knownHeader, knownHeaderIdOf } from "./known-headers.ts";

/** Results of reading the fields. */
export const fieldsOk = 0;
export const badContentLength = 1;
export const badTransferEncoding = 2;
export const lengthAndChunked = 3;
export const badNominatedHeader = 4;

const chunked = latin1("chunked");
const close = latin1("close");
const keepAlive = latin1("keep-alive");
const upgrade = latin1("upgrade");
const trailers = latin1("trailers");

/** The thread's: valid until the next head is parsed. */
export class MessageFields {
  /** -1: no Content-Length. */
  contentLength = -1;
  isChunked = false;
  saysClose = false;
  saysKeepAlive = false;
  saysUpgrade = false;

  /**
   * Reads what this class names from the table, and drops the hop's own fields. `saysKeepAlive` and
   * `saysClose` are the Connection field's words; what they mean depends on the version.
   */
  read(bytes: Uint8Array): number {
    this.clear();
    const { count, id: ids } = headers;
    for (let i = 0; i < count; i++) {
      const id = ids[i] as number;
      if (id === 0 || id > knownHeader["content-length"]) continue;
      const problem = this.#readField(bytes, i, id);
      if (problem !== fieldsOk) return problem;
    }
    return this.isChunked && this.contentLength >= 0 ? lengthAndChunked : fieldsOk;
  }

  /** Of chunks and a length the chunks count, and the length goes no further. */
  forgetLength(): void {
    this.contentLength = -1;
    dropFields(knownHeader["content-length"]);
  }

  /** As if there were no fields. */
  clear(): void {
    this.contentLength = -1;
    this.isChunked = false;
    this.saysClose = false;
    this.saysKeepAlive = false;
    this.saysUpgrade = false;
  }

  #readField(bytes: Uint8Array, index: number, id: number): number {
    const start = headers.valueStart[index] as number;
    const end = headers.valueEnd[index] as number;
    if (id === knownHeader["content-length"]) {
      const length = parseDecimal(bytes, start, end);
      // Two equal lengths are refused as well: RFC 9112 lets a proxy choose, and Envoy refuses.
      if (length < 0 || this.contentLength >= 0) return badContentLength;
      this.contentLength = length;
      return fieldsOk;
    }
    if (id === knownHeader.te && equalsIgnoringCase(bytes, start, end, trailers)) return fieldsOk;
    headers.isDropped[index] = 1;
    if (id === knownHeader["transfer-encoding"]) {
      if (this.isChunked || !equalsIgnoringCase(bytes, start, end, chunked)) {
        return badTransferEncoding;
      }
      this.isChunked = true;
      return fieldsOk;
    }
    return id === knownHeader.connection ? this.#readConnection(bytes, start, end) : fieldsOk;
  }

  #readConnection(bytes: Uint8Array, start: number, end: number): number {
    if (equalsIgnoringCase(bytes, start, end, keepAlive)) {
      this.saysKeepAlive = true;
      return fieldsOk;
    }
    if (equalsIgnoringCase(bytes, start, end, close)) {
      this.saysClose = true;
      return fieldsOk;
    }
    if (listHasToken(bytes, start, end, close)) this.saysClose = true;
    if (listHasToken(bytes, start, end, keepAlive)) this.saysKeepAlive = true;
    if (listHasToken(bytes, start, end, upgrade)) this.saysUpgrade = true;
    return dropNominated(bytes, start, end);
  }
}

/** What a Connection field may not take away: what decides the framing or the trust. Host it may, as in Envoy: a request without is refused. */
const neverNominated = new Set([
  "content-length",
  "x-forwarded-for",
  "x-forwarded-host",
  "x-forwarded-proto",
]);

/** Drops the fields that a Connection field names (Envoy: `Utility::sanitizeConnectionHeader`). */
function dropNominated(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end) {
    let tokenEnd = at;
    while (tokenEnd < end && bytes[tokenEnd] !== comma) tokenEnd++;
    const name = nominatedName(bytes, at, tokenEnd);
    if (neverNominated.has(name) || name.startsWith(":")) return badNominatedHeader;
    if (name !== "" && !isOfThisHop(name)) dropAll(bytes, new HeaderName(name));
    at = tokenEnd + 1;
  }
  return fieldsOk;
}

function nominatedName(bytes: Uint8Array, start: number, end: number): string {
  let at = start;
  while (at < end && isTargetByte[bytes[at] as number] === 0) at++;
  return Buffer.from(bytes.subarray(at, trimmedEnd(bytes, at, end)))
    .toString("latin1")
    .toLowerCase();
}

/** Named in every other Connection field; read and dropped under their own names. */
function isOfThisHop(name: string): boolean {
  const id = knownHeaderIdOf(name);
  return name === "close" || (id !== 0 && id <= knownHeader.upgrade);
}

function dropAll(bytes: Uint8Array, name: HeaderName): void {
  let index = findHeader(bytes, name);
  while (index >= 0) {
    headers.isDropped[index] = 1;
    index = findHeader(bytes, name, index + 1);
  }
}
