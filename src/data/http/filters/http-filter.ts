/**
 * What an HTTP filter may do (Envoy: `Http::StreamFilter`, as far as it is built): look at the head of a request and
 * change or answer it, change the head of its response. Bodies pass by filters.
 *
 * What a newcomer would get wrong: one filter serves all requests of its connection manager, so it holds nothing of one.
 */
import type { PlainHttpFilterConfig } from "../../../shared/config/http-config.ts";
import type { StreamInfo } from "../../network/stream-info.ts";
import type { ExtraFields } from "../headers/extra-fields.ts";
import type { HeadChange } from "../headers/header-mutations.ts";
import type { LocalReplyReason } from "../local-replies.ts";

export interface HttpFilter extends Disposable {
  /**
   * The head that was parsed last, with the connection manager's own fields beside it. An answer ends the request's
   * way: neither later filters nor the router see it.
   */
  onRequest?(bytes: Uint8Array, extra: ExtraFields, info: StreamInfo): LocalReplyReason | undefined;
  /** On every response, ours or an upstream's. */
  readonly responseChange?: HeadChange;
}

export type OnDemandFilter = Extract<PlainHttpFilterConfig, { readonly kind: "onDemand" }>;

/** The filters of a connection manager at one moment: a request keeps those that it began with. */
export interface HttpFilters {
  /** In the order of the chain; those that look at requests. */
  readonly ofRequests: readonly HttpFilter[];
  /** In the reverse order, as Envoy's encoder filters. */
  readonly ofResponses: readonly HeadChange[];
  readonly suppressesEnvoyHeaders: boolean;
  /** Requests may wait for what nobody asked for before. */
  readonly onDemand: OnDemandFilter | undefined;
}

export const noHttpFilters: HttpFilters = {
  ofRequests: [],
  ofResponses: [],
  suppressesEnvoyHeaders: false,
  onDemand: undefined,
};
