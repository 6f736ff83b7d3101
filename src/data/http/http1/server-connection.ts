/**
 * One HTTP/1.1 connection of a client: the server side of the codec, and the life of the connection
 * around its requests: keep-alive, pipelining, timeouts, drains, the orderly end.
 *
 *   head ⇄ body → awaiting → head …      one request at a time; what a client sends ahead waits
 *     ↕      └───────┴──→ closing → closed
 *   waiting                              the request's own bytes wait, to be parsed again
 *
 * What a newcomer would get wrong: an answer can come at any moment of a request, also within the call
 * that began it. `onResponseEnd` therefore only notes it while bytes are being fed.
 */
import type { DrainStart } from "../../../shared/drain/drain.ts";
import type { CloseReason } from "../../../shared/io/reactor.ts";
import type { MovedConnection } from "../../../shared/protocol/moved-connection.ts";
import type { StreamProgress } from "../../../shared/protocol/worker-event.ts";
import type { DownstreamConnection } from "../../network/downstream-connection.ts";
import type { NetworkFilter } from "../../network/network-filter.ts";
import type { BodyPart } from "../upstream/upstream-request.ts";
import { clientGone } from "../request/abort.ts";
import type { ActiveRequest } from "../request/active-request.ts";
import { ConnectionLife } from "../connection-life.ts";
import { DeadlineTimer, never } from "../deadline-timer.ts";
import { takeExpectation } from "../request/expectation.ts";
import type { ActiveRequestPool } from "../request/active-request-pool.ts";
import type { HttpContext } from "../http-context.ts";
import { sayContinue, sendTrailersTo, spellHead } from "./client-output.ts";
import { ChunkedDecoder } from "./chunked-decoder.ts";
import { MessageSender } from "./message-sender.ts";
import { MovingConnection } from "./moving-connection.ts";
import { PartialHead } from "./partial-head.ts";
import { refusals } from "./head-refusals.ts";
import { headBytesOf } from "../head-limits.ts";
import { headProblem, requestHead } from "./request-head.ts";
import { HeadSpelling, type SpelledNames } from "./spelled-names.ts";
import type { LocalReplyReason } from "../composer/local-replies.ts";
import { stageTrailers } from "./trailer-lines.ts";
import type { ResponseSink } from "../request/response-sink.ts";
import { http1Stat, httpStat } from "../stat-offsets.ts";
import { asksForTunnel, connectType, mayUpgrade } from "../request/upgrade.ts";

type State =
  | "head"
  | "waiting"
  | "length"
  | "chunked"
  /** It asks for another protocol: whatever comes goes on as it is. */
  | "unframed"
  | "awaiting"
  | "closing"
  /** Another process has it. */
  | "moved"
  | "closed";

export class Http1ServerConnection implements NetworkFilter, ResponseSink {
  protocol: "http1" | "websocket" | "tcp" = "http1";
  readonly isHttp2 = false;
  isRequestComplete = true;
  isOutputFull = false;
  readonly #context: HttpContext;
  readonly #requests: ActiveRequestPool;
  readonly #connection: DownstreamConnection;
  readonly #sender: MessageSender;
  readonly #life: ConnectionLife;
  readonly #timer: DeadlineTimer;
  /** Undefined between requests. */
  #request: ActiveRequest | undefined;
  readonly #partial = new PartialHead();
  #decoder: ChunkedDecoder | undefined;
  /** Made where names are kept as they are spelled. */
  #spelling: HeadSpelling | undefined;
  #state: State = "head";
  #remaining = 0;
  /** `onResponseEnd` only notes the end: bytes are being fed further up the stack. */
  #isFeeding = false;
  #isResponseEnded = false;
  #closesAfter = false;
  /** The request lets the connection be used again. */
  #isPersistent = true;
  /** Bytes that a client sent ahead: the next request's, kept while reading is off. */
  #ahead: Uint8Array | undefined;
  /** Head, and what came of the body, of a request that waits: parsed anew when the wait is over. */
  #held: Uint8Array | undefined;
  #isRequestPaused = false;
  #isReading = true;
  /** Made when it is to go on in another process. */
  #moving: MovingConnection | undefined;
  /** For a while, so that what is queued either way drains. */
  #isHeld = false;

  constructor(context: HttpContext, requests: ActiveRequestPool, connection: DownstreamConnection) {
    this.#context = context;
    this.#requests = requests;
    this.#connection = connection;
    this.#sender = new MessageSender(this, context.writer, context.reactor.arena);
    this.#timer = new DeadlineTimer(context.reactor, this);
    this.#life = new ConnectionLife(context, connection);
  }

  onNewConnection(): void {
    this.#life.onNewConnection();
    this.#timer.atLatest(this.#life.nextDeadlineMs(true));
  }

  onMovedHere(moved: MovedConnection): boolean {
    if (moved.kind === "proxied") return false;
    this.#life.onMovedHere(moved);
    if (moved.kind === "upgraded") {
      this.#state = "unframed";
      this.isRequestComplete = false;
      this.onTunnel(moved.request.upgradeType);
      this.#takeRequest().goOn(moved);
    }
    this.#timer.atLatest(this.#nextDeadlineMs());
    return true;
  }

  moveAway(give: (moved: MovedConnection) => void): void {
    this.#moving ??= new MovingConnection(this.#connection, {
      life: this.#life,
      isIdle: () => this.isIdle && this.#ahead === undefined && !this.#closesAfter,
      tunnel: () => (this.#state === "unframed" ? this.#request : undefined),
      hold: (isHeld) => this.#holdTunnel(isHeld),
      onMoved: () => {
        this.#state = "moved";
        this.#releaseRequest();
      },
    });
    this.#moving.ask(give);
  }

  onData(from: number, end: number): void {
    this.#life.onBytes();
    this.#context.add(httpStat.cxRxBytes, end - from);
    if (this.#state === "closing" || this.#state === "closed") return;
    if (this.#state === "waiting" || this.#state === "awaiting") return this.#keepAhead(from, end);
    const start = this.#partial.prepend(this.#context.reactor.arena, from);
    this.#feed(start, end);
  }

  onEnd(): void {
    // Envoy has no half-close in HTTP: a FIN with a request under way is the client leaving.
    const request = this.#request;
    this.#life.onEndByPeer(request?.isActive === true);
    if (request?.isActive === true) request.abort(clientGone);
    this.#state = "closed";
    this.#connection.socket.close("flush");
  }

  #holdTunnel(isHeld: boolean): void {
    this.#isHeld = isHeld;
    this.#updateReading();
    this.#request?.setResponseReading(!isHeld && !this.isOutputFull);
  }

  onAboveHighWatermark(): void {
    this.isOutputFull = true;
    this.#request?.setResponseReading(false);
  }

  onBelowLowWatermark(): void {
    this.isOutputFull = false;
    if (!this.#isHeld) this.#request?.setResponseReading(true);
  }

  /** HTTP bytes pass through us. */
  onSpliced(): void {}

  onDrain(drain: DrainStart): void {
    this.#life.onDrain(drain);
    this.#request?.onDrain(drain);
    this.#timer.atLatest(this.#nextDeadlineMs());
  }

  onDrainDeadlineMoved(drain: DrainStart): void {
    this.#life.onDrainDeadlineMoved(drain);
    this.#timer.atLatest(this.#nextDeadlineMs());
  }

  endsInOrder(): boolean {
    const isInOrder = this.#life.endsInOrder(this.#context.reactor.nowMs, this.isIdle);
    // It is counted, and the timer that would do the same may fire before the socket has closed.
    if (isInOrder) this.#state = "closed";
    return isInOrder;
  }

  progress(): StreamProgress | undefined {
    return this.#request?.isActive === true ? this.#request.info.progress : undefined;
  }

  onClosed(reason: CloseReason): void {
    this.#state = "closed";
    this.#timer.cancel();
    this.#moving?.cancel();
    const request = this.#request;
    const hadRequest = request?.isActive === true;
    if (hadRequest) request.abort(clientGone);
    this.#releaseRequest();
    this.#partial.clear();
    this.#ahead = undefined;
    this.#held = undefined;
    this.#life.onClosed(reason, hadRequest);
  }

  /** The connection turned out to speak something else: from now on it is not this one's. */
  leave(): void {
    this.#state = "closed";
    this.#timer.cancel();
  }

  write(start: number, end: number): void {
    this.#context.add(httpStat.cxTxBytes, end - start);
    this.#connection.socket.write(start, end);
  }

  sendHead(body: BodyPart, isChunked: boolean, names: SpelledNames | undefined): void {
    spellHead(this.#context, names);
    this.#sender.sendHead(this.#context.writer, body, isChunked);
  }

  sendBody(start: number, end: number, isEnd: boolean): void {
    this.#sender.sendBody(start, end, isEnd);
  }

  onTunnel(upgradeType: string): void {
    this.protocol = upgradeType === connectType ? "tcp" : "websocket";
  }

  sendTrailers(start: number, end: number): void {
    sendTrailersTo(this.#sender, this.#context, start, end);
  }

  sendMetadata(): void {
    this.#context.countHttp1(http1Stat.metadataNotSupported);
  }

  decidesToClose(): boolean {
    if (this.#closesAfter) return true;
    this.#closesAfter = this.#life.decidesToClose(this.#isPersistent);
    return this.#closesAfter;
  }

  closeAfterResponse(): void {
    this.#isPersistent = false;
  }

  onResponseEnd(): void {
    this.#isResponseEnded = true;
    if (this.#isFeeding) return;
    this.#afterResponse();
    if (this.#state === "head" && this.#ahead !== undefined) {
      // After this round: the upstream connection is back in its pool by then.
      this.#context.reactor.atRoundEnd(() => this.#feedAhead());
    }
  }

  onWaitEnd(): void {
    this.#context.reactor.atRoundEnd(() => this.#feedHeld());
  }

  onResponseBroken(isFramed: boolean): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#connection.socket.close(isFramed ? "flush" : "reset");
  }

  setRequestReading(on: boolean): void {
    this.#isRequestPaused = !on;
    this.#context.count(on ? httpStat.resumedReading : httpStat.pausedReading);
    this.#updateReading();
  }

  atLatest(dueMs: number): void {
    this.#timer.atLatest(dueMs);
  }

  onDeadline(nowMs: number): number {
    if (this.#state === "closed" || this.#state === "moved") return never;
    const request = this.#request;
    if (request?.isActive === true) request.onDeadline(nowMs);
    else if (this.#life.isHeadOverdue(nowMs)) this.#refuse("headerTimeout");
    switch (this.#life.due(nowMs, this.isIdle)) {
      case "close":
        this.#closeGracefully();
        break;
      case "cut":
        this.#state = "closed";
        this.#connection.socket.close("now");
        break;
      case undefined:
        break;
    }
    return this.#nextDeadlineMs();
  }

  get isIdle(): boolean {
    return this.#state === "head" && this.#request === undefined && this.#partial.isEmpty;
  }

  #nextDeadlineMs(): number {
    const requestMs = this.#request?.nextDeadlineMs() ?? never;
    return Math.min(this.#life.nextDeadlineMs(this.isIdle), requestMs);
  }

  #feed(start: number, end: number): void {
    let at = start;
    this.#isFeeding = true;
    while (at < end) {
      at = this.#step(at, end);
      if (this.#isResponseEnded) this.#afterResponse();
      if (this.#state === "closing" || this.#state === "closed") break;
      if ((this.#state === "awaiting" || this.#state === "waiting") && at < end) {
        this.#keepAhead(at, end);
        break;
      }
    }
    this.#isFeeding = false;
  }

  /** Takes bytes for the present state; returns how far it came. */
  #step(start: number, end: number): number {
    switch (this.#state) {
      case "head":
        return this.#onHead(start, end);
      case "length":
        return this.#onLengthBody(start, end);
      case "chunked":
        return this.#onChunkedBody(start, end);
      case "unframed":
        this.#request?.sendBody(start, end, false);
        return end;
      case "waiting":
      case "awaiting":
      case "closing":
      case "moved":
      case "closed":
        return end;
      default:
        return this.#state satisfies never;
    }
  }

  #onHead(start: number, end: number): number {
    const { reactor, config } = this.#context;
    const { bytes, buffer } = reactor.arena;
    const { headerCase, allowsChunkedLength } = config.http1;
    if (headerCase.kind === "preserve")
      (this.#spelling ??= new HeadSpelling()).see(buffer, start, end);
    let headEnd = requestHead.parse(bytes, start, end, config.maxRequestHeadersCount);
    if (headEnd === headProblem.lengthAndChunked && allowsChunkedLength)
      headEnd = requestHead.forgetLength();
    const size = (headEnd < 0 ? end : headEnd) - start;
    if (size > headBytesOf(config.maxRequestHeadersKb)) {
      this.#refuse("headTooLarge");
      return end;
    }
    if (headEnd === headProblem.incomplete) {
      this.#life.onHeadBegun();
      this.#timer.atLatest(this.#life.nextDeadlineMs(false));
      this.#partial.keep(bytes, start, end);
      return end;
    }
    if (headEnd < 0) {
      this.#refuse(refusals.get(headEnd) ?? "malformed");
      return end;
    }
    requestHead.spelledNames = this.#spelling?.take(buffer, start, headerCase);
    if (requestHead.upgradeIndex >= 0) this.#context.live.ignoreUpgrades(buffer);
    if (this.#request?.isWaiting !== true) this.#life.onRequest();
    this.#isPersistent = requestHead.isPersistent;
    this.#closesAfter = false;
    this.#isResponseEnded = false;
    return this.#beginRequest(start, headEnd, end);
  }

  /** Begins the request with as much of its body as came with the head, or goes on with it after a wait. */
  #beginRequest(start: number, bodyStart: number, end: number): number {
    const { fields } = requestHead;
    if (fields.isChunked) return this.#beginChunked(start, bodyStart, end);
    if (this.#asksForTunnel()) return this.#beginUnframed(start, bodyStart, end);
    const length = Math.max(0, fields.contentLength);
    const bodyEnd = Math.min(end, bodyStart + length);
    this.#remaining = length - (bodyEnd - bodyStart);
    this.isRequestComplete = this.#remaining === 0;
    this.#state = this.isRequestComplete ? "awaiting" : "length";
    const request = this.#startRequest();
    if (request.isWaiting) this.#hold(this.#context.reactor.arena.bytes.slice(start, bodyEnd));
    else request.send(bodyStart, bodyEnd, this.isRequestComplete);
    return bodyEnd;
  }

  #asksForTunnel(): boolean {
    return asksForTunnel(requestHead, this.#context.view.buffer) && mayUpgrade(requestHead);
  }

  #beginUnframed(start: number, bodyStart: number, end: number): number {
    this.isRequestComplete = false;
    this.#state = "unframed";
    const request = this.#startRequest();
    if (request.isWaiting) this.#hold(this.#context.reactor.arena.bytes.slice(start, end));
    else request.send(bodyStart, end, false);
    return end;
  }

  #beginChunked(start: number, bodyStart: number, end: number): number {
    // Decoding moves the data over the chunks' heads, which are needed once more after a wait.
    const copy = this.#context.mayWait
      ? this.#context.reactor.arena.bytes.slice(start, end)
      : undefined;
    const decoder = (this.#decoder ??= new ChunkedDecoder());
    decoder.reset(this.#context.config.http1.trailers);
    const bodyEnd = decoder.decode(this.#context.reactor.arena.bytes, bodyStart, end);
    if (bodyEnd < 0) {
      this.#refuse("malformed");
      return end;
    }
    this.#state = "chunked";
    this.isRequestComplete = false;
    this.#onChunks(decoder);
    const request = this.#startRequest();
    if (request.isWaiting && copy !== undefined) this.#hold(copy.subarray(0, bodyEnd - start));
    else {
      request.send(bodyStart, decoder.dataEnd, decoder.isDone && decoder.trailers === undefined);
      this.#sendTrailers(decoder);
    }
    return bodyEnd;
  }

  #startRequest(): ActiveRequest {
    const request = this.#takeRequest();
    const { isWaiting } = request;
    // Whoever has sent the body already needs no leave to send it (RFC 9110 §10.1.1), nor does one that has had it.
    if (requestHead.expectIndex >= 0 && takeExpectation(this.#context.writer.bytes))
      if (!this.isRequestComplete && !isWaiting) sayContinue(this, this.#context);
    if (isWaiting) request.resume();
    else request.begin();
    this.#timer.atLatest(request.nextDeadlineMs());
    return request;
  }

  #takeRequest(): ActiveRequest {
    this.#request ??= this.#requests.take(this.#connection, this);
    return this.#request;
  }

  /** Only when no call of the request is on the stack that would go on with it. */
  #releaseRequest(): void {
    const request = this.#request;
    if (request === undefined) return;
    this.#request = undefined;
    this.#requests.give(request);
  }

  #onChunkedBody(start: number, end: number): number {
    const decoder = this.#decoder as ChunkedDecoder;
    const bodyEnd = decoder.decode(this.#context.reactor.arena.bytes, start, end);
    if (bodyEnd < 0) return this.#onMalformedBody(end);
    this.#onChunks(decoder);
    const isEnd = decoder.isDone && decoder.trailers === undefined;
    if (decoder.dataEnd > start || isEnd) {
      this.#request?.sendBody(start, decoder.dataEnd, isEnd);
    }
    this.#sendTrailers(decoder);
    return bodyEnd;
  }

  /** With which a body ended, if it has them and they are wanted. */
  #sendTrailers({ isDone, trailers }: ChunkedDecoder): void {
    if (!isDone || trailers === undefined) return;
    const { writer, reactor, config } = this.#context;
    const { maxRequestHeadersCount } = config;
    const end = stageTrailers(reactor.arena, writer, trailers, maxRequestHeadersCount);
    if (end < 0) this.#onMalformedBody(0);
    else this.#request?.sendTrailers(reactor.arena.stagingStart, end);
  }

  #onLengthBody(start: number, end: number): number {
    const bodyEnd = Math.min(end, start + this.#remaining);
    this.#remaining -= bodyEnd - start;
    this.isRequestComplete = this.#remaining === 0;
    if (this.isRequestComplete) this.#state = "awaiting";
    this.#request?.sendBody(start, bodyEnd, this.isRequestComplete);
    return bodyEnd;
  }

  #onChunks(decoder: ChunkedDecoder): void {
    if (!decoder.isDone) return;
    this.isRequestComplete = true;
    this.#state = "awaiting";
  }

  #onMalformedBody(end: number): number {
    this.#context.count(httpStat.cxProtocolError);
    this.#isPersistent = false;
    this.#request?.onRequestMalformed();
    return end;
  }

  /** Answers what could not be read, and ends. */
  #refuse(reason: LocalReplyReason): void {
    if (reason === "headerTimeout") this.#context.count(httpStat.rqHeaderTimeout);
    else this.#context.count(httpStat.cxProtocolError);
    this.#isPersistent = false;
    this.#closesAfter = false;
    this.isRequestComplete = false;
    this.#isResponseEnded = false;
    this.#partial.clear();
    this.#spelling?.clear();
    this.#state = "awaiting";
    this.#takeRequest().refuse(reason);
    if (!this.#isFeeding && this.#isResponseEnded) this.#afterResponse();
  }

  /** The response is out: the next request, or the end. */
  #afterResponse(): void {
    this.#isResponseEnded = false;
    this.#held = undefined;
    this.#releaseRequest();
    if (this.#state === "closed" || this.#state === "closing") return;
    if (this.#closesAfter || !this.isRequestComplete || !this.#isPersistent) {
      this.#closeGracefully();
      return;
    }
    this.#state = "head";
    this.#life.onRequestOver();
    this.#timer.atLatest(this.#life.nextDeadlineMs(true));
    if (this.#ahead === undefined) this.#updateReading();
  }

  #feedAhead(): void {
    const ahead = this.#ahead;
    if (ahead === undefined || this.#state !== "head") return;
    this.#ahead = undefined;
    this.#feedKept(ahead);
  }

  #feedKept(kept: Uint8Array): void {
    const { bytes, readStart, readEnd } = this.#context.reactor.arena;
    // A head that came in two parts reached into the headroom, as it does now.
    const start = Math.min(readStart, readEnd - kept.length);
    bytes.set(kept, start);
    this.#feed(start, start + kept.length);
    this.#updateReading();
  }

  /** Of a request that is complete reading goes on, to see its client leave; of another the kernel keeps the rest. */
  #hold(bytes: Uint8Array): void {
    this.#held = bytes;
    this.#state = "waiting";
    this.#updateReading();
  }

  #feedHeld(): void {
    const held = this.#held;
    if (held === undefined || this.#state !== "waiting") return;
    this.#held = undefined;
    this.#state = "head";
    this.#feedKept(held);
    if (this.#state === "head" && this.#ahead !== undefined)
      this.#context.reactor.atRoundEnd(() => this.#feedAhead());
  }

  #keepAhead(start: number, end: number): void {
    this.#ahead = this.#context.reactor.arena.bytes.slice(start, end);
    this.#updateReading();
  }

  /** FIN after the last byte; then whatever the client still sends is read and dropped, for a while. */
  #closeGracefully(): void {
    const { socket } = this.#connection;
    this.#ahead = undefined;
    this.#partial.clear();
    if (this.#context.config.delayedCloseTimeoutMs === 0) {
      this.#state = "closed";
      socket.close("flush");
      return;
    }
    this.#state = "closing";
    this.#life.onClosing();
    this.#isRequestPaused = false;
    this.#updateReading();
    socket.shutdownWrite();
    this.#timer.atLatest(this.#life.nextDeadlineMs(false));
  }

  #updateReading(): void {
    const isBodyHeld = this.#state === "waiting" && !this.isRequestComplete;
    const isPaused = this.#isRequestPaused || this.#isHeld || isBodyHeld;
    const wanted = !isPaused && this.#ahead === undefined;
    if (wanted === this.#isReading) return;
    this.#isReading = wanted;
    this.#connection.socket.setReading(wanted);
  }
}
