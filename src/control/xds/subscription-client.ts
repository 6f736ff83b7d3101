/**
 * The part of an `XdsClient` that does not depend on how resources come: one `TypeSubscriptions` for each type,
 * made when somebody first asks for the type.
 */
import { Observable } from "rxjs";
import type { ResourceBatch, ResourceState, ResourceType } from "./resource-batch.ts";
import { TypeSubscriptions, type TypeSubscriptionsOptions } from "./type-subscriptions.ts";
import type { SubscriptionOptions, XdsClient } from "./xds-client.ts";
import type { TypeStatus, XdsStatus } from "./xds-status.ts";

/** A `TypeSubscriptions` of some type; which one is known where it was made. */
export type AnySubscriptions = Omit<TypeSubscriptions<unknown>, "observeBatches" | "observeNamed">;

export type SubscriptionClientOptions = Omit<TypeSubscriptionsOptions, "onInterest">;

export abstract class SubscriptionClient implements XdsClient {
  readonly #common: SubscriptionClientOptions;
  /** By type URL. */
  readonly #types = new Map<string, AnySubscriptions>();

  constructor(common: SubscriptionClientOptions) {
    this.#common = common;
  }

  changes$<T>(
    type: ResourceType<T>,
    options: SubscriptionOptions = {},
  ): Observable<ResourceBatch<T>> {
    return new Observable((subscriber) =>
      this.#subscriptionsOf(type).observeBatches(subscriber, options),
    );
  }

  resource$<T>(
    type: ResourceType<T>,
    name: string,
    options: SubscriptionOptions = {},
  ): Observable<ResourceState<T>> {
    return new Observable((subscriber) =>
      this.#subscriptionsOf(type).observeNamed(name, subscriber, options),
    );
  }

  whenAnswered(type: ResourceType<unknown>): Promise<"answered" | "timeout"> {
    return this.#subscriptionsOf(type).whenAnswered();
  }

  whenAccepted(type: ResourceType<unknown>): Promise<void> {
    return this.#subscriptionsOf(type).whenAccepted();
  }

  abstract status(): XdsStatus;

  [Symbol.dispose](): void {
    for (const subscriptions of this.#types.values()) subscriptions[Symbol.dispose]();
  }

  /** What is subscribed of the type has changed: the server is to be asked, when the present turn is over. */
  protected abstract onInterest(subscriptions: AnySubscriptions): void;

  /** In the order in which they were first asked for. */
  protected get subscriptions(): readonly AnySubscriptions[] {
    return [...this.#types.values()];
  }

  protected get typeStatuses(): readonly TypeStatus[] {
    return this.subscriptions.map((subscriptions) => subscriptions.status());
  }

  #subscriptionsOf<T>(type: ResourceType<T>): TypeSubscriptions<T> {
    const known = this.#types.get(type.typeUrl);
    // One type URL has one ResourceType, so what was stored under it has its T.
    if (known) return known as TypeSubscriptions<T>;
    const subscriptions: TypeSubscriptions<T> = new TypeSubscriptions(type, {
      ...this.#common,
      onInterest: () => this.onInterest(subscriptions),
    });
    this.#types.set(type.typeUrl, subscriptions);
    return subscriptions;
  }
}
