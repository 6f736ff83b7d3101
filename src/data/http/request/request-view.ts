/**
 * The head that was parsed last, as routes and header matchers see it. One a connection manager: routing
 * is over before anything else is parsed. Text is made when it is asked for.
 */
import type { HttpConnectionManagerConfig } from "../../../shared/config/http-config.ts";
import { latin1Text } from "../http1/ascii.ts";
import { headerText } from "../http1/header-table.ts";
import { requestHead } from "../http1/request-head.ts";
import { RequestTarget } from "./request-target.ts";
import type { RoutedRequest } from "../router/compiled-route.ts";

interface ViewedManager {
  readonly config: HttpConnectionManagerConfig;
  readonly isTls: boolean;
}

export class RequestView implements RoutedRequest {
  readonly buffer: Buffer;
  readonly target = new RequestTarget();
  readonly #manager: ViewedManager;

  /** `manager`: its configuration of the moment is asked for. */
  constructor(buffer: Buffer, manager: ViewedManager) {
    this.buffer = buffer;
    this.#manager = manager;
  }

  get isConnect(): boolean {
    return this.target.isConnect;
  }

  get path(): string {
    return this.target.path;
  }

  queryText(): string {
    return this.target.query(this.buffer);
  }

  pathAndQuery(): string {
    return this.target.hasQuery ? `${this.path}?${this.queryText()}` : this.path;
  }

  authorityText(): string {
    const { hostIndex } = requestHead;
    return this.target.authority ?? (hostIndex < 0 ? "" : headerText(this.buffer, hostIndex));
  }

  /** Its URI's (RFC 9110 §4.2), where that was said. */
  ownScheme(): string {
    return this.target.scheme === "" ? this.scheme() : this.target.scheme;
  }

  /** As x-forwarded-proto will say it. */
  scheme(): string {
    const { forwardedProtoIndex } = requestHead;
    const { useRemoteAddress, xffNumTrustedHops } = this.#manager.config;
    if (forwardedProtoIndex < 0 || (useRemoteAddress && xffNumTrustedHops === 0))
      return this.#manager.isTls ? "https" : "http";
    return headerText(this.buffer, forwardedProtoIndex);
  }

  pseudoHeader(name: string): string | undefined {
    switch (name) {
      case ":method":
        return latin1Text(this.buffer, requestHead.methodStart, requestHead.methodEnd);
      case ":path":
        return this.target.isConnect ? undefined : this.pathAndQuery();
      case ":authority":
        return this.authorityText();
      case ":scheme":
        return this.ownScheme();
      default:
        return undefined;
    }
  }
}
