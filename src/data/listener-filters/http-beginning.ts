/**
 * What HTTP a connection's first bytes are: the preface of HTTP/2 (RFC 9113, section 3.4) or a request line (RFC 9112,
 * section 3). A line is judged when it is here as a whole, as Envoy does, so bytes without a line end are waited for.
 */
export type SpokenHttp = "http10" | "http11" | "http2";

const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
const lineFeed = 10;
/** Whatever version but 1.1 counts as 1.0. */
const requestLine = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+ +[^ ]+ +HTTP\/(\d\.\d) *\r?$/;

export function readHttpBeginning(bytes: Uint8Array): SpokenHttp | "none" | "incomplete" {
  const length = Math.min(bytes.length, preface.length);
  if (preface.subarray(0, length).equals(bytes.subarray(0, length)))
    return length < preface.length ? "incomplete" : "http2";
  if (bytes[0] === lineFeed || bytes[0] === 13) return "none";
  const end = bytes.indexOf(lineFeed);
  if (end < 0) return "incomplete";
  const line = Buffer.from(bytes.buffer, bytes.byteOffset, end).toString("latin1");
  const version = requestLine.exec(line)?.[1];
  if (version === undefined) return "none";
  return version === "1.1" ? "http11" : "http10";
}
