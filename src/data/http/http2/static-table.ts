/** The static table of HPACK (RFC 7541, appendix A), ready to be forwarded. */
import { HeaderEntry } from "./header-entry.ts";

const fields = `:authority
:method=GET
:method=POST
:path=/
:path=/index.html
:scheme=http
:scheme=https
:status=200
:status=204
:status=206
:status=304
:status=400
:status=404
:status=500
accept-charset
accept-encoding=gzip, deflate
accept-language
accept-ranges
accept
access-control-allow-origin
age
allow
authorization
cache-control
content-disposition
content-encoding
content-language
content-length
content-location
content-range
content-type
cookie
date
etag
expect
expires
from
host
if-match
if-modified-since
if-none-match
if-range
if-unmodified-since
last-modified
link
location
max-forwards
proxy-authenticate
proxy-authorization
range
referer
refresh
retry-after
server
set-cookie
strict-transport-security
transfer-encoding
user-agent
vary
via
www-authenticate`.split("\n");

/** By index - 1. */
export const staticTable: readonly HeaderEntry[] = fields.map((field) => {
  const [name = "", value = ""] = field.split("=");
  return HeaderEntry.of(name, value);
});

export const staticCount = staticTable.length;

/** The first index of each name. */
export const staticNames: ReadonlyMap<string, number> = firstIndexes();

function firstIndexes(): ReadonlyMap<string, number> {
  const indexes = new Map<string, number>();
  for (const [i, field] of fields.entries()) {
    const name = field.split("=")[0] ?? "";
    if (!indexes.has(name)) indexes.set(name, i + 1);
  }
  return indexes;
}
