/**
 * What stands in a chain of HTTP filters. Most of ours see heads alone, and one of them serves all requests of its
 * connection manager, so it holds nothing of one. A whole filter is made for each request (`shared/http-filter`).
 */
import type { PlainHttpFilterConfig } from "../../../shared/config/http-config.ts";
import type {
  HttpFilter,
  HttpFilterFactory,
  RequestFacts,
} from "../../../shared/http-filter/http-filter.ts";
import type { StreamInfo } from "../../network/stream-info.ts";
import type { ExtraFields } from "../headers/extra-fields.ts";
import type { HeadChange } from "../headers/header-mutations.ts";
import type { LocalReplyReason } from "../composer/local-replies.ts";

export interface HeadFilter extends Disposable {
  /**
   * The head that was parsed last, with the connection manager's own fields beside it. An answer ends the request's
   * way: neither later filters nor the router see it.
   */
  onRequest?(bytes: Uint8Array, extra: ExtraFields, info: StreamInfo): LocalReplyReason | undefined;
  /** On every response, ours or an upstream's. */
  readonly responseChange?: HeadChange;
}

/** One of ours may ask what nobody else is told. */
export interface FilterFactory extends Omit<HttpFilterFactory, "create"> {
  create(request: RequestFacts, info: StreamInfo): HttpFilter;
}

export interface WholeFilter {
  readonly kind: "whole";
  readonly name: string;
  readonly factory: FilterFactory;
  /** One of ours: it sees and writes the fields that frame a message, too. */
  readonly isOwn?: true;
  /** The head that was parsed last is one that it would look at; absent: it looks at all. */
  isFor?(bytes: Uint8Array): boolean;
}

export type FilterPlace = { readonly kind: "heads"; readonly filter: HeadFilter } | WholeFilter;

export type OnDemandFilter = Extract<PlainHttpFilterConfig, { readonly kind: "onDemand" }>;

/** The filters of a connection manager at one moment: a request keeps those that it began with. */
export interface HttpFilters {
  /** In the order of the chain; those that look at heads of requests alone. */
  readonly ofRequests: readonly HeadFilter[];
  /** In the reverse order, as Envoy's encoder filters. */
  readonly ofResponses: readonly HeadChange[];
  /** All of them in their order, if any is whole: for requests that one of these looks at. */
  readonly places: readonly FilterPlace[];
  readonly suppressesEnvoyHeaders: boolean;
  /** Requests may wait for what nobody asked for before. */
  readonly onDemand: OnDemandFilter | undefined;
}

export const noHttpFilters: HttpFilters = {
  ofRequests: [],
  ofResponses: [],
  places: [],
  suppressesEnvoyHeaders: false,
  onDemand: undefined,
};

const nowhere: readonly FilterPlace[] = [];

/** Of the head that was parsed last; empty: no filter looks at more of it than its fields. */
export function placesFor({ places }: HttpFilters, bytes: Uint8Array): readonly FilterPlace[] {
  // Nearly all chains.
  if (places.length === 0) return nowhere;
  const looking = places.filter((place) => place.kind === "heads" || isFor(place, bytes));
  return looking.some(({ kind }) => kind === "whole") ? looking : nowhere;
}

function isFor(filter: WholeFilter, bytes: Uint8Array): boolean {
  return filter.isFor === undefined || filter.isFor(bytes);
}

/** Of filters that see heads alone, in their order; undefined: all let it pass. */
export function firstRefusal(
  { ofRequests }: HttpFilters,
  bytes: Uint8Array,
  extra: ExtraFields,
  info: StreamInfo,
): LocalReplyReason | undefined {
  for (const filter of ofRequests) {
    const refusal = filter.onRequest?.(bytes, extra, info);
    if (refusal !== undefined) return refusal;
  }
  return undefined;
}
