/**
 * Fields of a head as filters see them: all that go on, but those that frame the message or name its host, which are the
 * codec's and the router's.
 */
import type {
  Fields,
  RequestFields,
  ResponseFields,
} from "../../../shared/http-filter/http-filter.ts";
import type { ExtraFields } from "../headers/extra-fields.ts";
import type { RequestLine } from "./request-line.ts";

const namePattern = /^[!#$%&'*+.^_`|~0-9a-z-]+$/;
/** Visible Latin-1, with blanks and tabs between: what no reader of a head trims or breaks. */
const valuePattern = /^(?:[!-~\u0080-\u00ff](?:[\t -~\u0080-\u00ff]*[!-~\u0080-\u00ff])?)?$/;
/** A filter that wrote them could say of a message what another reader takes for two. */
export const framingFields: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "host",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);
/** Of filters of our own. */
export const noFields: ReadonlySet<string> = new Set();

export class FieldMap implements Fields {
  readonly #fields: ExtraFields;
  readonly #unseen: ReadonlySet<string>;

  /** `unseen`: names that are not the filter's. */
  constructor(fields: ExtraFields, unseen = framingFields) {
    this.#fields = fields;
    this.#unseen = unseen;
  }

  /** All of them, also those that filters do not see. */
  get whole(): ExtraFields {
    return this.#fields;
  }

  get(name: string): string | undefined {
    const wanted = name.toLowerCase();
    const values = [...this].filter(([each]) => each === wanted).map(([, value]) => value);
    return values.length === 0 ? undefined : values.join(",");
  }

  has(name: string): boolean {
    return this.get(name) !== undefined;
  }

  set(name: string, value: string): void {
    const key = judgeField(name, value, this.#unseen);
    this.#fields.remove(key);
    this.#fields.add(key, value);
  }

  append(name: string, value: string): void {
    this.#fields.add(judgeField(name, value, this.#unseen), value);
  }

  delete(name: string): void {
    const key = name.toLowerCase();
    if (!this.#unseen.has(key)) this.#fields.remove(key);
  }

  *[Symbol.iterator](): Iterator<readonly [name: string, value: string]> {
    for (const field of this.#fields.entries()) if (!this.#unseen.has(field[0])) yield field;
  }
}

export class RequestFieldMap extends FieldMap implements RequestFields {
  readonly #line: RequestLine;

  constructor(fields: ExtraFields, line: RequestLine, unseen = framingFields) {
    super(fields, unseen);
    this.#line = line;
  }

  get path(): string {
    return this.#line.path;
  }

  set path(path: string) {
    this.#line.path = path;
  }

  get authority(): string {
    return this.#line.authority;
  }

  set authority(authority: string) {
    this.#line.authority = authority;
  }

  get method(): string {
    return this.#line.method;
  }

  set method(method: string) {
    this.#line.method = method;
  }

  clearRouteCache(): void {
    this.#line.isRouteCleared = true;
  }
}

export class ResponseFieldMap extends FieldMap implements ResponseFields {
  readonly #head: { status: number };

  /** `head`: whose status it is. */
  constructor(fields: ExtraFields, head: { status: number }, unseen = framingFields) {
    super(fields, unseen);
    this.#head = head;
  }

  get status(): number {
    return this.#head.status;
  }

  set status(status: number) {
    if (!hasBody(status)) throw new RangeError(`no filter may answer with status ${status}`);
    this.#head.status = status;
  }
}

/** The name in lower case. */
export function judgeField(name: string, value: string, unseen = framingFields): string {
  const key = name.toLowerCase();
  if (!namePattern.test(key)) throw new TypeError(`"${name}" is no name of a field`);
  if (unseen.has(key)) throw new TypeError(`field "${name}" is not a filter's to write`);
  if (!valuePattern.test(value))
    throw new TypeError(`the value of field "${name}" fits in no head`);
  return key;
}

/** Of a final answer that may have a body. */
export function hasBody(status: number): boolean {
  const isFinal = Number.isInteger(status) && status >= 200 && status <= 599;
  return isFinal && status !== 204 && status !== 304;
}
