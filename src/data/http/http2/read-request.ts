/**
 * Makes of a staged header block the request head that all else works on (RFC 9113 §8.3.1), as HTTP/1 would have
 * been parsed: `method path` in one piece, `host` as the first row, one `cookie`.
 *
 * What leaves here goes into HTTP/1 to many upstreams, so whatever could be read there as something else is
 * refused here: blanks and fragments in a path, line breaks anywhere, lengths that contradict each other.
 */
import { isTargetByte, latin1, parseDecimal, tokenLower } from "../http1/ascii.ts";
import { headers } from "../http1/header-table.ts";
import { knownHeader } from "../http1/known-headers.ts";
import { requestHead } from "../http1/request-head.ts";
import { method, methodOf } from "../http1/request-method.ts";
import { pseudo } from "./header-entry.ts";
import type { HeaderStage } from "./header-stage.ts";

/** Rows before those of the fields: `host`. */
export const requestRows = 1;

const hostName = latin1("host: ");
const getMethod = latin1("GET");
const upgradeName = latin1("upgrade: ");
const cookieName = latin1("cookie: ");
const lineBreak = latin1("\r\n");
const cookieSeparator = latin1("; ");
const slash = 0x2f;
const asterisk = 0x2a;
const hash = 0x23;

/**
 * After `stage.finish`. False: it is malformed. `isEnd`: no body follows; `allowsConnect`: our SETTINGS say that
 * `:protocol` is understood, and without that it is malformed as whatever is not known (RFC 8441 §3).
 */
export function readRequest(stage: HeaderStage, isEnd: boolean, allowsConnect: boolean): boolean {
  const { bytes } = stage;
  if (stage.isMalformed || !isToken(stage, pseudo.method)) return false;
  if (has(stage, pseudo.status)) return false;
  const form = formOf(stage, allowsConnect);
  if (form === "malformed") return false;
  if (form === "upgrade") writeProtocol(stage);
  writeTarget(stage, form);
  writeHost(stage);
  if (stage.cookieCount > 1) joinCookies(stage);
  // Twice Host is for the table's rows to tell: the first is ours, made of the authority.
  if (!requestHead.locate() || !readLength(bytes, isEnd)) return false;
  if (form !== "plain") {
    requestHead.fields.isChunked = false;
    requestHead.fields.saysUpgrade = form === "upgrade";
  }
  return form === "connect" || readsTarget(bytes);
}

type Form = "plain" | "connect" | "upgrade";

/** Which pseudo-headers there have to be, and which may not (RFC 9113 §8.3.1, §8.5; RFC 8441 §4). */
function formOf(stage: HeaderStage, allowsConnect: boolean): Form | "malformed" {
  const { bytes, pseudoStart, pseudoEnd } = stage;
  const hasPath = isToken(stage, pseudo.scheme) && has(stage, pseudo.path);
  const start = at(pseudoStart, pseudo.method);
  if (methodOf(bytes, start, at(pseudoEnd, pseudo.method)) !== method.connect)
    return hasPath && !has(stage, pseudo.protocol) ? "plain" : "malformed";
  if (!has(stage, pseudo.authority)) return "malformed";
  if (has(stage, pseudo.protocol)) {
    const isNamed = at(pseudoEnd, pseudo.protocol) > at(pseudoStart, pseudo.protocol);
    return allowsConnect && isNamed && hasPath ? "upgrade" : "malformed";
  }
  return has(stage, pseudo.scheme) || has(stage, pseudo.path) ? "malformed" : "connect";
}

/** `:protocol` as the Upgrade field that HTTP/1 would have, and as that of this hop alone (RFC 8441 §5). */
function writeProtocol(stage: HeaderStage): void {
  const { pseudoStart, pseudoEnd } = stage;
  const start = stage.at;
  stage.put(upgradeName);
  const valueStart = stage.at;
  stage.append(at(pseudoStart, pseudo.protocol), at(pseudoEnd, pseudo.protocol));
  const valueEnd = stage.at;
  stage.put(lineBreak);
  stage.addRow(knownHeader.upgrade, { start, valueStart, valueEnd });
  headers.isDropped[headers.count] = 1;
  stage.finish();
}

/** `method target`, in one piece. */
function writeTarget(stage: HeaderStage, form: Form): void {
  const { pseudoStart, pseudoEnd, bytes } = stage;
  const target = form === "connect" ? pseudo.authority : pseudo.path;
  requestHead.methodStart = stage.at;
  if (form === "upgrade") stage.put(getMethod);
  else stage.append(at(pseudoStart, pseudo.method), at(pseudoEnd, pseudo.method));
  requestHead.methodEnd = stage.at;
  requestHead.method = methodOf(bytes, requestHead.methodStart, stage.at);
  bytes[stage.at++] = 0x20;
  requestHead.targetStart = stage.at;
  stage.append(at(pseudoStart, target), at(pseudoEnd, target));
  requestHead.targetEnd = stage.at;
  requestHead.minorVersion = 2;
  requestHead.hasFragment = false;
}

/** The authority is the host; a Host field beside it is dropped (RFC 9113 §8.3.1). */
function writeHost(stage: HeaderStage): void {
  const { pseudoStart, pseudoEnd } = stage;
  const start = stage.at;
  headers.isDropped[0] = 1;
  headers.id[0] = 0;
  if (!has(stage, pseudo.authority)) return;
  stage.put(hostName);
  const valueStart = stage.at;
  stage.append(at(pseudoStart, pseudo.authority), at(pseudoEnd, pseudo.authority));
  const valueEnd = stage.at;
  stage.put(lineBreak);
  stage.setRow(0, knownHeader.host, { start, valueStart, valueEnd });
  for (let i = 1; i < headers.count; i++) {
    if (headers.id[i] !== knownHeader.host) continue;
    headers.isDropped[i] = 1;
    headers.id[i] = 0;
  }
}

/** Clients cut cookies in pieces, for the sake of compression (§8.2.3); HTTP/1 knows one field. */
function joinCookies(stage: HeaderStage): void {
  const start = stage.at;
  stage.put(cookieName);
  const valueStart = stage.at;
  const { count } = headers;
  for (let i = 1; i < count; i++) {
    if (headers.id[i] !== knownHeader.cookie) continue;
    if (stage.at > valueStart) stage.put(cookieSeparator);
    stage.append(headers.valueStart[i] as number, headers.valueEnd[i] as number);
    headers.isDropped[i] = 1;
  }
  const valueEnd = stage.at;
  stage.put(lineBreak);
  stage.addRow(knownHeader.cookie, { start, valueStart, valueEnd });
  stage.finish();
}

/** Sets how long the body is; false: the fields contradict each other, or the end of the stream. */
function readLength(bytes: Uint8Array, isEnd: boolean): boolean {
  const { fields } = requestHead;
  fields.clear();
  for (let i = 1; i < headers.count; i++) {
    if (headers.id[i] !== knownHeader["content-length"]) continue;
    const start = headers.valueStart[i] as number;
    const length = parseDecimal(bytes, start, headers.valueEnd[i] as number);
    if (length < 0 || fields.contentLength >= 0) return false;
    fields.contentLength = length;
  }
  fields.isChunked = !isEnd && fields.contentLength < 0;
  return !isEnd || fields.contentLength <= 0;
}

/** Notes a fragment, which is not malformed to Envoy, but refused with 400. */
function readsTarget(bytes: Uint8Array): boolean {
  const { targetStart: start, targetEnd: end } = requestHead;
  const isAsterisk = end - start === 1 && bytes[start] === asterisk;
  if (isAsterisk) return requestHead.method === method.options;
  if (bytes[start] !== slash) return false;
  for (let i = start; i < end; i++) {
    if (isTargetByte[bytes[i] as number] === 1) continue;
    if (bytes[i] !== hash) return false;
    requestHead.hasFragment = true;
  }
  return true;
}

function has({ pseudoStart }: HeaderStage, kind: number): boolean {
  return at(pseudoStart, kind) >= 0;
}

/** The pseudo-header is there, and a token. */
function isToken({ bytes, pseudoStart, pseudoEnd }: HeaderStage, kind: number): boolean {
  const start = at(pseudoStart, kind);
  const end = at(pseudoEnd, kind);
  if (start < 0 || start === end) return false;
  for (let i = start; i < end; i++) if (tokenLower[bytes[i] as number] === 0) return false;
  return true;
}

function at(positions: Int32Array, kind: number): number {
  return positions[kind] as number;
}
