/** A request whose filters see more than heads: what its manager needs of it, and what is held meanwhile. */
import type { FilterReply, RequestFacts } from "../../../shared/http-filter/http-filter.ts";
import { localReplyOf } from "../filters/filter-reply.ts";
import { type FilteredStream, FilterManager } from "../filters/filter-manager.ts";
import type { FilteredWay } from "../filters/filter-passage.ts";
import { ReadingPause } from "../reading-pause.ts";
import type { FilterPlace } from "../filters/http-filter.ts";
import type { HttpContext } from "../http-context.ts";
import type { HeadWriter } from "../http1/head-writer.ts";
import type { LocalReplyReason } from "../composer/local-replies.ts";
import type { OutgoingRequest } from "./outgoing-request.ts";
import type { RequestInfo } from "./request-info.ts";
import type { ResponseWay } from "./response-way.ts";
import type { LocalReply } from "../composer/response-composer.ts";
import type { CompiledRoute } from "../router/compiled-route.ts";

/** What was found for a request before its filters saw it. */
export interface Found {
  readonly route: CompiledRoute | undefined;
  readonly cluster: string;
}

/** What the request does for its filters. */
export interface FilteredOwner {
  readonly info: RequestInfo;
  readonly outgoing: OutgoingRequest;
  readonly response: ResponseWay;
  /** It is answered, or over. */
  isSettled(): boolean;
  /** The head lies in the table again: on by its route, without a body so far. */
  release(found: Found, isEnd: boolean): void;
  /** False: it was answered otherwise. */
  composeHeld(isEnd: boolean, length: number | undefined): boolean;
  sendResponse(start: number, end: number, isEnd: boolean): void;
  sendResponseTrailers(start: number, end: number): void;
  reply(reply: LocalReply, details: string): void;
  refuse(reason: LocalReplyReason): void;
  /** Of the client's side. */
  setRequestReading(on: boolean): void;
  onResponseHeldChanged(): void;
}

export interface FilteredOptions {
  readonly places: readonly FilterPlace[];
  readonly facts: RequestFacts;
  readonly bytesMax: number;
  readonly found: Found;
}

export class FilteredRequest implements FilteredStream {
  readonly info: RequestInfo;
  readonly manager: FilterManager;
  readonly decoded: FilteredWay;
  readonly encoded: FilteredWay;
  isResponseHeld = false;
  readonly #owner: FilteredOwner;
  readonly #pause: ReadingPause<"filter" | "exchange">;

  constructor(context: HttpContext, owner: FilteredOwner, options: FilteredOptions) {
    this.#owner = owner;
    this.#pause = new ReadingPause((on) => owner.setRequestReading(on));
    this.info = owner.info;
    this.decoded = this.#decodedWay(options.found);
    this.encoded = this.#encodedWay(context.writer);
    this.manager = new FilterManager(context, this, options);
  }

  /** The exchange takes more of the request, or no more. */
  setRequestReading(on: boolean): void {
    if (on) this.#pause.end("exchange");
    else this.#pause.begin("exchange");
  }

  /** The request is over, whatever its end was. */
  end(): void {
    this.#pause.endAll();
    this.manager.end();
  }

  /** The status stands; what is no field is left out of the answer with the reason in its place. */
  replyByFilter(given: FilterReply, filter: string): void {
    let reply: LocalReply;
    try {
      reply = localReplyOf(given);
    } catch {
      return this.#owner.refuse("filterFailed");
    }
    this.#owner.reply(reply, `filter_reply{${filter.replaceAll(/\s/g, "_")}}`);
  }

  refuseByFilter(reason: LocalReplyReason): void {
    this.#owner.refuse(reason);
  }

  #decodedWay(found: Found): FilteredWay {
    const owner = this.#owner;
    const isHeld = (): boolean => this.manager.isRequestHeld;
    return {
      get isHeadWaiting() {
        return !isHeld() && !owner.outgoing.isSending && !owner.isSettled();
      },
      onReleased: (isEnd) => owner.release(found, isEnd),
      send: (start, end, isEnd) => owner.outgoing.send(start, end, isEnd),
      sendTrailers: (start, end) => owner.outgoing.sendTrailers(start, end),
      sendMetadata: (metadata) => owner.outgoing.sendMetadata(metadata),
      setHeld: (held) => {
        if (held) this.#pause.begin("filter");
        else this.#pause.end("filter");
      },
    };
  }

  #encodedWay({ start: scratchStart }: HeadWriter): FilteredWay {
    const owner = this.#owner;
    const isHeld = (): boolean => this.manager.isResponseHeld;
    return {
      get isHeadWaiting() {
        return !isHeld() && !owner.response.isHeadSent;
      },
      onReleased: (isEnd, length) => {
        if (length !== undefined) this.manager.setResponseLength(length);
        if (owner.composeHeld(isEnd, length)) owner.sendResponse(scratchStart, scratchStart, isEnd);
      },
      send: (start, end, isEnd) => owner.sendResponse(start, end, isEnd),
      sendTrailers: (start, end) => owner.sendResponseTrailers(start, end),
      sendMetadata: (metadata) => owner.response.sendMetadata(metadata),
      setHeld: (held) => {
        this.isResponseHeld = held;
        owner.onResponseHeldChanged();
      },
    };
  }
}
