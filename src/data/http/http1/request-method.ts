/**
 * What a request's method is to the proxy. Those of Envoy's HTTP/1 codec are served; any other one is refused, unless
 * `allow_custom_methods` lets it pass, so that a rule written for the known methods cannot be passed under a name that
 * an upstream reads in its own way (`get`, `GETX`).
 */

/** `known` stands for those that are served and no different from one another; `custom` for all the rest. */
export const method = {
  custom: 0,
  known: 1,
  get: 2,
  head: 3,
  post: 4,
  put: 5,
  delete: 6,
  connect: 7,
  options: 8,
  trace: 9,
} as const;

const letter = { e: 0x45, g: 0x47, o: 0x4f, p: 0x50, s: 0x53, t: 0x54 } as const;
/** Of the longest one that is known, `UNSUBSCRIBE`. */
const lengthMax = 11;

const known = new Map<string, number>();
for (const name of [
  "ACL BIND CHECKOUT COPY LINK LOCK MERGE MKACTIVITY MKCALENDAR MKCOL MOVE MSEARCH NOTIFY PATCH PROPFIND",
  "PROPPATCH PURGE REBIND REPORT SEARCH SOURCE SUBSCRIBE UNBIND UNLINK UNLOCK UNSUBSCRIBE",
].flatMap((names) => names.split(" ")))
  known.set(name, method.known);
for (const [name, value] of Object.entries(method))
  if (value > method.known) known.set(name.toUpperCase(), value);

/** Of the method in bytes [start, end). The common ones are told without making text. */
export function methodOf(bytes: Uint8Array, start: number, end: number): number {
  const length = end - start;
  const first = bytes[start];
  if (length === 3 && first === letter.g) {
    if (bytes[start + 1] === letter.e && bytes[start + 2] === letter.t) return method.get;
  } else if (length === 4 && first === letter.p && bytes[start + 1] === letter.o) {
    if (bytes[start + 2] === letter.s && bytes[start + 3] === letter.t) return method.post;
  }
  if (length > lengthMax) return method.custom;
  let text = "";
  for (let at = start; at < end; at++) text += String.fromCharCode(bytes[at] as number);
  return known.get(text) ?? method.custom;
}

/** It may be sent again: GET, HEAD, OPTIONS, TRACE; PUT and DELETE are idempotent as well (RFC 9110 §9.2.2). */
export function isRepeatable(value: number): boolean {
  switch (value) {
    case method.get:
    case method.head:
    case method.options:
    case method.trace:
    case method.put:
    case method.delete:
      return true;
    default:
      return false;
  }
}

/** A request without a body still says `content-length: 0`, for the method expects one (RFC 9110 §8.6). */
export function expectsBody(value: number): boolean {
  switch (value) {
    case method.get:
    case method.head:
    case method.delete:
    case method.trace:
    case method.connect:
      return false;
    default:
      return true;
  }
}
