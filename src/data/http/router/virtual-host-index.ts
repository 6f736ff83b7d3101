/**
 * Finds the virtual host of an authority: exact, then the longest `*suffix`, then the longest
 * `prefix*`, then `*` (Envoy: `RouteMatcher::findVirtualHost`). The order of virtual hosts is of no matter.
 *
 * The port is part of the authority and is compared, unless the table says that ports are ignored.
 */
export class VirtualHostIndex<Host> {
  readonly #exact = new Map<string, Host>();
  /** `.example.com` → host, one map a length, longest first. */
  readonly #suffixes = new WildcardIndex<Host>();
  readonly #prefixes = new WildcardIndex<Host>();
  #default: Host | undefined;
  /** No domain but `*`: the authority need not be read. */
  readonly #ignoresPort: boolean;

  constructor(ignoresPort: boolean) {
    this.#ignoresPort = ignoresPort;
  }

  get isDefaultOnly(): boolean {
    return this.#exact.size === 0 && this.#suffixes.isEmpty && this.#prefixes.isEmpty;
  }

  get default(): Host | undefined {
    return this.#default;
  }

  /** The first entry of a domain stands; duplicates were refused on main. */
  add(domain: string, host: Host): void {
    const text = domain.toLowerCase();
    if (text === "*") this.#default ??= host;
    else if (text.startsWith("*")) this.#suffixes.add(text.slice(1), host);
    else if (text.endsWith("*")) this.#prefixes.add(text.slice(0, -1), host);
    else if (!this.#exact.has(text)) this.#exact.set(text, host);
  }

  /** Takes back what `add` did. */
  remove(domain: string, host: Host): void {
    const text = domain.toLowerCase();
    if (text === "*") {
      if (this.#default === host) this.#default = undefined;
    } else if (text.startsWith("*")) this.#suffixes.remove(text.slice(1), host);
    else if (text.endsWith("*")) this.#prefixes.remove(text.slice(0, -1), host);
    else if (this.#exact.get(text) === host) this.#exact.delete(text);
  }

  find(authority: string): Host | undefined {
    const direct = this.#exact.get(authority);
    if (direct !== undefined) return direct;
    const lowered = authority.toLowerCase();
    const name = this.#ignoresPort ? withoutPort(lowered) : lowered;
    return (
      this.#exact.get(name) ??
      this.#suffixes.find(name, (length) => name.slice(name.length - length)) ??
      this.#prefixes.find(name, (length) => name.slice(0, length)) ??
      this.#default
    );
  }
}

class WildcardIndex<Host> {
  readonly #byText = new Map<string, Host>();
  #lengths: number[] = [];

  get isEmpty(): boolean {
    return this.#lengths.length === 0;
  }

  add(text: string, host: Host): void {
    if (this.#byText.has(text)) return;
    this.#byText.set(text, host);
    this.#lengths = [...new Set([...this.#lengths, text.length])].sort((a, b) => b - a);
  }

  remove(text: string, host: Host): void {
    if (this.#byText.get(text) !== host) return;
    this.#byText.delete(text);
    const lengths = new Set([...this.#byText.keys()].map((each) => each.length));
    this.#lengths = [...lengths].sort((a, b) => b - a);
  }

  /** The `*` stands for one character at least. */
  find(name: string, part: (length: number) => string): Host | undefined {
    for (const length of this.#lengths) {
      if (length >= name.length) continue;
      const host = this.#byText.get(part(length));
      if (host !== undefined) return host;
    }
    return undefined;
  }
}

/** `example.com:80` → `example.com`, `[::1]:80` → `[::1]`. */
export function withoutPort(authority: string): string {
  const at = portColon(authority);
  return at < 0 ? authority : authority.slice(0, at);
}

/** Where the port's colon is; -1: there is no port. */
export function portColon(authority: string): number {
  const at = authority.lastIndexOf(":");
  return at > authority.lastIndexOf("]") &&
    authority.indexOf(":") >= (authority.startsWith("[") ? 0 : at)
    ? at
    : -1;
}
