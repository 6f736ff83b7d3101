/**
 * Names of the form `xdstp://authority/type/id?key=value` (xDS transport protocol, "Resource names"). The context
 * parameters are part of the name and have no order, so a name is compared in its canonical form alone: parameters sorted,
 * escapes where Envoy writes them.
 *
 * What one would get wrong: a name that ends in `/*` is no pattern that somebody matches against texts, it is the name of a
 * collection. A resource is in it by the folder of its id, and only with the very same parameters.
 */

export interface XdstpName {
  readonly authority: string;
  /** `envoy.config.listener.v3.Listener`. */
  readonly type: string;
  /** May be empty. */
  readonly id: string;
  readonly params: ReadonlyMap<string, string>;
}

export type ReadName =
  | { readonly ok: true; readonly value: XdstpName }
  | { readonly ok: false; readonly error: string };

const scheme = "xdstp:";

export function isXdstpName(text: string): boolean {
  return text.startsWith(scheme);
}

/** Never throws; the errors are Envoy's. */
export function readXdstpName(text: string): ReadName {
  if (!isXdstpName(text)) return { ok: false, error: `${text} does not have an xdstp: scheme` };
  if (text.includes("#"))
    return { ok: false, error: `${text} has a fragment: directives are not supported` };
  const [address, query] = splitAt(text.slice(scheme.length), "?");
  const [authority, path] = splitAt(address.startsWith("//") ? address.slice(2) : address, "/");
  const [type, id] = splitAt(path, "/").map(unescaped);
  if (!type) return { ok: false, error: "Resource type missing from /" };
  const params = readQuery(query);
  return { ok: true, value: { authority: unescaped(authority), type, id: id ?? "", params } };
}

/** What is before the first `mark`, and what is behind it; nothing where there is none. */
function splitAt(text: string, mark: string): readonly [string, string] {
  const at = text.indexOf(mark);
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
}

export function writeXdstpName({ authority, type, id, params }: XdstpName): string {
  const path = id === "" ? type : `${type}/${id}`;
  const query = [...params]
    .map(([key, value]) => `${escaped(key, "%#[]&=")}=${escaped(value, "%#[]&=")}`)
    .sort();
  const name = `${scheme}//${escaped(authority, "%/?#")}/${escaped(path, "%?#[]")}`;
  return query.length === 0 ? name : `${name}?${query.join("&")}`;
}

/** The one spelling of a name; any other text is a name as it stands. */
export function canonicalName(text: string): string {
  if (!isXdstpName(text)) return text;
  const read = readXdstpName(text);
  return read.ok ? writeXdstpName(read.value) : text;
}

/** Whether a name ends in `/*`, beside its parameters. */
export function isCollection({ id }: XdstpName): boolean {
  return id === "*" || id.endsWith("/*");
}

/** Both names canonical. */
export function isInCollection(name: string, collection: string): boolean {
  const [address, query] = splitAt(collection, "?");
  const folder = address.slice(0, -1);
  const end = query === "" ? "" : `?${query}`;
  if (!name.startsWith(folder) || !name.endsWith(end)) return false;
  return /^[^/?]+$/.test(name.slice(folder.length, name.length - end.length));
}

/** The first of two parameters of one name counts, as in Envoy. */
function readQuery(query: string): ReadonlyMap<string, string> {
  const params = new Map<string, string>();
  for (const part of query.split("&").filter((each) => each !== "")) {
    const [key = "", value = ""] = splitAt(part, "=").map(unescaped);
    if (!params.has(key)) params.set(key, value);
  }
  return params;
}

const printable = /^[ -}]$/;

/** Bytes that are not printable, and those that have a meaning in this place. */
function escaped(text: string, reserved: string): string {
  // Nearly every part of a name; only an authority may hold no slash.
  if (/^[\w./*:-]*$/.test(text) && !reserved.includes("/")) return text;
  return [...Buffer.from(text, "utf8")]
    .map((byte) => {
      const character = String.fromCharCode(byte);
      return printable.test(character) && !reserved.includes(character)
        ? character
        : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
    })
    .join("");
}

/** What is no escape stands for itself. */
function unescaped(text: string): string {
  if (!text.includes("%")) return text;
  const bytes: number[] = [];
  const raw = Buffer.from(text, "utf8");
  for (let at = 0; at < raw.length; at++) {
    const hex = raw.toString("latin1", at + 1, at + 3);
    const isEscape = raw[at] === 0x25 && /^[0-9a-fA-F]{2}$/.test(hex);
    bytes.push(isEscape ? Number.parseInt(hex, 16) : (raw[at] ?? 0));
    if (isEscape) at += 2;
  }
  return Buffer.from(bytes).toString("utf8");
}
