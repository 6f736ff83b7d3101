/**
 * One request among filters that see more than heads (Envoy: `FilterManager`), in both directions. Made for each request whose chain has such a filter; all other requests have none.
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
import { ExtraFields } from "../headers/extra-fields.ts";
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
import { filterSteps } from "./filter-steps.ts";
import { HeldRequestHead, HeldResponseHead, moveFields } from "./held-heads.ts";
import type { FilterPlace } from "./http-filter.ts";

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

export class FilterManager {
  readonly requestFields = new ExtraFields();
  readonly #context: HttpContext;
  readonly #stream: FilteredStream;
  readonly #filters: readonly HttpFilter[];
  readonly decode: FilterPassage;
  readonly encode: FilterPassage;
  readonly #responseFields = new ExtraFields();
  readonly #response = { status: 0 };
  #refusal: LocalReplyReason | undefined;
  #isEncoded = false;
  #isLocal = false;
  #isComposing = false;
  /** What a filter did while the head was composed. */
  #afterComposing: (() => void) | undefined;

  constructor(context: HttpContext, stream: FilteredStream, options: ManagerOptions) {
    const { places, facts, bytesMax } = options;
    this.#context = context;
    this.#stream = stream;
    const { filters, decode, encode } = filterSteps(places, {
      facts,
      info: stream.info,
      bytes: context.reactor.arena.bytes,
      requestFields: this.requestFields,
      responseFields: this.#responseFields,
      response: this.#response,
      restoreRequest: () => this.decode.restore(),
      restoreResponse: () => this.encode.restore(),
      refuse: (reason) => (this.#refusal = reason),
    });
    this.#filters = filters;
    const whole = places.filter((place) => place.kind === "whole");
    this.decode = new FilterPassage(context, {
      steps: decode,
      way: stream.decoded,
      isChanged: whole.some(({ factory }) => factory.changesRequestBody === true),
      bytesMax,
      verdicts: this.#verdicts(() => {
        context.count(httpStat.rqTooLarge);
        stream.refuseByFilter("requestTooLarge");
      }),
    });
    this.encode = new FilterPassage(context, {
      steps: encode,
      way: stream.encoded,
      isChanged: whole.some(({ factory }) => factory.changesResponseBody === true),
      bytesMax,
      verdicts: this.#verdicts(() => stream.refuseByFilter("responseBodyTooLarge")),
    });
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
    this.#response.status = responseHead.status;
    this.#isComposing = true;
    if (!encode.isChanged || encode.isBodyless) return contentLength;
    dropFields(knownHeader["content-length"]);
    return -1;
  }

  /** Applied while the head is composed. */
  readonly encodeChange: HeadChange = {
    apply: (_bytes, extra) => {
      if (!this.#isEncoded) this.#encodeHead(extra);
      extra.become(this.#responseFields);
      if (this.#isLocal || this.#response.status === responseHead.status) return;
      responseHead.status = this.#response.status;
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
    const reply = this.#filters.reduceRight(
      (before, filter) => this.#replyOf(filter, before),
      given,
    );
    this.#response.status = reply.status;
    return reply;
  }

  #replyOf(filter: HttpFilter, before: LocalReply): LocalReply {
    const { status, body } = before;
    try {
      const own = filter.onLocalReply?.({
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
    this.#responseFields.remove("content-length");
    this.#responseFields.add("content-length", String(length));
  }

  /** The request is over. */
  end(): void {
    this.decode.end();
    this.encode.end();
    for (const filter of this.#filters) {
      try {
        filter.onDestroy?.();
      } catch (error) {
        this.#context.onFilterFailed("onDestroy", error);
      }
    }
  }

  #encodeHead(own: ExtraFields): void {
    this.#isEncoded = true;
    moveFields(this.#context.reactor.arena.buffer, this.#responseFields, own);
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
    const refusal = this.#refusal;
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
