/** The filters of one request, as the two directions see them. */
import type { HttpFilter, RequestFacts } from "../../../shared/http-filter/http-filter.ts";
import type { StreamInfo } from "../../network/stream-info.ts";
import type { ExtraFields } from "../headers/extra-fields.ts";
import type { LocalReplyReason } from "../composer/local-replies.ts";
import { FieldMap, ResponseFieldMap, noFields, framingFields } from "./field-map.ts";
import type { TrainStep } from "./filter-train.ts";
import type { FilterPlace, HeadFilter } from "./http-filter.ts";

/** What steps act on. */
export interface StepParts {
  readonly facts: RequestFacts;
  readonly info: StreamInfo;
  readonly bytes: Uint8Array;
  readonly requestFields: ExtraFields;
  readonly responseFields: ExtraFields;
  readonly response: { status: number };
  /** The request's head lies in the table again, if it does not yet. */
  restoreRequest(): void;
  restoreResponse(): void;
  /** One of ours refuses: that is said in the place of what its step returns. */
  refuse(reason: LocalReplyReason): void;
}

export interface FilterSteps {
  readonly filters: readonly HttpFilter[];
  readonly decode: readonly TrainStep[];
  readonly encode: readonly TrainStep[];
}

export function filterSteps(places: readonly FilterPlace[], parts: StepParts): FilterSteps {
  const filters: HttpFilter[] = [];
  const decode: TrainStep[] = [];
  const encode: TrainStep[] = [];
  for (const place of places) {
    if (place.kind === "heads") {
      decode.push(decodeHeads(place.filter, parts));
      encode.unshift(encodeHeads(place.filter, parts));
      continue;
    }
    const { name, factory, isOwn } = place;
    const filter = created(() => factory.create(parts.facts, parts.info));
    if ("error" in filter) {
      decode.push({ name, head: () => rethrow(filter.error) });
      continue;
    }
    filters.push(filter.made);
    const seen = isOwn === true ? noFields : framingFields;
    decode.push(decodeWhole(name, filter.made, new FieldMap(parts.requestFields, seen)));
    const response = new ResponseFieldMap(parts.responseFields, parts.response, seen);
    encode.unshift(encodeWhole(name, filter.made, response));
  }
  return { filters, decode, encode };
}

function created(
  create: () => HttpFilter,
): { readonly made: HttpFilter } | { readonly error: unknown } {
  try {
    return { made: create() };
  } catch (error) {
    return { error };
  }
}

/** Said when the request comes to it, as anything else that a filter throws. */
function rethrow(error: unknown): never {
  throw error;
}

function decodeHeads(filter: HeadFilter, parts: StepParts): TrainStep {
  return {
    name: "",
    head() {
      parts.restoreRequest();
      const reason = filter.onRequest?.(parts.bytes, parts.requestFields, parts.info);
      if (reason === undefined) return undefined;
      parts.refuse(reason);
      return { status: 0 };
    },
  };
}

function encodeHeads({ responseChange }: HeadFilter, parts: StepParts): TrainStep {
  return {
    name: "",
    head() {
      if (responseChange === undefined) return;
      parts.restoreResponse();
      responseChange.apply(parts.bytes, parts.responseFields, parts.info);
    },
  };
}

function decodeWhole(name: string, filter: HttpFilter, fields: FieldMap): TrainStep {
  return {
    name,
    head: (isEnd) => filter.decodeHeaders?.(fields, isEnd),
    ...(filter.decodeData && { data: (bytes, isEnd) => filter.decodeData?.(bytes, isEnd) }),
    trailers: (trailers) => filter.decodeTrailers?.(trailers),
    metadata: (metadata) => filter.decodeMetadata?.(metadata),
  };
}

function encodeWhole(name: string, filter: HttpFilter, fields: ResponseFieldMap): TrainStep {
  return {
    name,
    head: (isEnd) => filter.encodeHeaders?.(fields, isEnd),
    ...(filter.encodeData && { data: (bytes, isEnd) => filter.encodeData?.(bytes, isEnd) }),
    trailers: (trailers) => filter.encodeTrailers?.(trailers),
    metadata: (metadata) => filter.encodeMetadata?.(metadata),
  };
}
