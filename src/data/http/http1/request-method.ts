/**
 * The methods that are served: those of Envoy's HTTP/1 codec (field `allow_custom_methods` left at false).
 * Any other one is refused, so that a rule written for the known methods cannot be passed under a name
 * that an upstream reads in its own way (`get`, `GETX`).
 */
import { latin1Text } from "./ascii.ts";

const letter = { c: 0x43, d: 0x44, e: 0x45, g: 0x47, h: 0x48, o: 0x4f, t: 0x54 } as const;

const known: ReadonlySet<string> = new Set(
  (
    "ACL BIND CHECKOUT CONNECT COPY DELETE GET HEAD LINK LOCK MERGE MKACTIVITY MKCALENDAR MKCOL MOVE " +
    "MSEARCH NOTIFY OPTIONS PATCH POST PROPFIND PROPPATCH PURGE PUT REBIND REPORT SEARCH SOURCE SUBSCRIBE " +
    "TRACE UNBIND UNLINK UNLOCK UNSUBSCRIBE"
  ).split(" "),
);

/** Of the method in bytes [start, end). GET is told without making text. */
export function isKnownMethod(buffer: Buffer, start: number, end: number): boolean {
  const length = end - start;
  if (length === 3 && buffer[start] === letter.g) {
    return buffer[start + 1] === letter.e && buffer[start + 2] === letter.t;
  }
  return known.has(latin1Text(buffer, start, end));
}

/** Of a known method: CONNECT alone has seven letters and begins with C. */
export function isConnect(buffer: Buffer, start: number, end: number): boolean {
  return end - start === 7 && buffer[start] === letter.c;
}

/** Of a known method: OPTIONS alone has seven letters and begins with O. */
export function isOptions(buffer: Buffer, start: number, end: number): boolean {
  return end - start === 7 && buffer[start] === letter.o;
}

/**
 * Of a known method: a request without a body still says `content-length: 0`, for the method expects one
 * (RFC 9110 §8.6). Not so GET, HEAD, DELETE, TRACE, CONNECT.
 */
export function expectsBody(buffer: Buffer, start: number, end: number): boolean {
  const length = end - start;
  switch (buffer[start] ?? 0) {
    case letter.g:
    case letter.h:
    case letter.t:
      return false;
    case letter.d:
      return length !== 6;
    case letter.c:
      return length !== 7;
    default:
      return true;
  }
}
