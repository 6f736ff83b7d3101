/** One client's delta stream: reads its requests, sends it what changed, and remembers its verdicts. */
import type { Session, SessionContext } from "./client-session.ts";
import type { Verdict } from "./client-subscription.ts";
import { DeltaSubscription } from "./delta-subscription.ts";
import { readDeltaRequest, writeDeltaResponse } from "./delta-wire.ts";
import { servedTypes } from "./resource-types.ts";
import { resourceVersion, versionOf } from "./resource-version.ts";

export class DeltaSession implements Session {
  /** As the client calls itself; empty before its first message. */
  nodeId = "";
  readonly #context: SessionContext;
  readonly #subscriptions = new Map<string, DeltaSubscription>();
  #nonces = 0;

  constructor(context: SessionContext) {
    this.#context = context;
  }

  /** Throws on bytes that are no request. */
  receive(message: Uint8Array): void {
    const request = readDeltaRequest(message);
    if (request.nodeId !== "") this.nodeId = request.nodeId;
    const typeUrl = request.typeUrl === "" ? (this.#context.typeUrl ?? "") : request.typeUrl;
    const subscription = this.#subscriptionTo(typeUrl);
    if (!subscription) return;
    if (subscription.take(request)) this.#context.answered(this, typeUrl, subscription.verdict);
    this.#pushTo(subscription);
  }

  /** After resources changed: sends what this client has not got, in the order that is safe. */
  push(): void {
    for (const { typeUrl } of servedTypes) {
      const subscription = this.#subscriptions.get(typeUrl);
      if (subscription) this.#pushTo(subscription);
    }
  }

  verdictOn(typeUrl: string): Verdict | undefined {
    return this.#subscriptions.get(typeUrl)?.verdict;
  }

  #subscriptionTo(typeUrl: string): DeltaSubscription | undefined {
    const known = this.#subscriptions.get(typeUrl);
    const type = servedTypes.find((served) => served.typeUrl === typeUrl);
    if (known || !type) return known;
    const subscription = new DeltaSubscription(type);
    this.#subscriptions.set(typeUrl, subscription);
    return subscription;
  }

  #pushTo(subscription: DeltaSubscription): void {
    const { typeUrl } = subscription.type;
    const resources = this.#context.resourcesOf(typeUrl);
    if (!resources) return;
    const versioned = resources.map((one) => ({ ...one, version: resourceVersion(one) }));
    const next = subscription.next(versioned, versionOf(resources));
    if (!next) return;
    const nonce = `${++this.#nonces}`;
    subscription.sent(next, nonce);
    this.#context.send(writeDeltaResponse({ ...next, typeUrl, nonce }));
  }
}
