/**
 * One HTTP/1.1 connection to a host: the client side of the codec, its timers and its counts. It carries
 * one request at a time and goes back to its pool when both directions are over and nothing is left over.
 *
 * Whatever is odd ends it: bytes without a request, more bytes than the response had, a malformed head.
 * A connection is never reused after a doubt about where a message ended (response smuggling).
 */
import type { CloseReason, Socket, SocketHandler } from "../../../shared/io/reactor.ts";
import { type ConnectedBefore, UpstreamTransport } from "../../network/upstream-transport.ts";
import type { UpstreamHost } from "../../upstream/cluster-table.ts";
import { DeadlineTimer, never } from "../deadline-timer.ts";
import { ChunkedDecoder } from "../http1/chunked-decoder.ts";
import { PartialHead } from "../http1/partial-head.ts";
import { incomplete } from "../http1/parse-headers.ts";
import type { HeadWriter } from "../http1/head-writer.ts";
import { GatheredOutput } from "../http1/gathered-output.ts";
import { MessageSender } from "../http1/message-sender.ts";
import { writeNames } from "../http1/name-case.ts";
import { properCaseLines } from "../http1/proper-case.ts";
import { headProblem } from "../http1/request-head.ts";
import { responseHead } from "../http1/response-head.ts";
import { HeadSpelling } from "../http1/spelled-names.ts";
import { writeFullUrl } from "../http1/full-url.ts";
import { stageTrailers } from "../http1/trailer-lines.ts";
import { clusterStat, hostStat, http1Stat } from "../stat-offsets.ts";
import { isGranted, noUpgrade } from "../request/upgrade.ts";
import { ConnectionCounts } from "./connection-counts.ts";
import { headBytesOf } from "../head-limits.ts";
import type { ConnectionOwner, PooledConnection } from "./pooled-connection.ts";
import type { ResetReason } from "./reset-reason.ts";
import type { BodyPart, Tunnel, UpstreamConnection, UpstreamRequest } from "./upstream-request.ts";

type State =
  | "connecting"
  | "idle"
  /** Awaiting the head of the response. */
  | "head"
  | "length"
  | "chunked"
  | "untilClose"
  /** What was asked for is granted: bytes both ways. */
  | "tunnel"
  /** Another process has it. */
  | "moved"
  | "closed";

export class Http1ClientConnection
  implements SocketHandler, UpstreamConnection, PooledConnection, Tunnel
{
  readonly kind = "http1";
  readonly host: UpstreamHost;
  readonly #transport: UpstreamTransport;
  readonly mayRefuse = false;
  isReady = false;
  /** Requests it has carried, the present one included. */
  requestCount = 0;
  /** Any byte of the present response has come. */
  hasAnswered = false;
  readonly #pool: ConnectionOwner;
  readonly #isCounted: boolean;
  readonly #timer: DeadlineTimer;
  readonly #counts: ConnectionCounts;
  readonly startMs: number;
  readonly #partial = new PartialHead();
  readonly #sender: MessageSender;
  readonly #output: GatheredOutput;
  /** What came of a body with its head; see `ResponseBody`. */
  readonly #body = { start: 0, end: 0, isEnd: false, contentLength: -1 };
  #state: State = "connecting";
  #request: UpstreamRequest | undefined;
  #decoder: ChunkedDecoder | undefined;
  /** Made where names are kept as they are spelled. */
  #spelling: HeadSpelling | undefined;
  #remaining = 0;
  #mayReuse = true;
  /** What is written is a head, and its body will follow. */
  #isBodyDue = false;
  #idleSinceMs = 0;
  #isClosedByUs = false;
  #isPaused = false;
  #isMisnegotiated = false;

  /** `connected`: one that another process has connected; `goOn` follows. */
  constructor(pool: ConnectionOwner, isCounted: boolean, connected?: ConnectedBefore) {
    this.#pool = pool;
    this.host = pool.host;
    this.#isCounted = isCounted;
    const { reactor } = pool.environment;
    this.#sender = new MessageSender(this, pool.writer, reactor.arena);
    this.#output = new GatheredOutput(reactor, this);
    this.#timer = new DeadlineTimer(reactor, this);
    this.startMs = reactor.nowMs - (connected?.ageMs ?? 0);
    const { config } = this.host.cluster;
    const protocol = config.protocol === "alpn" ? "alpn" : "http1";
    this.#counts = new ConnectionCounts(this.host, pool.environment, this.startMs);
    const environment = connected ? { ...pool.environment, connected } : pool.environment;
    this.#transport = new UpstreamTransport(this.host, environment, protocol, this);
    if (connected) return;
    this.#timer.atLatest(reactor.nowMs + config.connectTimeoutMs);
    this.#counts.opened();
    this.#count(clusterStat.cxHttp1Total);
  }

  get socket(): Socket {
    return this.#transport.socket;
  }

  get room(): number {
    return this.isIdle ? 1 : 0;
  }

  get isIdle(): boolean {
    return this.#state === "idle" && this.#request === undefined;
  }

  /** Binds the request to this idle connection. */
  begin(request: UpstreamRequest): UpstreamConnection | undefined {
    if (!request.breakers.tryAcquire("requests")) return undefined;
    this.#request = request;
    this.#state = "head";
    this.hasAnswered = false;
    this.#mayReuse = true;
    this.requestCount++;
    this.#counts.requestBegan();
    return this;
  }

  /** The request has been granted what it asked for in another process. */
  goOn(request: UpstreamRequest): void {
    request.breakers.acquire("requests");
    this.#request = request;
    this.#state = "tunnel";
    this.hasAnswered = true;
    this.#mayReuse = false;
    this.requestCount = 1;
    this.#counts.came();
    this.#counts.requestCame();
    const { nowMs } = this.#pool.environment.reactor;
    this.#timer.atLatest(this.#nextDeadlineMs(nowMs));
  }

  get tunnel(): Tunnel | undefined {
    return this.#state === "tunnel" ? this : undefined;
  }

  leave(): void {
    this.#unbind();
    this.#state = "moved";
  }

  sendHead(writer: HeadWriter, body: BodyPart, isChunked: boolean): void {
    this.#isBodyDue = body.end === body.start && !body.isEnd;
    const { headerCase, sendsFullUrl } = this.host.cluster.config.http1;
    const { spelledNames: names, isSecured = false } = this.#request?.form ?? {};
    if (sendsFullUrl) writeFullUrl(writer, isSecured);
    if (names !== undefined || headerCase.kind !== "lower") writeNames(writer, headerCase, names);
    this.#sender.sendHead(writer, body, isChunked);
    this.#isBodyDue = false;
  }

  sendBody(start: number, end: number, isEnd: boolean): void {
    this.#sender.sendBody(start, end, isEnd);
    if (isEnd) this.#output.flushOutput();
    // An end in order is the FIN of what was granted (RFC 8441 §5).
    if (isEnd && this.#state === "tunnel") this.socket.shutdownWrite();
  }

  sendTrailers(start: number, end: number): void {
    const { trailers, headerCase } = this.host.cluster.config.http1;
    if (headerCase.kind === "proper") properCaseLines(this.#pool.writer.bytes, start, end);
    if (trailers) this.#sender.sendTrailers(start, end);
    else this.#sender.sendBody(end, end, true);
    this.#output.flushOutput();
  }

  sendMetadata(): void {
    this.#counts.countHttp1(http1Stat.metadataNotSupported);
  }

  /** Sends arena[start, end). */
  write(start: number, end: number): void {
    this.#counts.add(clusterStat.cxTxBytes, end - start);
    this.#output.write(start, end, this.#isBodyDue);
  }

  setReading(on: boolean): void {
    if (this.#isPaused !== on) return;
    this.#isPaused = !on;
    this.#count(on ? clusterStat.resumedReading : clusterStat.pausedReading);
    this.socket.setReading(on);
  }

  /** The request is not interested any more: half a message cannot be taken back, so all ends. */
  abandon(): void {
    this.#counts.destroyedWithRequest(true);
    // Of a tunnel every part is whole: what was handed over still goes out.
    const how = this.#state === "tunnel" ? "flush" : "now";
    this.#unbind();
    this.#isClosedByUs = true;
    if (how === "flush") this.#output.flushOutput();
    this.#output.discard();
    this.socket.close(how);
  }

  close(): void {
    this.#isClosedByUs = true;
    this.#output.discard();
    this.socket.close("now");
  }

  onConnected(): void {
    if (!this.#transport.onConnected()) return;
    if (!this.#speaksHttp1()) return;
    this.#counts.connected();
    this.#becomeIdle();
    this.#pool.connected(this);
  }

  onData(start: number, end: number): void {
    this.#counts.add(clusterStat.cxRxBytes, end - start);
    switch (this.#state) {
      case "head":
        this.#onHeadData(start, end);
        break;
      case "length":
        this.#onLengthData(start, end);
        break;
      case "chunked":
        this.#onChunkedData(start, end);
        break;
      case "untilClose":
      case "tunnel":
        this.#request?.onResponseBody(start, end, false);
        break;
      case "connecting":
      case "idle":
      case "moved":
      case "closed":
        // Nobody asked: a 408 of an impatient server, or worse.
        this.close();
        break;
      default:
        this.#state satisfies never;
    }
  }

  onEnd(): void {
    if (this.#state === "untilClose" || this.#state === "tunnel") {
      const request = this.#end();
      request?.onResponseBody(0, 0, true);
    }
    // Of a body that says where it ends this is not the end.
    const isAmid = this.#state === "length" || this.#state === "chunked";
    if (isAmid) this.#count(clusterStat.cxProtocolError);
    this.#isClosedByUs = false;
    this.#failRequest(isAmid ? "protocolError" : "connectionTermination");
    this.#output.discard();
    this.socket.close("now");
  }

  onAboveHighWatermark(): void {
    this.#count(clusterStat.backedUp);
    this.#request?.onUpstreamAboveHighWatermark();
  }

  onBelowLowWatermark(): void {
    this.#count(clusterStat.drained);
    this.#request?.onUpstreamBelowLowWatermark();
  }

  onSpliced(): void {
    // HTTP bytes pass through us.
  }

  onClosed(reason: CloseReason, detail: string): void {
    const wasConnecting = this.#state === "connecting";
    const hasMoved = this.#state === "moved";
    const isTimeout = wasConnecting && this.#isClosedByUs;
    const failure = this.#transport.onClosed(detail);
    if (!wasConnecting) this.#failRequest("connectionTermination");
    this.#state = "closed";
    this.#output.discard();
    this.#timer.cancel();
    this.#partial.clear();
    if (this.#isCounted) this.host.cluster.breakers.release("connections");
    if (hasMoved) this.#counts.left();
    else this.#counts.closed(reason, this.#isClosedByUs);
    this.#pool.closed(this, wasConnecting);
    if (!wasConnecting || this.#isMisnegotiated) return;
    this.#count(clusterStat.cxConnectFail);
    this.#counts.countHost(hostStat.cxConnectFail);
    if (isTimeout) this.#pool.failWaiting("connectionTimeout", "");
    else this.#pool.failWaiting("connectionFailure", failure);
  }

  onDeadline(nowMs: number): number {
    const { config } = this.host.cluster;
    if (this.#state === "connecting") {
      this.#count(clusterStat.cxConnectTimeout);
      this.close();
      return never;
    }
    if (config.maxConnectionDurationMs > 0) {
      const endMs = this.startMs + config.maxConnectionDurationMs;
      if (nowMs >= endMs) return this.#onTooOld();
    }
    if (this.#state !== "idle" || config.idleTimeoutMs === 0) return this.#nextDeadlineMs(nowMs);
    if (nowMs < this.#idleSinceMs + config.idleTimeoutMs) return this.#nextDeadlineMs(nowMs);
    this.#count(clusterStat.cxIdleTimeout);
    this.close();
    return never;
  }

  /** Ends it now if it idles, else after the response. */
  #onTooOld(): number {
    this.#count(clusterStat.cxMaxDuration);
    this.#mayReuse = false;
    if (this.#state === "idle") this.close();
    return never;
  }

  #nextDeadlineMs(nowMs: number): number {
    const { idleTimeoutMs, maxConnectionDurationMs } = this.host.cluster.config;
    const sinceMs = this.#state === "idle" ? this.#idleSinceMs : nowMs;
    const idleMs = idleTimeoutMs > 0 ? sinceMs + idleTimeoutMs : never;
    const ageMs = maxConnectionDurationMs > 0 ? this.startMs + maxConnectionDurationMs : never;
    return Math.min(idleMs, ageMs);
  }

  /** Where the handshake chooses the protocol it may have chosen the other one: the next connection is of that. */
  #speaksHttp1(): boolean {
    if (this.socket.tlsSession?.alpnProtocol !== "h2") return true;
    this.#isMisnegotiated = true;
    this.#pool.negotiated(this, "http2");
    this.close();
    return false;
  }

  #onHeadData(from: number, end: number): void {
    const { bytes, buffer } = this.#pool.environment.reactor.arena;
    const { http1, maxResponseHeadersKb, maxResponseHeadersCount } = this.host.cluster.config;
    const { headerCase, allowsChunkedLength } = http1;
    let start = this.#partial.prepend(this.#pool.environment.reactor.arena, from);
    this.hasAnswered = true;
    for (;;) {
      if (headerCase.kind === "preserve")
        (this.#spelling ??= new HeadSpelling()).see(buffer, start, end);
      let headEnd = responseHead.parse(bytes, start, end, maxResponseHeadersCount);
      if (headEnd === headProblem.lengthAndChunked && allowsChunkedLength)
        headEnd = responseHead.forgetLength();
      const size = (headEnd < 0 ? end : headEnd) - start;
      if (size > headBytesOf(maxResponseHeadersKb)) return this.#onMalformed();
      if (headEnd === incomplete) {
        this.#partial.keep(bytes, start, end);
        return;
      }
      responseHead.spelledNames = this.#spelling?.take(buffer, start, headerCase);
      const isGranted = this.#isGranted;
      // A switch that nobody asked for.
      if (headEnd < 0 || (responseHead.status === 101 && !isGranted)) {
        this.#onMalformed();
        return;
      }
      // Interim responses are for us: the client got its 100 from us already (RFC 9110 §15.2).
      if (isGranted || responseHead.status >= 200) {
        this.#onHead(headEnd, end);
        return;
      }
      start = headEnd;
      if (start === end) return;
    }
  }

  /** The head is parsed; what follows it in [bodyStart, end) goes to the request with it. */
  #onHead(bodyStart: number, end: number): void {
    const { fields } = responseHead;
    const body = this.#body;
    this.#mayReuse &&= responseHead.isPersistent;
    body.start = bodyStart;
    body.end = bodyStart;
    body.contentLength = fields.contentLength;
    let rest = bodyStart;
    if (this.#isGranted) {
      body.contentLength = -1;
      rest = this.#startUnframed(end);
      this.#state = "tunnel";
    } else if (this.#request?.form.isHeadRequest === true || responseHead.isBodyless) {
      body.isEnd = true;
    } else if (fields.isChunked) {
      rest = this.#startChunked(bodyStart, end);
      if (rest < 0) return;
    } else if (fields.contentLength >= 0) {
      body.end = Math.min(end, bodyStart + fields.contentLength);
      this.#remaining = fields.contentLength - (body.end - bodyStart);
      body.isEnd = this.#remaining === 0;
      this.#state = "length";
      rest = body.end;
    } else rest = this.#startUnframed(end);
    if (!body.isEnd) this.#request?.onResponseHead(body);
    else this.#endOfResponse(rest < end)?.onResponseHead(body);
    if (this.#state === "chunked") this.#onTrailers(rest < end);
    this.#afterResponse();
  }

  /** What was asked for may begin, whatever the fields say of a body. */
  get #isGranted(): boolean {
    return isGranted(this.#request?.form.upgradeType ?? noUpgrade, responseHead.status);
  }

  /** All that comes until the connection ends. */
  #startUnframed(end: number): number {
    this.#body.end = end;
    this.#body.isEnd = false;
    this.#state = "untilClose";
    this.#mayReuse = false;
    return end;
  }

  #startChunked(bodyStart: number, end: number): number {
    const decoder = (this.#decoder ??= new ChunkedDecoder());
    decoder.reset(this.host.cluster.config.http1.trailers);
    const rest = decoder.decode(this.#pool.environment.reactor.arena.bytes, bodyStart, end);
    if (rest < 0) {
      this.#onMalformed();
      return rest;
    }
    this.#body.end = decoder.dataEnd;
    this.#body.isEnd = decoder.isDone && decoder.trailers === undefined;
    this.#state = "chunked";
    return rest;
  }

  #onLengthData(start: number, end: number): void {
    const bodyEnd = Math.min(end, start + this.#remaining);
    this.#remaining -= bodyEnd - start;
    if (this.#remaining > 0) {
      this.#request?.onResponseBody(start, bodyEnd, false);
      return;
    }
    this.#endOfResponse(bodyEnd < end)?.onResponseBody(start, bodyEnd, true);
    this.#afterResponse();
  }

  #onChunkedData(start: number, end: number): void {
    const decoder = this.#decoder as ChunkedDecoder;
    const rest = decoder.decode(this.#pool.environment.reactor.arena.bytes, start, end);
    if (rest < 0) {
      this.#onMalformed();
    } else if (decoder.isDone && decoder.trailers === undefined) {
      this.#endOfResponse(rest < end)?.onResponseBody(start, decoder.dataEnd, true);
      this.#afterResponse();
    } else {
      if (decoder.dataEnd > start) this.#request?.onResponseBody(start, decoder.dataEnd, false);
      this.#onTrailers(rest < end);
      this.#afterResponse();
    }
  }

  /** A body that is done ended with trailers, and those with the response. */
  #onTrailers(hasMore: boolean): void {
    const decoder = this.#decoder as ChunkedDecoder;
    const { trailers } = decoder;
    if (!decoder.isDone || trailers === undefined || this.#request === undefined) return;
    const { arena } = this.#pool.environment.reactor;
    const { maxResponseHeadersCount } = this.host.cluster.config;
    const end = stageTrailers(arena, this.#pool.writer, trailers, maxResponseHeadersCount);
    if (end < 0) this.#onMalformed();
    else this.#endOfResponse(hasMore)?.onResponseTrailers(arena.stagingStart, end);
  }

  /** The response is over: unbinds the request, which still gets its last bytes from the caller. */
  #endOfResponse(hasMore: boolean): UpstreamRequest | undefined {
    if (hasMore || this.#request?.isSent !== true) this.#mayReuse = false;
    return this.#end();
  }

  #end(): UpstreamRequest | undefined {
    const request = this.#request;
    this.#unbind();
    this.#becomeIdle();
    return request;
  }

  /** After the request had its last bytes: its next attempt or the next request may take the connection. */
  #afterResponse(): void {
    if (this.#state !== "idle" || this.#request !== undefined || !this.socket.isOpen) return;
    const { maxRequestsPerConnection } = this.host.cluster.config;
    if (maxRequestsPerConnection > 0 && this.requestCount >= maxRequestsPerConnection) {
      this.#count(clusterStat.cxMaxRequests);
      this.#mayReuse = false;
    }
    if (this.#mayReuse) this.#pool.released(this);
    else this.close();
  }

  #becomeIdle(): void {
    this.#state = "idle";
    const { nowMs } = this.#pool.environment.reactor;
    this.#idleSinceMs = nowMs;
    this.#timer.atLatest(this.#nextDeadlineMs(nowMs));
  }

  #onMalformed(): void {
    this.#count(clusterStat.cxProtocolError);
    this.#failRequest("protocolError");
    this.close();
  }

  #failRequest(reason: ResetReason): void {
    const request = this.#request;
    if (request === undefined) return;
    this.#counts.destroyedWithRequest(this.#isClosedByUs);
    this.#unbind();
    request.onUpstreamReset(reason);
  }

  #unbind(): void {
    const request = this.#request;
    if (request === undefined) return;
    this.#request = undefined;
    // The next request's client is another one.
    if (this.#isPaused) this.setReading(true);
    request.breakers.release("requests");
    this.#counts.requestEnded();
  }

  #count(offset: number): void {
    this.#counts.count(offset);
  }
}
