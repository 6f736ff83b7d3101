/**
 * A request's answer on its way to the client: how it is framed, composed and sent, whether it is an upstream's or our
 * own. One a request object, begun anew for each request.
 *
 * What a newcomer would get wrong: a composed head lies in the writer until its first part is sent with it.
 */
import type { Metadata } from "../../../shared/http-filter/http-filter.ts";
import {
  grpcReply,
  grpcStatus,
  grpcStatusOf,
  grpcStatusOfHttp,
  grpcStatusOfReply,
} from "../grpc.ts";
import type { HeadChange } from "../headers/header-mutations.ts";
import type { HttpContext } from "../http-context.ts";
import { responseHead } from "../http1/response-head.ts";
import type { SpelledNames } from "../http1/spelled-names.ts";
import type { LiveConfig } from "../live-config.ts";
import type { RequestInfo } from "./request-info.ts";
import type { LocalReply } from "../composer/response-composer.ts";
import type { ResponseSink } from "./response-sink.ts";
import { isGranted, noUpgrade } from "./upgrade.ts";
import type { WebSocketRelay } from "../web-socket/relay.ts";

/** Of an upstream's head, which was parsed last. */
export interface ComposedResponse {
  /** -1: nobody knows. */
  readonly contentLength: number;
  /** It has come whole, without a body. */
  readonly isEmpty: boolean;
  /** What the request asked for, as in `upgrade.ts`. */
  readonly upgradeType: string;
  /** Through which its bytes pass once it is granted, if it is one. */
  readonly webSocket: WebSocketRelay | undefined;
  readonly live: LiveConfig;
  readonly changes: readonly HeadChange[];
}

export class ResponseWay {
  /** Of a request by HEAD. */
  isHead = false;
  /** Of one that speaks gRPC. */
  isGrpc = false;
  readonly #context: HttpContext;
  readonly #info: RequestInfo;
  readonly #framing;
  #sink: ResponseSink;
  #isHeadSent = false;
  #names: SpelledNames | undefined;
  #webSocket: WebSocketRelay | undefined;

  constructor(context: HttpContext, info: RequestInfo, sink: ResponseSink) {
    this.#context = context;
    this.#info = info;
    this.#sink = sink;
    this.#framing = {
      isHttp10: false,
      isHttp2: false,
      upgradeType: noUpgrade,
      suppressesEnvoyHeaders: false,
      isChunked: false,
      isEmpty: false,
      closes: false,
      isHeadRequest: false,
      live: context.live,
    };
  }

  bind(sink: ResponseSink): void {
    this.#sink = sink;
  }

  begin(): void {
    this.#isHeadSent = false;
    this.#webSocket = undefined;
  }

  /** Another process has sent the head that grants it. */
  goOn(upgradeType: string, webSocket: WebSocketRelay | undefined): void {
    this.#isHeadSent = true;
    this.#framing.upgradeType = upgradeType;
    this.#framing.isChunked = false;
    this.#webSocket = webSocket;
  }

  get isHeadSent(): boolean {
    return this.#isHeadSent;
  }

  /** Of what was asked for beside an answer, and is granted; as in `upgrade.ts`. */
  get grantedType(): string {
    return this.#isHeadSent ? this.#framing.upgradeType : noUpgrade;
  }

  /** The client will notice from the bytes where it breaks off. */
  get isFramed(): boolean {
    return !(this.#info.minorVersion === 0 && !this.#framing.isChunked);
  }

  get hasNoBody(): boolean {
    return this.isHead || responseHead.isBodyless;
  }

  /** False: the head is too large. */
  compose(response: ComposedResponse): boolean {
    const { contentLength, isEmpty, upgradeType, live, changes } = response;
    const info = this.#info;
    const framing = this.#framing;
    const sink = this.#sink;
    const isHttp10 = info.minorVersion === 0;
    const isTunnel = isGranted(upgradeType, responseHead.status);
    const hasNoLength = !isTunnel && !this.hasNoBody && contentLength < 0 && !sink.isHttp2;
    info.responseCode = responseHead.status;
    info.responseCodeDetails = "via_upstream";
    this.#names = responseHead.spelledNames;
    framing.isHttp10 = isHttp10;
    framing.isHttp2 = sink.isHttp2;
    framing.live = live;
    framing.isEmpty = hasNoLength && isEmpty;
    framing.isChunked = hasNoLength && !isEmpty && !isHttp10;
    framing.upgradeType = isTunnel ? upgradeType : noUpgrade;
    framing.suppressesEnvoyHeaders = live.suppressesEnvoyHeaders(upgradeType);
    this.#webSocket = isTunnel ? response.webSocket : undefined;
    // One that was declined has no end that the next request could follow.
    if (!isTunnel && upgradeType !== noUpgrade) sink.closeAfterResponse();
    const isUnframed = hasNoLength && !isEmpty && isHttp10;
    framing.closes = !isTunnel && (sink.decidesToClose() || isUnframed);
    const isComposed = this.#context.responseComposer.compose(info, changes, framing);
    // Filters may have said another one.
    info.responseCode = responseHead.status;
    if (this.isGrpc) this.#noteGrpcStatus(responseHead.status);
    return isComposed;
  }

  /** A further part of the body; the first one with the head. */
  send(start: number, end: number, isEnd: boolean): void {
    const webSocket = this.#webSocket;
    if (this.#isHeadSent) {
      if (webSocket === undefined) this.sendBody(start, end, isEnd);
      else webSocket.fromHost(start, end, isEnd);
      return;
    }
    this.#isHeadSent = true;
    this.#info.bytesSent += end - start;
    const { upgradeType, isChunked } = this.#framing;
    if (upgradeType !== noUpgrade) this.#sink.onTunnel(upgradeType);
    webSocket?.onGranted(start, end);
    this.#sink.sendHead({ start, end, isEnd }, isChunked, this.#names);
  }

  /** Behind the head. */
  sendBody(start: number, end: number, isEnd: boolean): void {
    this.#info.bytesSent += end - start;
    this.#sink.sendBody(start, end, isEnd);
  }

  /** The header table holds them, too. */
  sendTrailers(start: number, end: number): void {
    const { trailerCapture, reactor } = this.#context;
    const { buffer } = reactor.arena;
    if (!trailerCapture.isEmpty) trailerCapture.capture(buffer, this.#info.trailerValues);
    if (this.isGrpc) this.#info.grpcStatus = grpcStatus(buffer) ?? this.#info.grpcStatus;
    this.#sink.sendTrailers(start, end);
  }

  sendMetadata(metadata: Metadata): void {
    this.#sink.sendMetadata(metadata);
  }

  /** Trailers outrank it. */
  #noteGrpcStatus(status: number): void {
    const { reactor, responseComposer } = this.#context;
    const said =
      grpcStatus(reactor.arena.buffer) ?? grpcStatusOf(responseComposer.fieldBeside("grpc-status"));
    this.#info.grpcStatus = said ?? grpcStatusOfHttp(status);
  }

  /** What is sent in the place of an answer of our own, where its client speaks gRPC. */
  ownReply(reply: LocalReply): LocalReply {
    if (!this.isGrpc) return reply;
    this.#info.grpcStatus = grpcStatusOfReply(reply);
    return grpcReply(reply, this.isHead);
  }

  /** Head and body of our own, at once. */
  sendLocal(reply: LocalReply, live: LiveConfig, changes: readonly HeadChange[]): void {
    const info = this.#info;
    const framing = this.#framing;
    const { responseComposer, writer } = this.#context;
    info.responseCode = reply.status;
    this.#names = undefined;
    framing.live = live;
    framing.isHttp10 = info.minorVersion === 0 && live.config.http1.acceptsHttp10;
    framing.isHttp2 = this.#sink.isHttp2;
    framing.isChunked = false;
    framing.isEmpty = false;
    framing.upgradeType = noUpgrade;
    framing.isHeadRequest = this.isHead;
    framing.closes = this.#sink.decidesToClose() || !this.#sink.isRequestComplete;
    const end = responseComposer.composeLocal(info, reply, framing, changes);
    this.send(writer.at, end, true);
  }
}
