/**
 * Many subscriptions on one stream, in either variant of the protocol (Envoy: `GrpcMuxImpl`). On a stream of
 * one type it has one lane.
 *
 * What one would get wrong: a request is not sent where an interest changes. Interests are noted and
 * sent together, in the order CDS, EDS, LDS, SRDS, RDS, VHDS, and not while a response is being applied: a CDS
 * push with 10,000 new EDS clusters causes one EDS request (xDS protocol, "Eventual consistency
 * considerations"; Envoy pauses dependent types for the same reason).
 */
import type { Clock } from "../../shared/common/clock.ts";
import type { Logger } from "../../shared/common/log.ts";
import { AdsStream, type AdsStreamOptions } from "./ads-stream.ts";
import type { Conversation, Dialect } from "./conversation.ts";
import type { DiscoveryResponse } from "./discovery-response.ts";
import type { Reply } from "./reply.ts";
import { sotw } from "./sotw-conversation.ts";
import { type AnySubscriptions, SubscriptionClient } from "./subscription-client.ts";
import { TokenBucket, type TokenBucketOptions } from "./token-bucket.ts";
import type { XdsStats } from "./xds-stats.ts";
import type { XdsStatus } from "./xds-status.ts";

export interface AdsMuxOptions extends AdsStreamOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly stats: XdsStats;
  /** Default: the state of the world. */
  readonly dialect?: Dialect;
  /** A serialised `envoy.config.core.v3.Node`. */
  readonly node: Uint8Array;
  /** Requests beyond it wait; absent: they are not limited. */
  readonly rateLimit?: TokenBucketOptions | undefined;
  /** The node in the first request of a stream only; Envoy's default is in every one. */
  readonly setNodeOnFirstMessageOnly?: boolean;
}

/** One type's part of the conversation. */
interface Lane {
  readonly subscriptions: AnySubscriptions;
  readonly conversation: Conversation;
  /** A request is due: an interest changed, the stream is new, or a response wants its answer. */
  isDue: boolean;
}

const sendingOrder = ["CDS", "EDS", "LDS", "SRDS", "RDS", "VHDS"];

export class AdsMux extends SubscriptionClient {
  readonly #options: AdsMuxOptions;
  readonly #dialect: Dialect;
  readonly #stream: AdsStream;
  /** In sending order. */
  #lanes: readonly Lane[] = [];
  readonly #bucket: TokenBucket | undefined;
  /** Runs while requests wait for the bucket. */
  #refill: Disposable | undefined;
  #isApplying = false;
  #isFlushScheduled = false;
  #hasSentNode = false;
  #serverIdentifier = "";
  /** Tells whether a response still belongs to the stream that is open when it has been applied. */
  #streamNumber = 0;
  /** Resolves what waits for the peer to read, when it does or is gone. */
  #onSent: (() => void) | undefined;

  constructor(options: AdsMuxOptions) {
    const { rateLimit, clock, stats, dialect = sotw } = options;
    super({ clock, stats, dialect });
    this.#options = options;
    this.#dialect = dialect;
    this.#bucket = rateLimit && new TokenBucket(rateLimit, clock.now());
    this.#stream = new AdsStream(options, {
      opened: () => this.#onOpened(),
      connected: () => options.stats.controlPlane.connected(true),
      received: (message) => this.#onMessage(message),
      writable: () => this.#onWritable(),
      failed: (reason, retryInMs) => this.#onFailed(reason, retryInMs),
    });
  }

  override status(): XdsStatus {
    return {
      server: this.#options.transport.server,
      serverIdentifier: this.#serverIdentifier,
      stream: this.#stream.status(),
      types: this.#lanes.map((lane) => lane.subscriptions.status()),
    };
  }

  override [Symbol.dispose](): void {
    this.#stream[Symbol.dispose]();
    this.#refill?.[Symbol.dispose]();
    super[Symbol.dispose]();
    this.#options.transport[Symbol.dispose]();
  }

  protected override onInterest(subscriptions: AnySubscriptions): void {
    const lane = this.#laneOf(subscriptions.type.typeUrl) ?? this.#addLane(subscriptions);
    lane.isDue = true;
    this.#countPending();
    if (this.#isFlushScheduled) return;
    this.#isFlushScheduled = true;
    queueMicrotask(() => {
      this.#isFlushScheduled = false;
      this.#stream.start();
      this.#flush();
    });
  }

  #laneOf(typeUrl: string): Lane | undefined {
    return this.#lanes.find((lane) => lane.subscriptions.type.typeUrl === typeUrl);
  }

  #addLane(subscriptions: AnySubscriptions): Lane {
    const conversation = this.#dialect.converse(subscriptions.type.typeUrl);
    const lane: Lane = { subscriptions, conversation, isDue: false };
    this.#lanes = [...this.#lanes, lane].toSorted((a, b) => rankOf(a) - rankOf(b));
    return lane;
  }

  #onOpened(): void {
    this.#release();
    this.#streamNumber++;
    this.#hasSentNode = false;
    for (const lane of this.#lanes) {
      lane.conversation.onNewStream();
      lane.isDue = true;
      if (this.#streamNumber > 1) lane.subscriptions.forEachStats((stats) => stats.attempted());
    }
    this.#flush();
  }

  #onFailed(reason: string, retryInMs: number): void {
    const { logger, stats, transport } = this.#options;
    logger.warning(
      `${this.#dialect.streamName} gRPC config stream to ${transport.server} closed: ${reason} (retry in ${Math.round(retryInMs)} ms)`,
    );
    stats.controlPlane.connected(false);
    this.#release();
    for (const lane of this.#lanes) lane.subscriptions.forEachStats((own) => own.failed());
  }

  async #onMessage(message: Uint8Array): Promise<void> {
    const read = this.#dialect.readResponse(message);
    if (!read.ok) {
      // Without type and nonce there is nothing to refuse: only a new stream can help.
      this.#stream.abandon(`13, unreadable DiscoveryResponse: ${read.error}`);
      return;
    }
    const response = read.value;
    this.#noteServer(response.serverIdentifier);
    const lane = this.#laneOf(response.typeUrl);
    if (lane?.conversation.hasAsked) {
      await this.#apply(lane, response);
      return;
    }
    this.#options.stats.controlPlane.ignored();
    this.#options.logger.warning(
      `Ignoring the message for type URL ${response.typeUrl} as it has no current subscribers.`,
    );
  }

  async #apply(lane: Lane, response: DiscoveryResponse): Promise<void> {
    const stream = this.#streamNumber;
    this.#isApplying = true;
    const reply = await lane.subscriptions.answer(response);
    this.#isApplying = false;
    this.#log(response, reply);
    const isCurrent = stream === this.#streamNumber;
    lane.conversation.onReply(response, reply, isCurrent);
    if (isCurrent) lane.isDue = true;
    this.#flush();
    // Every response gets its answer, so no other is read before a slow peer has taken this one.
    if (isCurrent && lane.isDue)
      await new Promise<void>((resolve) => {
        this.#onSent = resolve;
      });
  }

  #onWritable(): void {
    this.#flush();
    if (this.#stream.canSend && !this.#refill) this.#release();
  }

  #release(): void {
    this.#onSent?.();
    this.#onSent = undefined;
  }

  #flush(): void {
    for (const lane of this.#lanes) {
      if (!lane.isDue) continue;
      if (this.#isApplying || !this.#stream.canSend || this.#mustWait()) break;
      this.#send(lane);
    }
    this.#countPending();
  }

  #send(lane: Lane): void {
    lane.isDue = false;
    const { subscriptions, conversation } = lane;
    subscriptions.forgetReleased();
    const { interest, held } = subscriptions;
    const { node, setNodeOnFirstMessageOnly = false } = this.#options;
    const isNodeKnown = this.#hasSentNode && setNodeOnFirstMessageOnly;
    const message = conversation.next({ interest, held, node: isNodeKnown ? undefined : node });
    if (!message) return;
    this.#bucket?.spend();
    this.#stream.send(message);
    this.#hasSentNode = true;
  }

  /** True while `rate_limit_settings` holds requests back; they go on by themselves. */
  #mustWait(): boolean {
    const { clock, stats } = this.#options;
    const waitMs = this.#bucket?.waitMs(clock.now()) ?? 0;
    if (waitMs === 0) return false;
    if (this.#refill) return true;
    stats.controlPlane.rateLimitEnforced();
    this.#refill = clock.startTimer(waitMs, () => {
      this.#refill = undefined;
      this.#onWritable();
    });
    return true;
  }

  #countPending(): void {
    const due = this.#lanes.filter((lane) => lane.isDue);
    this.#options.stats.controlPlane.pendingRequests(due.length);
  }

  #noteServer(identifier: string): void {
    if (identifier === "" || identifier === this.#serverIdentifier) return;
    this.#serverIdentifier = identifier;
    this.#options.stats.controlPlane.identifier(identifier);
  }

  #log(response: DiscoveryResponse, reply: Reply): void {
    const { logger } = this.#options;
    if (reply.kind === "nack")
      logger.warning(`gRPC config for ${response.typeUrl} rejected: ${reply.detail}`);
    else
      logger.debug(
        `gRPC config for ${response.typeUrl} accepted with ${response.resources.length} resources with version ${response.version}`,
      );
  }
}

function rankOf(lane: Lane): number {
  const rank = sendingOrder.indexOf(lane.subscriptions.type.shortName);
  return rank < 0 ? sendingOrder.length : rank;
}
