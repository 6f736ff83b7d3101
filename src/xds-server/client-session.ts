/** One client's stream of the state of the world: reads its requests, sends it what changed, and remembers its verdicts. */
import { ClientSubscription, type Verdict } from "./client-subscription.ts";
import { readDiscoveryRequest, writeDiscoveryResponse } from "./discovery-wire.ts";
import type { ServedResource } from "./discovery-wire.ts";
import { servedTypes } from "./resource-types.ts";

/** `undefined`: nothing was ever set, which says nothing; an empty list says that there is none. */
export type ResourcesOf = (typeUrl: string) => readonly ServedResource[] | undefined;

/** One client's stream, whichever variant of the protocol it speaks. */
export interface Session {
  /** As the client calls itself; empty before its first message. */
  readonly nodeId: string;
  /** Throws on bytes that are no request. */
  receive(message: Uint8Array): void;
  /** After resources changed: sends what this client has not got, in the order that is safe. */
  push(): void;
  /** How the client took what was sent last; `undefined` if it never asked for the type. */
  verdictOn(typeUrl: string): Verdict | undefined;
}

/** What a session needs of its server. */
export interface SessionContext {
  readonly send: (message: Buffer) => void;
  readonly resourcesOf: ResourcesOf;
  /** Of a stream of one type, whose requests need not repeat it; `undefined`: aggregated. */
  readonly typeUrl?: string | undefined;
  /** Told of every answer, for logs and for whoever waits for one. */
  answered(session: Session, typeUrl: string, verdict: Verdict): void;
}

export class ClientSession implements Session {
  /** As the client calls itself; empty before its first message. */
  nodeId = "";
  readonly #context: SessionContext;
  readonly #subscriptions = new Map<string, ClientSubscription>();
  #nonces = 0;

  constructor(context: SessionContext) {
    this.#context = context;
  }

  /** Throws on bytes that are no request. */
  receive(message: Uint8Array): void {
    const request = readDiscoveryRequest(message);
    if (request.nodeId !== "") this.nodeId = request.nodeId;
    const typeUrl = request.typeUrl === "" ? (this.#context.typeUrl ?? "") : request.typeUrl;
    const subscription = this.#subscriptionTo(typeUrl);
    if (!subscription?.take(request)) return;
    if (request.nonce !== "") this.#context.answered(this, typeUrl, subscription.verdict);
    this.#pushTo(subscription);
  }

  /** After resources changed: sends what this client has not got, in the order that is safe. */
  push(): void {
    for (const { typeUrl } of servedTypes) {
      const subscription = this.#subscriptions.get(typeUrl);
      if (subscription) this.#pushTo(subscription);
    }
  }

  /** How the client took what was sent last; `undefined` if it never asked for the type. */
  verdictOn(typeUrl: string): Verdict | undefined {
    return this.#subscriptions.get(typeUrl)?.verdict;
  }

  #subscriptionTo(typeUrl: string): ClientSubscription | undefined {
    const known = this.#subscriptions.get(typeUrl);
    const type = servedTypes.find((served) => served.typeUrl === typeUrl);
    if (known || !type) return known;
    const subscription = new ClientSubscription(type);
    this.#subscriptions.set(typeUrl, subscription);
    return subscription;
  }

  #pushTo(subscription: ClientSubscription): void {
    const { typeUrl } = subscription.type;
    const resources = this.#context.resourcesOf(typeUrl);
    const next = resources && subscription.next(resources);
    if (!next) return;
    const nonce = `${++this.#nonces}`;
    subscription.sent(next, nonce);
    this.#context.send(writeDiscoveryResponse({ ...next, typeUrl, nonce }));
  }
}
