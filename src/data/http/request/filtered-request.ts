/** A request whose filters see more than heads: what its manager needs of it, and what is held meanwhile. */
import type { FilterReply } from "../../../shared/http-filter/http-filter.ts";
import type { HttpConnectionManagerConfig } from "../../../shared/config/http-config.ts";
import type { DownstreamConnection } from "../../network/downstream-connection.ts";
import type { ComposedRequest } from "../composer/request-composer.ts";
import { localReplyOf } from "../filters/filter-reply.ts";
import { type FilteredStream, FilterManager } from "../filters/filter-manager.ts";
import type { FilteredWay } from "../filters/filter-passage.ts";
import { layOutChanged } from "../filters/held-heads.ts";
import type { RequestLine } from "../filters/request-line.ts";
import { ReadingPause } from "../reading-pause.ts";
import type { FilterPlace } from "../filters/http-filter.ts";
import { ExtraFields } from "../headers/extra-fields.ts";
import type { HttpContext } from "../http-context.ts";
import type { HeadWriter } from "../http1/head-writer.ts";
import type { LocalReplyReason } from "../composer/local-replies.ts";
import { requestHead } from "../http1/request-head.ts";
import type { OutgoingRequest } from "./outgoing-request.ts";
import { requestFacts } from "./request-facts.ts";
import { findRoute, type Found, keepLine, readTarget } from "./request-intake.ts";
import type { RequestInfo } from "./request-info.ts";
import type { ResponseWay } from "./response-way.ts";
import type { LocalReply } from "../composer/response-composer.ts";

/** What the request does for its filters. */
export interface FilteredOwner {
  readonly info: RequestInfo;
  readonly outgoing: OutgoingRequest;
  readonly response: ResponseWay;
  /** It is not answered yet. */
  isActive(): boolean;
  /** The head lies in the table, past the filters: on by its route. */
  act(found: Found): void;
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
  readonly found: Found;
  readonly config: HttpConnectionManagerConfig;
  readonly connection: DownstreamConnection;
}

const noFieldsBeside = new ExtraFields();

/** One object for each that ever had filters; begun anew for each request. */
export class FilteredRequest implements FilteredStream {
  readonly info: RequestInfo;
  readonly manager: FilterManager;
  readonly decoded: FilteredWay;
  readonly encoded: FilteredWay;
  isResponseHeld = false;
  readonly #owner: FilteredOwner;
  readonly #context: HttpContext;
  /** Of the present request. */
  #options: FilteredOptions | undefined;
  readonly #pause: ReadingPause<"filter" | "exchange">;

  constructor(context: HttpContext, owner: FilteredOwner) {
    this.#context = context;
    this.#owner = owner;
    this.#pause = new ReadingPause((on) => owner.setRequestReading(on));
    this.info = owner.info;
    this.decoded = this.#decodedWay();
    this.encoded = this.#encodedWay(context.writer);
    this.manager = new FilterManager(context, this);
  }

  /** The head that was parsed last: on at once, or when its filters let it, unless they answer. */
  enter(request: ComposedRequest, options: FilteredOptions): void {
    const { requestComposer, view } = this.#context;
    const { places, found, connection } = options;
    this.#options = options;
    this.isResponseHeld = false;
    this.manager.begin({
      places,
      facts: requestFacts(this.info, view, connection.facts, found.cluster),
      bytesMax: connection.listener.perConnectionBufferLimitBytes,
    });
    if (this.manager.decodeHead(requestComposer.prepare(request))) this.#leave(options);
  }

  /** What the filters made of the head is what goes on. */
  #leave(options: FilteredOptions): void {
    const { requestFields, line } = this.manager;
    const { requestComposer } = this.#context;
    const { outgoing } = this.#owner;
    // Whose bytes may change has no length any more.
    outgoing.isChunked = requestHead.fields.isChunked;
    if (line.isChanged) {
      const problem = this.#layOutChanged(line, options);
      if (problem !== undefined) return this.#owner.refuse(problem);
    } else outgoing.filteredFields = requestFields;
    // Those of a head that was laid out anew lie in the table with it.
    requestComposer.adopt(line.isChanged ? noFieldsBeside : requestFields);
    requestComposer.capture(this.info);
    this.#owner.act(line.isRouteCleared ? findRoute(this.info, this.#context) : options.found);
  }

  /** Filters have changed more of the head than its fields. */
  #layOutChanged(line: RequestLine, options: FilteredOptions): LocalReplyReason | undefined {
    const context = this.#context;
    if (!layOutChanged(context.reactor.arena, line, this.manager.requestFields))
      return "headTooLarge";
    const problem = readTarget(context, options, options.connection);
    if (problem !== undefined) {
      context.onFilterFailed("decodeHeaders", new Error(`${line.method} ${line.path}: ${problem}`));
      return "filterFailed";
    }
    this.#owner.outgoing.readMethod();
    keepLine(this.info, context);
    return undefined;
  }

  /** Its head lies in the table again, but for the fields that its filters have. */
  #release(isEnd: boolean): void {
    const options = this.#options;
    if (options === undefined) return;
    readTarget(this.#context, options, options.connection);
    this.#leave(options);
    const { start } = this.#context.writer;
    // What follows goes with it, if anything does.
    if (this.#owner.isActive()) this.#owner.outgoing.send(start, start, isEnd);
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
    this.#options = undefined;
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

  #decodedWay(): FilteredWay {
    const owner = this.#owner;
    const isHeld = (): boolean => this.manager.isRequestHeld;
    return {
      get isHeadWaiting() {
        return !isHeld() && !owner.outgoing.isSending && owner.isActive();
      },
      onReleased: (isEnd) => this.#release(isEnd),
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
