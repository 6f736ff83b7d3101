/**
 * One client's stream, without a wire: a request goes in, the responses to send come out. Nothing here reads a clock
 * or a socket, so that a simulation can drive it as well as gRPC does.
 *
 * What one would get wrong: on an aggregated stream the order of types is what keeps traffic alive. Clusters come before
 * what routes to them, and what nothing refers to any longer goes last, once all else is answered (xDS
 * protocol, "Eventual consistency considerations").
 */
import type { RequestHead, ServedResource } from "./discovery-wire.ts";
import { readDiscoveryRequest } from "./discovery-wire.ts";
import { readDeltaRequest } from "./delta-wire.ts";
import { DeltaSubscription } from "./delta-subscription.ts";
import type { PlannedResponse } from "./planned-response.ts";
import { servedTypeOf, servedTypes, type ServedType } from "./resource-types.ts";
import { SotwSubscription } from "./sotw-subscription.ts";
import type { NextResponse, Removals, TypeSubscription } from "./type-subscription.ts";
import type { Answer, Verdict } from "./verdict.ts";

/** Who a client says it is. Empty before its first message. */
export interface ClientNode {
  readonly id: string;
  readonly cluster: string;
}

/** `undefined`: nothing was ever set, which says nothing; an empty list says that there is none. */
export type ResourcesFor = (
  typeUrl: string,
  node: ClientNode,
) => readonly ServedResource[] | undefined;

export interface Received {
  readonly typeUrl: string;
  /** What the request said to a response, if it said anything. */
  readonly answer: Answer | undefined;
  readonly responses: readonly PlannedResponse[];
}

export interface TypeStatus {
  readonly typeUrl: string;
  readonly isAll: boolean;
  readonly names: readonly string[];
  readonly verdict: Verdict;
  readonly sentCount: number;
  readonly acked: string | undefined;
  readonly nacked: { readonly version: string; readonly error: string } | undefined;
}

/** One client's stream, whichever variant of the protocol it speaks. */
export interface Session {
  readonly isDelta: boolean;
  readonly node: ClientNode;
  /** Throws on bytes that are no request. */
  receive(message: Uint8Array): Received;
  /** After resources changed: what this client has not got, in the order that is safe. */
  push(): readonly PlannedResponse[];
  /** Keeps alive what would expire without a sign of life. */
  heartbeat(): readonly PlannedResponse[];
  /** How the client took what was sent last; `undefined` if it never asked for the type. */
  verdictOn(typeUrl: string): Verdict | undefined;
  /** The same once more, under a nonce of its own. */
  again(planned: PlannedResponse): PlannedResponse;
  /** A nonce that no response of this stream has. */
  freshNonce(): string;
  status(): readonly TypeStatus[];
}

export interface SessionOptions {
  readonly resourcesFor: ResourcesFor;
  /** Of a stream of one type, whose requests need not repeat it; `undefined`: aggregated. */
  readonly typeUrl?: string | undefined;
}

interface Variant<Request extends RequestHead> {
  readonly isDelta: boolean;
  read(bytes: Uint8Array): Request;
  subscribe(type: ServedType): TypeSubscription<Request>;
}

export function sotwSession(options: SessionOptions): Session {
  const subscribe = (type: ServedType): SotwSubscription => new SotwSubscription(type);
  return new StreamSession({ isDelta: false, read: readDiscoveryRequest, subscribe }, options);
}

export function deltaSession(options: SessionOptions): Session {
  const subscribe = (type: ServedType): DeltaSubscription => new DeltaSubscription(type);
  return new StreamSession({ isDelta: true, read: readDeltaRequest, subscribe }, options);
}

/** More types than there are: a client that makes them up is cut off. */
const typesMax = 64;

const wrapperFeatures = ["xds.config.resource-in-sotw", "xds.config.supports-resource-in-sotw"];

class StreamSession<Request extends RequestHead> implements Session {
  node: ClientNode = { id: "", cluster: "" };
  readonly #variant: Variant<Request>;
  readonly #options: SessionOptions;
  /** In the order of a push. */
  #subscriptions: readonly TypeSubscription<Request>[] = [];
  /** Types of which something is there to be sent and is not: a removal that waits, or too much unanswered. */
  readonly #behind = new Set<TypeSubscription<Request>>();
  #isWrapperKnown = false;
  #nonces = 0;

  constructor(variant: Variant<Request>, options: SessionOptions) {
    this.#variant = variant;
    this.#options = options;
  }

  get isDelta(): boolean {
    return this.#variant.isDelta;
  }

  receive(message: Uint8Array): Received {
    const request = this.#variant.read(message);
    const { nodeId, nodeCluster, features, nonce, error } = request;
    if (nodeId !== "") {
      this.node = { id: nodeId, cluster: nodeCluster };
      this.#isWrapperKnown = wrapperFeatures.some((feature) => features.includes(feature));
    }
    const typeUrl = request.typeUrl === "" ? (this.#options.typeUrl ?? "") : request.typeUrl;
    const subscription = this.#subscriptionTo(typeUrl);
    const answer = subscription.responses.answer(nonce, error);
    subscription.take(request, answer);
    return { typeUrl, answer, responses: this.#flush([subscription, ...this.#behind]) };
  }

  push(): readonly PlannedResponse[] {
    return this.#flush(this.#subscriptions);
  }

  heartbeat(): readonly PlannedResponse[] {
    return this.#subscriptions.flatMap((subscription) => {
      if (subscription.responses.isFull || (!this.isDelta && !this.#isWrapperKnown)) return [];
      const all = this.#resourcesFor(subscription);
      const next = all && subscription.heartbeat(all);
      return next ? [this.#sent(subscription, next)] : [];
    });
  }

  verdictOn(typeUrl: string): Verdict | undefined {
    const subscription = this.#subscriptions.find(({ type }) => type.typeUrl === typeUrl);
    if (!subscription) return undefined;
    return this.#behind.has(subscription) ? { kind: "waiting" } : subscription.responses.verdict;
  }

  again(planned: PlannedResponse): PlannedResponse {
    const nonce = this.freshNonce();
    this.#subscriptionTo(planned.typeUrl).responses.sent(nonce, planned.version);
    return { ...planned, nonce };
  }

  freshNonce(): string {
    return `${++this.#nonces}`;
  }

  status(): readonly TypeStatus[] {
    return this.#subscriptions.map(({ type, isAll, names, responses }) => ({
      typeUrl: type.typeUrl,
      isAll,
      names: [...names].toSorted(),
      verdict: this.verdictOn(type.typeUrl) ?? responses.verdict,
      sentCount: responses.sentCount,
      acked: responses.acked?.version,
      nacked: responses.nacked,
    }));
  }

  #subscriptionTo(typeUrl: string): TypeSubscription<Request> {
    const known = this.#subscriptions.find(({ type }) => type.typeUrl === typeUrl);
    if (known) return known;
    if (this.#subscriptions.length === typesMax) throw new Error(`more than ${typesMax} types`);
    const added = this.#variant.subscribe(servedTypeOf(typeUrl));
    this.#subscriptions = [...this.#subscriptions, added].toSorted(
      (a, b) => rankOf(a.type) - rankOf(b.type),
    );
    return added;
  }

  /** Sends what is new to `due`, then takes away what nothing waits for. */
  #flush(due: readonly TypeSubscription<Request>[]): readonly PlannedResponse[] {
    const inOrder = this.#subscriptions.filter((one) => due.includes(one));
    const plans = new Map(inOrder.map((one) => [one, this.#nextOf(one, "held")]));
    const made = inOrder.flatMap((one) => {
      const isFinal = !this.#isReferredTo(one, (other) => plans.get(other) !== undefined);
      const isPlanFinal = !one.type.isReferredTo || !isFinal;
      return this.#send(one, isPlanFinal ? plans.get(one) : this.#nextOf(one, "now"));
    });
    const broken = inOrder
      .toReversed()
      .filter((one) => one.type.isReferredTo && !this.#isReferredTo(one))
      .flatMap((one) => this.#send(one, this.#nextOf(one, "now")));
    for (const one of inOrder) {
      const mayWait = one.type.isReferredTo || one.responses.isFull;
      if (mayWait && this.#nextOf(one, "now")) this.#behind.add(one);
      else this.#behind.delete(one);
    }
    return [...made, ...broken];
  }

  /** Whether what is unanswered, or what is about to be sent, may still refer to the resources of a type. */
  #isReferredTo(
    { type }: TypeSubscription<Request>,
    isDue: (other: TypeSubscription<Request>) => boolean = () => false,
  ): boolean {
    const others = this.#subscriptions.filter((other) => other.type !== type);
    return type.isReferredTo && others.some((one) => one.responses.isWaiting || isDue(one));
  }

  #nextOf(one: TypeSubscription<Request>, removals: Removals): NextResponse | undefined {
    const all = this.#resourcesFor(one);
    return all && one.next(all, removals);
  }

  #send(
    one: TypeSubscription<Request>,
    next: NextResponse | undefined,
  ): readonly PlannedResponse[] {
    return next === undefined || one.responses.isFull ? [] : [this.#sent(one, next)];
  }

  #sent(subscription: TypeSubscription<Request>, next: NextResponse): PlannedResponse {
    const nonce = this.freshNonce();
    subscription.sent(next);
    subscription.responses.sent(nonce, next.version);
    const { typeUrl } = subscription.type;
    const { isDelta } = this;
    return { ...next, typeUrl, nonce, isDelta, isWrapperKnown: this.#isWrapperKnown };
  }

  #resourcesFor({ type }: TypeSubscription<Request>): readonly ServedResource[] | undefined {
    return this.#options.resourcesFor(type.typeUrl, this.node);
  }
}

function rankOf(type: ServedType): number {
  const rank = servedTypes.indexOf(type);
  return rank < 0 ? servedTypes.length : rank;
}
