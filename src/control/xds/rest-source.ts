/**
 * Resources polled over HTTP (Envoy: `HttpSubscriptionImpl`, `api_type: REST`): a DiscoveryRequest in JSON
 * is posted, a DiscoveryResponse in JSON comes back, and after `refresh_delay` the next one follows.
 *
 * What one would get wrong: there is no ACK. The next poll says the last accepted version, and a server
 * that has nothing newer answers 304, whatever names are asked for. So a poll that asks for more than was
 * answered before says no version. (In Envoy each subscription polls by itself, from no version on.)
 */
import type {
  DiscoveryRequest,
  DiscoveryResponse as ResponseMessage,
} from "../../../gen/es/envoy/service/discovery/v3/discovery_pb.d.ts";
import type { Clock } from "../../shared/common/clock.ts";
import type { Logger } from "../../shared/common/log.ts";
import type { Random } from "../../shared/common/random.ts";
import { readBinary } from "../proto/binary.ts";
import { readText, writeJson } from "../proto/json.ts";
import type { ProtoRegistry } from "../proto/proto-registry.ts";
import { writeDiscoveryRequest } from "./discovery-request.ts";
import { responseOf } from "./discovery-text.ts";
import type { PollTransport } from "./rest-transport.ts";
import { sotw } from "./sotw-conversation.ts";
import { afterReply, namesToSend, noProgress } from "./sotw-state.ts";
import { type AnySubscriptions, SubscriptionClient } from "./subscription-client.ts";
import type { XdsStats } from "./xds-stats.ts";
import type { StreamStatus, XdsStatus } from "./xds-status.ts";

export interface RestSourceOptions {
  readonly transport: PollTransport;
  /** From one answer to the next request; each time up to as much again is added by chance. */
  readonly refreshDelayMs: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly protos: ProtoRegistry;
  readonly stats: XdsStats;
  readonly logger: Logger;
  /** A serialised `envoy.config.core.v3.Node`. */
  readonly node: Uint8Array;
}

/** One server, one type. */
export class RestSource extends SubscriptionClient {
  readonly #options: RestSourceOptions;
  #progress = noProgress;
  /** Names of the last poll that got a response. */
  #answeredNames: ReadonlySet<string> = new Set();
  #stream: StreamStatus = { kind: "idle" };
  #timer: Disposable | undefined;
  #isPolling = false;
  /** An interest changed during a poll: the next one follows at once. */
  #isStale = false;

  constructor(options: RestSourceOptions) {
    super({ clock: options.clock, stats: options.stats, dialect: sotw });
    this.#options = options;
  }

  override status(): XdsStatus {
    return {
      server: this.#options.transport.server,
      serverIdentifier: "",
      stream: this.#stream,
      types: this.typeStatuses,
    };
  }

  override [Symbol.dispose](): void {
    this.#stream = { kind: "closed" };
    this.#timer?.[Symbol.dispose]();
    this.#options.transport[Symbol.dispose]();
    super[Symbol.dispose]();
  }

  protected override onInterest(): void {
    queueMicrotask(() => this.#pollSoon());
  }

  #pollSoon(): void {
    this.#isStale = true;
    if (!this.#isPolling) void this.#poll();
  }

  /** Polls until nothing changed meanwhile, then waits for the refresh delay. */
  async #poll(): Promise<void> {
    const { clock, random, refreshDelayMs } = this.#options;
    this.#timer?.[Symbol.dispose]();
    this.#isPolling = true;
    do {
      this.#isStale = false;
      for (const subscriptions of this.subscriptions)
        if (!this.#isClosed) await this.#pollOnce(subscriptions);
    } while (this.#isStale && !this.#isClosed);
    this.#isPolling = false;
    if (this.#isClosed) return;
    const delayMs = refreshDelayMs + Math.floor(random.next() * refreshDelayMs);
    this.#timer = clock.startTimer(delayMs, () => void this.#poll());
  }

  async #pollOnce(subscriptions: AnySubscriptions): Promise<void> {
    const { transport, logger, stats, protos } = this.#options;
    subscriptions.forgetReleased();
    const resourceNames = namesToSend(subscriptions.interest, this.#progress);
    if (!resourceNames) return;
    const answer = await transport.poll(this.#requestFor(subscriptions, resourceNames));
    if (this.#isClosed) return;
    stats.controlPlane.connected(answer.kind !== "failed");
    this.#stream =
      answer.kind === "failed" ? { kind: "connecting", reason: answer.reason } : { kind: "open" };
    if (answer.kind === "unchanged") return;
    const { typeUrl } = subscriptions.type;
    const schema = protos.schema<ResponseMessage>("envoy.service.discovery.v3.DiscoveryResponse");
    const read =
      answer.kind === "failed"
        ? { ok: false as const, errors: [answer.reason] }
        : readText(protos, schema, answer.text);
    if (!read.ok) {
      logger.warning(`REST config update failed: ${transport.server}: ${read.errors.join("; ")}`);
      subscriptions.forEachStats((own) => own.failed());
      return;
    }
    const response = responseOf(read.value, typeUrl);
    const reply = await subscriptions.answer(response);
    this.#progress = afterReply(this.#progress, response, reply);
    this.#answeredNames = new Set(resourceNames);
    if (reply.kind === "nack")
      logger.warning(`REST config for ${typeUrl} rejected: ${reply.detail}`);
    else logger.debug(`REST config for ${typeUrl} accepted with version ${response.version}`);
  }

  #requestFor({ type: { typeUrl } }: AnySubscriptions, resourceNames: readonly string[]): string {
    const { protos, node } = this.#options;
    const asksForMore = resourceNames.some((name) => !this.#answeredNames.has(name));
    const version = asksForMore ? "" : this.#progress.version;
    const schema = protos.schema<DiscoveryRequest>("envoy.service.discovery.v3.DiscoveryRequest");
    const bytes = writeDiscoveryRequest({
      version,
      node,
      resourceNames,
      typeUrl,
      nonce: "",
      error: undefined,
    });
    const request = readBinary(schema, bytes);
    // We wrote it ourselves.
    return request.ok ? JSON.stringify(writeJson(protos, schema, request.value)) : "{}";
  }

  get #isClosed(): boolean {
    return this.#stream.kind === "closed";
  }
}
