/**
 * The names of a certificate, and whether one of them is wanted (Envoy: `StringSanMatcher`).
 *
 * What one would get wrong: the text that Node makes of the names is a list with commas, and a name may have commas in
 * it. Node puts such a name in quotes, as JSON does.
 */
import { formatIp, parseIp } from "../common/ip-address.ts";
import type { SubjectAltNameMatcher } from "../config/tls-config.ts";
import { stringTest } from "./string-test.ts";

export interface SubjectAltName {
  readonly type: Exclude<SubjectAltNameMatcher["type"], "any">;
  /** An address is as RFC 5952 writes it, which is what Envoy matches. */
  readonly value: string;
}

/** By the words that Node uses; names of other kinds match nothing. */
const types: ReadonlyMap<string, SubjectAltName["type"]> = new Map([
  ["DNS", "dns"],
  ["URI", "uri"],
  ["email", "email"],
  ["IP Address", "ipAddress"],
]);

const entry = /(?:^|, )([A-Za-z ]+):("(?:[^"\\]|\\.)*"|[^,]*)/y;

/** `text`: `X509Certificate.subjectAltName`; undefined: it has none. What cannot be read ends the list. */
export function readSubjectAltNames(text: string | undefined): readonly SubjectAltName[] {
  const found: SubjectAltName[] = [];
  entry.lastIndex = 0;
  for (let match = entry.exec(text ?? ""); match; match = entry.exec(text ?? "")) {
    const [, word = "", written = ""] = match;
    const type = types.get(word);
    const value = written.startsWith('"') ? unquoted(written) : written;
    if (!type || value === undefined) continue;
    found.push({ type, value: type === "ipAddress" ? canonicalIp(value) : value });
  }
  return found;
}

function unquoted(written: string): string | undefined {
  try {
    return String(JSON.parse(written));
  } catch {
    return undefined;
  }
}

/** Whether a name is the one that `matcher` wants: made once, asked at every handshake. */
export function subjectAltNameTest(
  matcher: SubjectAltNameMatcher,
): (name: SubjectAltName) => boolean {
  const { type, matcher: text } = matcher;
  const isWanted = stringTest(text);
  const address = text.kind === "exact" ? canonicalIp(text.value) : undefined;
  return (name) => {
    if (type !== "any" && type !== name.type) return false;
    // As in Envoy: a host name that is wanted may be one of many that a wildcard stands for.
    if (name.type === "dns" && text.kind === "exact") return isHost(text.value, name.value);
    if (name.type === "ipAddress" && address !== undefined) return address === name.value;
    return isWanted(name.value);
  };
}

/**
 * Whether a certificate for `offered` is one for the host. A `*` stands for a part of the first label alone, and that
 * label must not be an encoded one (RFC 6125 6.4.3, as Envoy reads it: `dnsNameMatch`).
 */
function isHost(wanted: string, offered: string): boolean {
  const [host, pattern] = [wanted.toLowerCase(), offered.toLowerCase()];
  if (host === pattern) return true;
  const [hostDot, patternDot] = [host.indexOf("."), pattern.indexOf(".")];
  if (hostDot < 0 || patternDot < 0) return false;
  if (host.slice(hostDot) !== pattern.slice(patternDot)) return false;
  return isLabel(host.slice(0, hostDot), pattern.slice(0, patternDot));
}

function isLabel(label: string, pattern: string): boolean {
  const [start = "", end, more] = pattern.split("*");
  if (end === undefined || more !== undefined || pattern.startsWith("xn--")) return false;
  const fits = pattern === "*" ? label.length > 0 : label.length >= start.length + end.length;
  return fits && label.startsWith(start) && label.endsWith(end);
}

/** IPv6 has many ways to be written. */
function canonicalIp(text: string): string {
  const bytes = parseIp(text);
  return bytes ? formatIp(bytes) : text;
}
