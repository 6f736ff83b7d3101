/**
 * What is kept of a request whose route follows redirects of hosts, and what becomes of it when one is followed
 * (Envoy: the router filter's `setupRedirect` and `ActiveStream::recreateStream`).
 *
 * What a newcomer would get wrong: the next request is made of the head as it was sent, not as it came, with whatever
 * connection manager and route did to it; so the connection manager does nothing to it a second time.
 */
import type { InternalRedirectPolicy } from "../../../shared/config/route-config.ts";
import type { Arena } from "../../../shared/io/arena.ts";
import type { HttpContext } from "../http-context.ts";
import { latin1Text } from "../http1/ascii.ts";
import { findHeader, HeaderName, headers, headerText } from "../http1/header-table.ts";
import type { HeadWriter } from "../http1/head-writer.ts";
import { requestHead } from "../http1/request-head.ts";
import { responseHead } from "../http1/response-head.ts";
import { layOutRequest } from "../http1/staged-head.ts";
import { httpStat } from "../stat-offsets.ts";
import type { CompiledRoute } from "../router/compiled-route.ts";

const seeOther = 303;
const location = new HeaderName("location");
/** Scheme, authority without its user, path and query; what is behind `#` is the client's. */
const absoluteUrl = /^([a-z][a-z0-9+.-]*):\/\/(?:[^@/?#]*@)?([^@/?#]+)([^#]*)/i;
/** Around a part of a body, for the chunked coding. */
const chunkRoom = 32;
/** The route's own, which the next one says anew; and what the redirect itself says. */
const saidAnew = ["host", "x-envoy-expected-rq-timeout-ms", "x-envoy-original-url"];

interface Target {
  readonly scheme: string;
  readonly authority: string;
  readonly path: string;
}

/** Of a response: no route asks for it to be followed; it cannot be followed; it is. */
export type Redirect = "none" | "failed" | "followed";

/** What the request's way in has to do with it. */
export interface RedirectedDownstream {
  readonly listenerPort: number;
  readonly isRequestComplete: boolean;
}

/** Who takes the body once more. */
interface BodyTaker {
  send(start: number, end: number, isEnd: boolean): void;
  sendBody(start: number, end: number, isEnd: boolean): void;
}

export class RedirectTrail {
  /** How many were followed. */
  redirects = 0;
  readonly #bytesMax: number;
  /** As sent, without the lines that frame the body; then, of the next request, the whole of it. */
  #head = "";
  #isChunked = false;
  #minorVersion = 1;
  #isHttps = false;
  #body: Buffer[] = [];
  #bodyBytes = 0;
  #isSpoilt = false;
  /** By the name of the route that they were reached from. */
  readonly #previous = new Map<string, Set<string>>();

  /** `bytesMax`: of a body; a request with a larger one is led nowhere. */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** What the writer holds of the request whose head was parsed last. */
  keepHead(writer: HeadWriter, isHttps: boolean): void {
    this.#head = latin1Text(writer.buffer, writer.start, writer.framingStart);
    this.#isChunked = requestHead.fields.isChunked;
    this.#minorVersion = requestHead.minorVersion;
    if (this.redirects === 0) this.#isHttps = isHttps;
  }

  /** What is kept of it, and sent once more; trailers are not, as in Envoy. */
  keepBody(buffer: Buffer, start: number, end: number): void {
    if (this.redirects > 0 || start === end || this.#isSpoilt) return;
    this.#bodyBytes += end - start;
    if (this.#bodyBytes > this.#bytesMax) this.#spoil();
    else this.#body.push(Buffer.from(buffer.subarray(start, end)));
  }

  /** It cannot be sent once more. */
  #spoil(): void {
    this.#isSpoilt = true;
    this.#body = [];
  }

  /**
   * The response that was parsed last, whose head stays in the table; `route` is the one that led to its host.
   * `followed`: `layOut` has the next request.
   */
  judge(
    route: CompiledRoute | undefined,
    downstream: RedirectedDownstream,
    context: HttpContext,
  ): Redirect {
    if (route?.action.kind !== "cluster") return "none";
    const { name } = route;
    const policy = route.action.internalRedirect;
    if (policy?.codes.includes(responseHead.status) !== true) return "none";
    // Whoever still sends could not send it once more (Envoy: not supported for streaming requests).
    if (!downstream.isRequestComplete || this.#isSpoilt) return "failed";
    const isFollowed = this.#follows(policy, { ...downstream, name }, context);
    return isFollowed ? "followed" : "failed";
  }

  #follows(
    policy: InternalRedirectPolicy,
    { name: routeName, listenerPort }: { readonly name: string; readonly listenerPort: number },
    context: HttpContext,
  ): boolean {
    const { buffer } = context.reactor.arena;
    const index = findHeader(buffer, location);
    if (index < 0) return false;
    const target = parseLocation(headerText(buffer, index));
    if (target === undefined) return refused(context, httpStat.redirectBadLocation);
    const isHttps = target.scheme === "https";
    const isSameScheme = isHttps === this.#isHttps && (isHttps || target.scheme === "http");
    if (!policy.allowsCrossScheme && !isSameScheme)
      return refused(context, httpStat.redirectUnsafeScheme);
    if (this.redirects >= policy.redirectsMax) return refused(context, httpStat.redirectTooMany);
    const head = this.#nextHead(target, policy, buffer);
    const route = routeOf(head, context, listenerPort);
    if (route === undefined) return refused(context, httpStat.redirectNoRoute);
    if (!this.#mayLeadTo(route.name, { policy, routeName, isHttps }))
      return refused(context, httpStat.redirectPredicate);
    this.#head = head;
    this.redirects++;
    this.#isHttps = isHttps;
    if (responseHead.status !== seeOther) return true;
    this.#isChunked = false;
    this.#body = [];
    return true;
  }

  /** Puts the next request where heads are laid out, and parses it. */
  layOut(arena: Arena): void {
    layOutRequest(arena, this.#head, {
      minorVersion: this.#minorVersion,
      isChunked: this.#isChunked,
    });
  }

  sendBody(taker: BodyTaker, { buffer, readStart, readEnd }: Arena): void {
    const body = Buffer.concat(this.#body);
    const start = readStart + chunkRoom;
    const partMax = readEnd - start - chunkRoom;
    let at = Math.min(body.length, partMax);
    body.copy(buffer, start, 0, at);
    taker.send(start, start + at, at === body.length);
    while (at < body.length) {
      const size = Math.min(body.length - at, partMax);
      body.copy(buffer, start, at, at + size);
      at += size;
      taker.sendBody(start, start + size, at === body.length);
    }
  }

  /** Envoy's, by the predicates' names. */
  #mayLeadTo(
    target: string,
    from: {
      readonly policy: InternalRedirectPolicy;
      readonly routeName: string;
      readonly isHttps: boolean;
    },
  ): boolean {
    return from.policy.predicates.every((predicate) => {
      switch (predicate.kind) {
        case "previousRoutes":
          return this.#isNew(from.routeName, target);
        case "allowListedRoutes":
          return predicate.routes.includes(target);
        case "safeCrossScheme":
          return this.#isHttps || !from.isHttps;
        default:
          return predicate satisfies never;
      }
    });
  }

  #isNew(routeName: string, target: string): boolean {
    const seen = this.#previous.get(routeName) ?? new Set();
    this.#previous.set(routeName, seen);
    if (seen.has(target)) return false;
    seen.add(target);
    return true;
  }

  #nextHead(target: Target, policy: InternalRedirectPolicy, buffer: Buffer): string {
    const [first = "", ...fields] = this.#head.split("\r\n").filter((line) => line !== "");
    const [sentMethod = "", sentPath = ""] = first.split(" ");
    const turnsToGet =
      responseHead.status === seeOther && sentMethod !== "GET" && sentMethod !== "HEAD";
    const host = fields.find((line) => nameOf(line) === "host")?.slice("host: ".length) ?? "";
    const { headersToCopy } = policy;
    const kept = fields.filter((line) => {
      const name = nameOf(line);
      if (saidAnew.includes(name) || headersToCopy.includes(name)) return false;
      return !(turnsToGet && name === "content-length");
    });
    const lines = [
      `${turnsToGet ? "GET" : sentMethod} ${target.path} HTTP/1.1`,
      `host: ${target.authority}`,
      ...kept,
      ...headersToCopy.flatMap((name) => linesOf(name, buffer)),
      `x-envoy-original-url: ${this.#isHttps ? "https" : "http"}://${host}${sentPath}`,
    ];
    return `${lines.join("\r\n")}\r\n\r\n`;
  }
}

export function parseLocation(text: string): Target | undefined {
  const [, scheme = "", authority = "", rest = ""] = absoluteUrl.exec(text) ?? [];
  if (authority === "") return undefined;
  const path = rest.startsWith("/") ? rest : `/${rest}`;
  return /\s/.test(path) ? undefined : { scheme: scheme.toLowerCase(), authority, path };
}

function refused(context: HttpContext, why: number): false {
  context.count(why);
  return false;
}

/** The response's head is in the table again afterwards. */
function routeOf(
  head: string,
  context: HttpContext,
  listenerPort: number,
): CompiledRoute | undefined {
  const { arena } = context.reactor;
  const restore = headers.save();
  // The scratch is free until the response is composed.
  const start = arena.scratchStart;
  const end = start + arena.buffer.write(head, start, arena.scratchEnd - start, "latin1");
  const isRead = requestHead.parse(arena.bytes, start, end, headers.nameStart.length) > 0;
  const { view, config } = context;
  const isTarget =
    isRead && view.target.read(arena.buffer, requestHead, config, listenerPort) === undefined;
  const route = isTarget ? context.routeTable()?.find(view) : undefined;
  restore();
  return route;
}

function nameOf(line: string): string {
  return line.slice(0, line.indexOf(":")).toLowerCase();
}

/** All fields of the name in the table. */
function linesOf(name: string, buffer: Buffer): readonly string[] {
  const header = new HeaderName(name);
  const lines: string[] = [];
  for (let i = findHeader(buffer, header); i >= 0; i = findHeader(buffer, header, i + 1))
    lines.push(`${name}: ${headerText(buffer, i)}`);
  return lines;
}
