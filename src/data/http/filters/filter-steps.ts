/**
 * The filters of one request, as the two directions call them. One object serves many requests, one after the other; what
 * filters may keep beyond theirs (fields) is made anew for each.
 */
import type {
  HttpFilter,
  Metadata,
  RequestFacts,
} from "../../../shared/http-filter/http-filter.ts";
import type { StreamInfo } from "../../network/stream-info.ts";
import type { LocalReplyReason } from "../composer/local-replies.ts";
import { ExtraFields } from "../headers/extra-fields.ts";
import { type FieldMap, noFields, RequestFieldMap, ResponseFieldMap } from "./field-map.ts";
import type { DataItem, StepOutcome, TrainSteps } from "./filter-train.ts";
import type { FilterPlace, HeadFilter, WholeFilter } from "./http-filter.ts";
import { RequestLine } from "./request-line.ts";

/** What steps ask of their request. */
export interface StepsOwner {
  readonly info: StreamInfo;
  readonly bytes: Uint8Array;
  /** The head lies in the table again, if it does not yet. */
  restoreRequest(): void;
  restoreResponse(): void;
}

/** What a step of ours says that refuses: the reason is in `refusal`. */
const refused: StepOutcome = { status: 0 };

export class FilterSteps {
  requestFields = new ExtraFields();
  responseFields = new ExtraFields();
  response = { status: 0 };
  line = new RequestLine({ method: "", path: "", authority: "" });
  refusal: LocalReplyReason | undefined;
  places: readonly FilterPlace[] = [];
  /** In the order of the places; undefined where heads alone are looked at. */
  filters: readonly (HttpFilter | undefined)[] = [];
  /** Any of them looks at parts of bodies. */
  seeRequestData = false;
  seeResponseData = false;
  readonly decode: TrainSteps;
  readonly encode: TrainSteps;
  readonly #owner: StepsOwner;
  /** Of filters of users, and of ours, which see all. Made when they are asked for. */
  #requestMap: RequestFieldMap | undefined;
  #ownRequestMap: RequestFieldMap | undefined;
  #responseMap: ResponseFieldMap | undefined;
  #ownResponseMap: ResponseFieldMap | undefined;

  constructor(owner: StepsOwner) {
    this.#owner = owner;
    this.decode = new DecodeSteps(this);
    this.encode = new EncodeSteps(this);
  }

  begin(places: readonly FilterPlace[], facts: RequestFacts): void {
    const { info } = this.#owner;
    this.places = places;
    this.refusal = undefined;
    this.requestFields = new ExtraFields();
    this.responseFields = new ExtraFields();
    this.response = { status: 0 };
    this.line = new RequestLine(facts);
    this.#requestMap = undefined;
    this.#ownRequestMap = undefined;
    this.#responseMap = undefined;
    this.#ownResponseMap = undefined;
    this.filters = places.map((place) =>
      place.kind === "heads" ? undefined : created(place, facts, info),
    );
    this.seeRequestData = false;
    this.seeResponseData = false;
    for (const filter of this.filters) {
      this.seeRequestData ||= filter?.decodeData !== undefined;
      this.seeResponseData ||= filter?.encodeData !== undefined;
    }
  }

  /** The request is over: nothing of it is kept. */
  end(): void {
    this.places = [];
    this.filters = [];
  }

  requestMapOf({ isOwn }: WholeFilter): RequestFieldMap {
    const { requestFields, line } = this;
    if (isOwn !== true) return (this.#requestMap ??= new RequestFieldMap(requestFields, line));
    return (this.#ownRequestMap ??= new RequestFieldMap(requestFields, line, noFields));
  }

  responseMapOf({ isOwn }: WholeFilter): ResponseFieldMap {
    const { responseFields, response } = this;
    if (isOwn !== true)
      return (this.#responseMap ??= new ResponseFieldMap(responseFields, response));
    return (this.#ownResponseMap ??= new ResponseFieldMap(responseFields, response, noFields));
  }

  decodeHeads(filter: HeadFilter): StepOutcome {
    if (filter.onRequest === undefined) return undefined;
    this.#owner.restoreRequest();
    const { bytes, info } = this.#owner;
    this.refusal = filter.onRequest(bytes, this.requestFields, info);
    return this.refusal === undefined ? undefined : refused;
  }

  encodeHeads({ responseChange }: HeadFilter): void {
    if (responseChange === undefined) return;
    this.#owner.restoreResponse();
    responseChange.apply(this.#owner.bytes, this.responseFields, this.#owner.info);
  }
}

/** What both directions have: their own order, and who is at a place of it. */
abstract class Direction {
  protected readonly steps: FilterSteps;

  constructor(steps: FilterSteps) {
    this.steps = steps;
  }

  get count(): number {
    return this.steps.filters.length;
  }

  nameOf(at: number): string {
    const place = this.placeAt(at);
    return place.kind === "whole" ? place.name : "";
  }

  protected placeAt(at: number): FilterPlace {
    return this.steps.places[this.indexOf(at)] as FilterPlace;
  }

  protected filterAt(at: number): HttpFilter | undefined {
    return this.steps.filters[this.indexOf(at)];
  }

  /** Of the places, which stand in the order of requests. */
  protected abstract indexOf(at: number): number;
}

class DecodeSteps extends Direction implements TrainSteps {
  get seeData(): boolean {
    return this.steps.seeRequestData;
  }

  head(at: number, isEnd: boolean): StepOutcome {
    const place = this.placeAt(at);
    if (place.kind === "heads") return this.steps.decodeHeads(place.filter);
    return this.filterAt(at)?.decodeHeaders?.(this.steps.requestMapOf(place), isEnd);
  }

  data(at: number, { bytes, isEnd }: DataItem, silent: StepOutcome): StepOutcome {
    const filter = this.filterAt(at);
    return filter?.decodeData === undefined ? silent : filter.decodeData(bytes, isEnd);
  }

  trailers(at: number, fields: FieldMap): StepOutcome {
    return this.filterAt(at)?.decodeTrailers?.(fields);
  }

  metadata(at: number, metadata: Metadata): StepOutcome {
    return this.filterAt(at)?.decodeMetadata?.(metadata);
  }

  protected indexOf(at: number): number {
    return at;
  }
}

/** In the reverse order. */
class EncodeSteps extends Direction implements TrainSteps {
  get seeData(): boolean {
    return this.steps.seeResponseData;
  }

  head(at: number, isEnd: boolean): StepOutcome {
    const place = this.placeAt(at);
    if (place.kind === "heads") return this.steps.encodeHeads(place.filter);
    return this.filterAt(at)?.encodeHeaders?.(this.steps.responseMapOf(place), isEnd);
  }

  data(at: number, { bytes, isEnd }: DataItem, silent: StepOutcome): StepOutcome {
    const filter = this.filterAt(at);
    return filter?.encodeData === undefined ? silent : filter.encodeData(bytes, isEnd);
  }

  trailers(at: number, fields: FieldMap): StepOutcome {
    return this.filterAt(at)?.encodeTrailers?.(fields);
  }

  metadata(at: number, metadata: Metadata): StepOutcome {
    return this.filterAt(at)?.encodeMetadata?.(metadata);
  }

  protected indexOf(at: number): number {
    return this.steps.filters.length - 1 - at;
  }
}

/** What is thrown is said when the request comes to it, as anything else that a filter throws. */
function created({ factory }: WholeFilter, facts: RequestFacts, info: StreamInfo): HttpFilter {
  try {
    return factory.create(facts, info);
  } catch (error) {
    return {
      decodeHeaders() {
        throw error;
      },
    };
  }
}
