/** `envoy.config.core.v3.Http1ProtocolOptions`, of either side. */
import type { StringMatcher } from "./matchers.ts";

export interface Http1Options {
  /** Trailers of chunked bodies are passed on, both ways. */
  readonly trailers: boolean;
  readonly headerCase: HeaderCase;
  /** A length beside chunks is forgotten (RFC 9112 §6.3), in place of refused. */
  readonly allowsChunkedLength: boolean;
}

/** Of clients. */
export interface ServerHttp1Options extends Http1Options {
  readonly acceptsHttp10: boolean;
  readonly defaultHostForHttp10: string;
  readonly allowsAbsoluteUrl: boolean;
  /** Any token is a method. */
  readonly allowsCustomMethods: boolean;
  /** A request that could be read and may not be served leaves its connection open. */
  readonly keepsConnectionOnError: boolean;
  /** Of `Upgrade` fields, word by word: what is asked for thus is as if it were not. */
  readonly ignoredUpgrades: readonly StringMatcher[];
}

/** Of hosts. */
export interface ClientHttp1Options extends Http1Options {
  /** Requests go out in absolute form (RFC 9112 §3.2.2). */
  readonly sendsFullUrl: boolean;
}

/**
 * How names of fields are written. `preserve`: a message goes on as its names came, `othersProper` says how those are
 * written that did not come; it belongs to the side where the message is read.
 */
export type HeaderCase =
  | { readonly kind: "lower" | "proper" }
  | { readonly kind: "preserve"; readonly othersProper: boolean };
