/**
 * One request among filters that see more than heads (Envoy: `FilterManager`): two trains, and how what comes out of
 * them goes on. Made for each request whose chain has such a filter; all other requests have none.
 *
 *   codec → decode train → exchange → upstream → encode train → codec
 *
 * What a newcomer would get wrong: when nothing is held or changed, bytes go on where they lie, and nothing is copied.
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
import type { LocalReplyReason } from "../local-replies.ts";
import type { RequestInfo } from "../request-info.ts";
import type { ResponseBody } from "../upstream/upstream-request.ts";
import { httpStat } from "../stat-offsets.ts";
import { FieldMap } from "./field-map.ts";
import { filterSteps } from "./filter-steps.ts";
import { FilterTrain, type TrainEnd } from "./filter-train.ts";
import { HeldRequestHead, HeldResponseHead, moveFields } from "./held-heads.ts";
import type { FilterPlace } from "./http-filter.ts";
import { sendThroughScratch } from "../scratch-parts.ts";
import { stageFields, trailerFields } from "./trailer-fields.ts";

/** Where one direction of a request goes on behind its filters. */
export interface FilteredWay {
  /** The head is composed, and waits in the writer for the first part of the body. */
  readonly isHeadWaiting: boolean;
  /** The head that was held lies in the table, and has passed: compose it. */
  onReleased(isEnd: boolean): void;
  send(start: number, end: number, isEnd: boolean): void;
  sendTrailers(start: number, end: number): void;
  setHeld(isHeld: boolean): void;
}

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
  readonly #decode: FilterTrain;
  readonly #encode: FilterTrain;
  readonly #responseFields = new ExtraFields();
  readonly #response = { status: 0 };
  readonly #changesRequest: boolean;
  readonly #changesResponse: boolean;
  #heldRequest: HeldRequestHead | undefined;
  #heldResponse: HeldResponseHead | undefined;
  #refusal: LocalReplyReason | undefined;
  #isRequestBodyless = false;
  #isResponseBodyless = false;
  #isEncoded = false;
  #isLocal = false;
  #isComposing = false;
  /** What a filter did while the head was composed. */
  #afterComposing: (() => void) | undefined;

  constructor(context: HttpContext, stream: FilteredStream, options: ManagerOptions) {
    const { places, facts, bytesMax } = options;
    this.#context = context;
    this.#stream = stream;
    const steps = filterSteps(places, {
      facts,
      info: stream.info,
      bytes: context.reactor.arena.bytes,
      requestFields: this.requestFields,
      responseFields: this.#responseFields,
      response: this.#response,
      restoreRequest: () => this.#heldRequest?.restore(context.reactor.arena),
      restoreResponse: () => this.#heldResponse?.restore(context.reactor.arena),
      refuse: (reason) => (this.#refusal = reason),
    });
    this.#filters = steps.filters;
    this.#decode = new FilterTrain(steps.decode, this.#decodeEnd(), bytesMax);
    this.#encode = new FilterTrain(steps.encode, this.#encodeEnd(), bytesMax);
    const whole = places.filter((place) => place.kind === "whole");
    this.#changesRequest = whole.some(({ factory }) => factory.changesRequestBody === true);
    this.#changesResponse = whole.some(({ factory }) => factory.changesResponseBody === true);
  }

  get isRequestHeld(): boolean {
    return this.#heldRequest !== undefined;
  }

  get isResponseHeld(): boolean {
    return this.#heldResponse !== undefined;
  }

  /** The head that was parsed last, with our own fields beside it. True: it may go on at once. */
  decodeHead(own: ExtraFields): boolean {
    const { buffer } = this.#context.reactor.arena;
    const { fields } = requestHead;
    this.#isRequestBodyless = !fields.isChunked && fields.contentLength <= 0;
    moveFields(buffer, this.requestFields, own);
    if (this.#changesRequest && !this.#isRequestBodyless) {
      dropFields(knownHeader["content-length"]);
      fields.contentLength = -1;
      fields.isChunked = true;
    }
    if (this.#decode.head(this.#isRequestBodyless)) return true;
    if (!this.#decode.isOver) this.#heldRequest = new HeldRequestHead(buffer);
    return false;
  }

  decodeData(start: number, end: number, isEnd: boolean): void {
    const isSilent = start === end && (!isEnd || this.#isRequestBodyless);
    if (isSilent) {
      if (!this.isRequestHeld) this.#stream.decoded.send(start, end, isEnd);
      return;
    }
    const way = this.#stream.decoded;
    this.#pass({ train: this.#decode, way, isChanged: this.#changesRequest }, start, end, isEnd);
  }

  decodeTrailers(): void {
    const fields = trailerFields(this.#context.reactor.arena.buffer);
    if (this.#decode.trailers(new FieldMap(fields)))
      this.#sendTrailers(this.#stream.decoded, fields);
  }

  /** Of the response whose head was parsed last: how long its body will be, -1: nobody knows. */
  beginResponse({ contentLength, isEnd, start, end }: ResponseBody, isBodyless: boolean): number {
    this.#isResponseBodyless = isBodyless || (isEnd && start === end);
    this.#response.status = responseHead.status;
    this.#isComposing = true;
    if (!this.#changesResponse || this.#isResponseBodyless) return contentLength;
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
    const isSilent = start === end && (!isEnd || this.#isResponseBodyless);
    if (isSilent) {
      if (!this.isResponseHeld) this.#stream.encoded.send(start, end, isEnd);
      return;
    }
    const way = this.#stream.encoded;
    this.#pass({ train: this.#encode, way, isChanged: this.#changesResponse }, start, end, isEnd);
  }

  /** The head that was held is composed: it goes out, unless the first part of its body comes with it. */
  flushHead(isEnd: boolean): void {
    if (!this.endComposing()) return;
    const { start } = this.#context.writer;
    this.#stream.encoded.send(start, start, isEnd);
  }

  encodeTrailers(): void {
    const fields = trailerFields(this.#context.reactor.arena.buffer);
    if (this.#encode.trailers(new FieldMap(fields)))
      this.#sendTrailers(this.#stream.encoded, fields);
  }

  /** What comes now is of our own making: nothing holds it. */
  beginLocalReply(status: number): void {
    this.#isLocal = true;
    this.#isEncoded = false;
    this.#response.status = status;
    this.#heldRequest = undefined;
    this.#heldResponse = undefined;
    this.#decode.end();
    this.#encode.end();
  }

  /** The request is over. */
  end(): void {
    this.#decode.end();
    this.#encode.end();
    for (const filter of this.#filters) {
      try {
        filter.onDestroy?.();
      } catch (error) {
        this.#context.onFilterFailed("onDestroy", error);
      }
    }
  }

  #encodeHead(own: ExtraFields): void {
    const { buffer } = this.#context.reactor.arena;
    this.#isEncoded = true;
    moveFields(buffer, this.#responseFields, own);
    if (this.#isLocal) this.#encode.headOfOurs();
    else if (!this.#encode.head(this.#isResponseBodyless) && !this.#encode.isOver)
      this.#heldResponse = new HeldResponseHead(buffer);
  }

  #pass({ train, way, isChanged }: Passage, start: number, end: number, isEnd: boolean): void {
    const view = this.#context.reactor.arena.bytes.subarray(start, end);
    if (train.data(view, isEnd)) {
      // Around what goes in chunks there is no room where it lies.
      if (isChanged) this.#send(way, view, isEnd);
      else way.send(start, end, isEnd);
    } else if (!train.isOver && way.isHeadWaiting) way.send(start, start, false);
  }

  #send(way: FilteredWay, bytes: Uint8Array, isEnd: boolean): void {
    const { writer } = this.#context;
    const headEnd = way.isHeadWaiting ? writer.at : writer.start;
    sendThroughScratch(writer, headEnd, { bytes, isEnd }, (start, end, isLast) =>
      way.send(start, end, isLast),
    );
  }

  #sendTrailers(way: FilteredWay, fields: ExtraFields): void {
    if (way.isHeadWaiting) way.send(this.#context.writer.start, this.#context.writer.start, false);
    const { arena } = this.#context.reactor;
    way.sendTrailers(arena.stagingStart, stageFields(arena, fields));
  }

  #decodeEnd(): TrainEnd {
    const { decoded } = this.#stream;
    return {
      ...this.#endOf(decoded),
      onHead: (isEnd) => {
        this.#heldRequest?.restore(this.#context.reactor.arena);
        this.#heldRequest = undefined;
        decoded.onReleased(isEnd);
      },
      onTooLarge: () => {
        this.#context.count(httpStat.rqTooLarge);
        this.#stream.refuseByFilter("requestTooLarge");
      },
    };
  }

  #encodeEnd(): TrainEnd {
    const { encoded } = this.#stream;
    return {
      ...this.#endOf(encoded),
      onHead: (isEnd) => {
        this.#heldResponse?.restore(this.#context.reactor.arena);
        this.#heldResponse = undefined;
        encoded.onReleased(isEnd);
      },
      onTooLarge: () => this.#stream.refuseByFilter("responseBodyTooLarge"),
    };
  }

  #endOf(way: FilteredWay): Omit<TrainEnd, "onHead" | "onTooLarge"> {
    const { reactor } = this.#context;
    return {
      onData: (bytes, isEnd) => this.#send(way, bytes, isEnd),
      onTrailers: (fields) => this.#sendTrailers(way, fields.whole),
      onReply: (reply, name) => this.#act(() => this.#onReply(reply, name)),
      onFailure: (name, error) => this.#act(() => this.#onFailure(name, error)),
      onReadingChanged: (on) => way.setHeld(!on),
      later: (act) => reactor.atRoundEnd(act),
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

interface Passage {
  readonly train: FilterTrain;
  readonly way: FilteredWay;
  /** Parts may change: the body has no length. */
  readonly isChanged: boolean;
}
