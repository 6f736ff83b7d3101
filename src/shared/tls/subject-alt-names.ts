/**
 * The names of a certificate, and whether one of them is wanted (Envoy: `StringSanMatcher`).
 *
 * What one would get wrong: the text that Node makes of the names is a list with commas, and a name may have commas in
 * it. Node puts such a name in quotes, as JSON does.
 */
import type { SubjectAltNameMatcher } from "../config/tls-config.ts";
import { stringTest } from "../config/string-test.ts";

export interface SubjectAltName {
  readonly type: Exclude<SubjectAltNameMatcher["type"], "any">;
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
    if (type && value !== undefined) found.push({ type, value });
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

export function matchesName(matcher: SubjectAltNameMatcher, name: SubjectAltName): boolean {
  if (matcher.type !== "any" && matcher.type !== name.type) return false;
  const { matcher: text } = matcher;
  // As in Envoy: a host name that is wanted may be one of many that a wildcard stands for.
  if (matcher.type === "dns" && text.kind === "exact") return isHost(text.value, name.value);
  if (name.type === "ipAddress" && text.kind === "exact")
    return canonicalIp(text.value) === canonicalIp(name.value);
  return stringTest(text)(name.value);
}

/** `*.` stands for one label. */
function isHost(wanted: string, offered: string): boolean {
  const [host, pattern] = [wanted.toLowerCase(), offered.toLowerCase()];
  if (!pattern.startsWith("*.")) return host === pattern;
  const dot = host.indexOf(".");
  return dot > 0 && host.slice(dot) === pattern.slice(1);
}

/** IPv6 has many ways to be written. */
function canonicalIp(text: string): string {
  if (!text.includes(":")) return text;
  return URL.canParse(`http://[${text}]`) ? new URL(`http://[${text}]`).hostname : text;
}
