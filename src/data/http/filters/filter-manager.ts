/**
 * One request among filters that see more than heads (Envoy: `FilterManager`), in both directions. One object serves many
 * requests, one after the other; those whose chain has no such filter have none.
 *
 *   codec → decode train → exchange → upstream → encode train → codec
 *
 * What a newcomer would get wrong: a filter may answer while the response's head is composed; that waits until it is.
 */
import type {
  FilterReply,
  HttpFilter,
  RequestFacts,
} from "../../../shared/http-filter/http-filter.ts";
import type { ExtraFields } from "../headers/extra-fields.ts";
import type { HeadChange } from "../headers/header-mutations.ts";
import type { HttpContext } from "../http-context.ts";
import { dropFields } from "../http1/header-table.ts";
import { knownHeader } from "../http1/known-headers.ts";
import { requestHead } from "../http1/request-head.ts";
import { responseHead } from "../http1/response-head.ts";
import type { LocalReplyReason } from "../composer/local-replies.ts";
import type { LocalReply } from "../composer/response-composer.ts";
import type { RequestInfo } from "../request/request-info.ts";
import type { ResponseBody } from "../upstream/upstream-request.ts";
import { httpStat } from "../stat-offsets.ts";
import { type FilteredWay, FilterPassage, type PassageVerdicts } from "./filter-passage.ts";
import { localReplyOf } from "./filter-reply.ts";
import { FilterSteps, type StepsOwner } from "./filter-steps.ts";
import { HeldRequestHead, HeldResponseHead, moveFields } from "./held-heads.ts";
import type { FilterPlace } from "./http-filter.ts";
import type { RequestLine } from "./request-line.ts";

/** The request, as its filters' manager calls it. */
export interface FilteredStream {
  readonly info: RequestInfo;
  readonly decoded: FilteredWay;
  readonly encoded: FilteredWay;
  /** In the place of what would have come. */
  replyByFilter(reply: FilterReply, filter: string): void;
  refuseByFilter(reason: LocalReplyReason): void;
}

export interface ManagerOptions {
  readonly places: readonly FilterPlace[];
  readonly facts: RequestFacts;
  /** Most bytes of a body that filters hold: the listener's buffer limit. */
  readonly bytesMax: number;
}

export class FilterManager implements StepsOwner {
  readonly decode: FilterPassage;
  readonly encode: FilterPassage;
  readonly #context: HttpContext;
  readonly #stream: FilteredStream;
  readonly #steps = new FilterSteps(this);
  #isEncoded = false;
  #isLocal = false;
  #isComposing = false;
  /** What a filter did while the head was composed. */
  #afterComposing: (() => void) | undefined;

  constructor(context: HttpContext, stream: FilteredStream) {
    this.#context = context;
    this.#stream = stream;
    const { decode, encode } = this.#steps;
    const onRequestTooLarge = (): void => {
      context.count(httpStat.rqTooLarge);
      stream.refuseByFilter("requestTooLarge");
    };
    const onResponseTooLarge = (): void => stream.refuseByFilter("responseBodyTooLarge");
    const { decoded, encoded } = stream;
    this.decode = new FilterPassage(context, decode, decoded, this.#verdicts(onRequestTooLarge));
    this.encode = new FilterPassage(context, encode, encoded, this.#verdicts(onResponseTooLarge));
  }

  /** Another request. */
  begin({ places, facts, bytesMax }: ManagerOptions): void {
    this.#isEncoded = false;
    this.#isLocal = false;
    this.#isComposing = false;
    this.#afterComposing = undefined;
    this.#steps.begin(places, facts);
    let changesRequest = false;
    let changesResponse = false;
    for (const place of places) {
      if (place.kind === "heads") continue;
      changesRequest ||= place.factory.changesRequestBody === true;
      changesResponse ||= place.factory.changesResponseBody === true;
    }
    this.decode.begin(changesRequest, bytesMax);
    this.encode.begin(changesResponse, bytesMax);
  }

  get requestFields(): ExtraFields {
    return this.#steps.requestFields;
  }

  get line(): RequestLine {
    return this.#steps.line;
  }

  get info(): RequestInfo {
    return this.#stream.info;
  }

  get bytes(): Uint8Array {
    return this.#context.reactor.arena.bytes;
  }

  restoreRequest(): void {
    this.decode.restore();
  }

  restoreResponse(): void {
    this.encode.restore();
  }

  get isRequestHeld(): boolean {
    return this.decode.isHeld;
  }

  get isResponseHeld(): boolean {
    return this.encode.isHeld;
  }

  /** The head that was parsed last, with our own fields beside it. True: it may go on at once. */
  decodeHead(own: ExtraFields): boolean {
    const { fields } = requestHead;
    const decode = this.decode;
    decode.isBodyless = !fields.isChunked && fields.contentLength <= 0;
    moveFields(this.#context.reactor.arena.buffer, this.requestFields, own);
    if (decode.isChanged && !decode.isBodyless) {
      dropFields(knownHeader["content-length"]);
      fields.contentLength = -1;
      fields.isChunked = true;
    }
    return decode.head((buffer) => new HeldRequestHead(buffer));
  }

  decodeData(start: number, end: number, isEnd: boolean): void {
    this.decode.data(start, end, isEnd);
  }

  decodeTrailers(): void {
    this.decode.trailers();
  }

  /** Of the response whose head was parsed last: how long its body will be, -1: nobody knows. */
  beginResponse({ contentLength, isEnd, start, end }: ResponseBody, isBodyless: boolean): number {
    const encode = this.encode;
    encode.isBodyless = isBodyless || (isEnd && start === end);
    this.#steps.response.status = responseHead.status;
    this.#isComposing = true;
    if (!encode.isChanged || encode.isBodyless) return contentLength;
    dropFields(knownHeader["content-length"]);
    return -1;
  }

  /** Applied while the head is composed. */
  readonly encodeChange: HeadChange = {
    apply: (_bytes, extra) => {
      if (!this.#isEncoded) this.#encodeHead(extra);
      extra.become(this.#steps.responseFields);
      if (this.#isLocal || this.#steps.response.status === responseHead.status) return;
      responseHead.status = this.#steps.response.status;
      responseHead.statusEnd = responseHead.statusStart;
    },
  };

  /** Behind composing. False: a filter has answered instead. */
  endComposing(): boolean {
    this.#isComposing = false;
    const act = this.#afterComposing;
    this.#afterComposing = undefined;
    act?.();
    return act === undefined;
  }

  encodeData(start: number, end: number, isEnd: boolean): void {
    this.encode.data(start, end, isEnd);
  }

  encodeTrailers(): void {
    this.encode.trailers();
  }

  /** What comes now is of our own making: nothing holds it. What filters make of it. */
  beginLocalReply(given: LocalReply): LocalReply {
    this.#isLocal = true;
    this.#isEncoded = false;
    this.decode.end();
    this.encode.end();
    const reply = this.#steps.filters.reduceRight(
      (before, filter) => this.#replyOf(filter, before),
      given,
    );
    this.#steps.response.status = reply.status;
    return reply;
  }

  #replyOf(filter: HttpFilter | undefined, before: LocalReply): LocalReply {
    if (filter?.onLocalReply === undefined) return before;
    const { status, body } = before;
    try {
      const own = filter.onLocalReply({
        status,
        body,
        fields: Object.fromEntries(before.fields),
      });
      return own ? localReplyOf(own) : before;
    } catch (error) {
      // An answer in its place might end in the same filter again.
      this.#context.onFilterFailed("onLocalReply", error);
      return before;
    }
  }

  /** The held response goes on with a body whose length is known by now. */
  setResponseLength(length: number): void {
    this.#steps.responseFields.remove("content-length");
    this.#steps.responseFields.add("content-length", String(length));
  }

  /** The request is over. */
  end(): void {
    this.decode.end();
    this.encode.end();
    for (const filter of this.#steps.filters) {
      try {
        filter?.onDestroy?.();
      } catch (error) {
        this.#context.onFilterFailed("onDestroy", error);
      }
    }
    this.#steps.end();
  }

  #encodeHead(own: ExtraFields): void {
    this.#isEncoded = true;
    moveFields(this.#context.reactor.arena.buffer, this.#steps.responseFields, own);
    if (this.#isLocal) this.encode.headOfOurs();
    else this.encode.head((buffer) => new HeldResponseHead(buffer));
  }

  #verdicts(onTooLarge: () => void): PassageVerdicts {
    return {
      onReply: (reply, name) => this.#act(() => this.#onReply(reply, name)),
      onFailure: (name, error) => this.#act(() => this.#onFailure(name, error)),
      onTooLarge,
    };
  }

  #onReply(reply: FilterReply, name: string): void {
    const refusal = this.#steps.refusal;
    if (refusal !== undefined) this.#stream.refuseByFilter(refusal);
    else this.#stream.replyByFilter(reply, name);
  }

  #onFailure(name: string, error: unknown): void {
    this.#context.onFilterFailed(name, error);
    this.#stream.refuseByFilter("filterFailed");
  }

  /** The composer can do one head at a time. */
  #act(act: () => void): void {
    if (this.#isComposing) this.#afterComposing = act;
    else act();
  }
}
