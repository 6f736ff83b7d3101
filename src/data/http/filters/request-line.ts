/**
 * Method, path and authority of a request, as its filters see and change them. What is no line of a request is thrown, so
 * that nothing a filter says is read as two.
 */
import { isAuthority } from "../request/request-target.ts";

const methodPattern = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** Visible ASCII; what is behind `#` is the client's (RFC 9110 §7.1). */
const pathPattern = /^\/[!"$-~]*$/;
/** What their answers mean, and whether they have bodies, is the codecs' (RFC 9110 §9.3.2, §9.3.6). */
const singular: ReadonlySet<string> = new Set(["CONNECT", "HEAD"]);

interface Line {
  readonly method: string;
  readonly path: string;
  readonly authority: string;
}

export class RequestLine {
  readonly #came: Line;
  #method: string | undefined;
  #path: string | undefined;
  #authority: string | undefined;
  /** The route is to be found anew, by what the head has become. */
  isRouteCleared = false;

  /** `came`: as the client sent it. */
  constructor(came: Line) {
    this.#came = came;
  }

  get isLineChanged(): boolean {
    return this.#method !== undefined || this.#path !== undefined;
  }

  get isAuthorityChanged(): boolean {
    return this.#authority !== undefined;
  }

  /** The head is another one than the table's. */
  get isChanged(): boolean {
    return this.isLineChanged || this.isAuthorityChanged || this.isRouteCleared;
  }

  get method(): string {
    return this.#method ?? this.#came.method;
  }

  set method(method: string) {
    if (!methodPattern.test(method)) throw new TypeError(`"${method}" is no method`);
    if (method === this.method) return;
    if (singular.has(method) || singular.has(this.method))
      throw new TypeError(`no filter makes ${method} of ${this.method}`);
    this.#method = method;
  }

  get path(): string {
    return this.#path ?? this.#came.path;
  }

  set path(path: string) {
    this.#judgeTunnel();
    if (!pathPattern.test(path)) throw new TypeError(`"${path}" is no path`);
    if (path !== this.path) this.#path = path;
  }

  get authority(): string {
    return this.#authority ?? this.#came.authority;
  }

  set authority(authority: string) {
    this.#judgeTunnel();
    if (!isAuthority(authority)) throw new TypeError(`"${authority}" is no authority`);
    if (authority !== this.authority) this.#authority = authority;
  }

  #judgeTunnel(): void {
    if (this.method === "CONNECT") throw new TypeError("where CONNECT leads is not a filter's");
  }
}
