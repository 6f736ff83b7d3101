/**
 * One type on one client's stream, seen from the server: what the client asked for, what it was
 * sent, what it said to that. Pure bookkeeping; the session does the sending.
 */
import type { ReadRequest, ServedResource } from "./discovery-wire.ts";
import type { ServedType } from "./resource-types.ts";
import { versionOf } from "./resource-version.ts";

/** What a client last said about a type. */
export type Verdict =
  /** Nothing was sent yet: there was nothing to send. */
  | { readonly kind: "unsent" }
  | { readonly kind: "waiting" }
  | { readonly kind: "acked"; readonly version: string }
  | { readonly kind: "nacked"; readonly version: string; readonly error: string };

export interface NextResponse {
  readonly version: string;
  readonly resources: readonly ServedResource[];
}

export class ClientSubscription {
  readonly type: ServedType;
  /** The version that was sent last, and how the client took it. */
  sentVersion = "";
  verdict: Verdict = { kind: "unsent" };
  #nonce = "";
  #names: ReadonlySet<string> = new Set();
  #hasNamed = false;
  /** By name, the bytes as sent last on this stream. */
  #sent: ReadonlyMap<string, Uint8Array> = new Map();

  constructor(type: ServedType) {
    this.type = type;
  }

  /** False for an answer to something older than the last response: xDS says to ignore it. */
  take(request: ReadRequest): boolean {
    if (request.nonce !== this.#nonce) return false;
    this.#names = new Set(request.names);
    this.#hasNamed ||= request.names.length > 0;
    if (request.error !== undefined)
      this.verdict = { kind: "nacked", version: this.sentVersion, error: request.error };
    else if (request.version !== "") this.verdict = { kind: "acked", version: request.version };
    // A client that comes back with what is current is not sent it again.
    if (request.nonce === "") this.sentVersion = request.version;
    return true;
  }

  /** What to send now, of all resources of this type; `undefined` if the client has it already. */
  next(all: readonly ServedResource[]): NextResponse | undefined {
    const resources = all.filter(({ name }) => this.#wants(name));
    const version = versionOf(resources);
    if (this.type.isFullState)
      return version === this.sentVersion ? undefined : { version, resources };
    const isNews = resources.some(({ name, bytes }) => this.#sent.get(name) !== bytes);
    return isNews ? { version, resources } : undefined;
  }

  sent(response: NextResponse, nonce: string): void {
    this.#nonce = nonce;
    this.#sent = new Map(response.resources.map(({ name, bytes }) => [name, bytes]));
    this.sentVersion = response.version;
    this.verdict = { kind: "waiting" };
  }

  /** No name at all means everything, until a name was given; `*` means everything always. */
  #wants(name: string): boolean {
    const isWildcard = this.type.isFullState && !this.#hasNamed;
    return isWildcard || this.#names.has("*") || this.#names.has(name);
  }
}
