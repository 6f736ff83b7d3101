/**
 * The part of an `XdsClient` that does not depend on how resources come: one `TypeSubscriptions` for each type,
 * made when somebody first asks for the type.
 */
import { Observable } from "rxjs";
import type { ResourceBatch, ResourceState, ResourceType } from "./resource-batch.ts";
import type { TypeSubscriptions } from "./type-subscriptions.ts";
import type { SubscriptionOptions, XdsClient } from "./xds-client.ts";
import type { XdsStatus } from "./xds-status.ts";

/** A `TypeSubscriptions` of some type; which one is known where it was made. */
export type AnySubscriptions = Omit<TypeSubscriptions<unknown>, "observeBatches" | "observeNamed">;

export abstract class SubscriptionClient implements XdsClient {
  /** By type URL. */
  readonly #types = new Map<string, AnySubscriptions>();

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

  abstract status(): XdsStatus;

  [Symbol.dispose](): void {
    for (const subscriptions of this.#types.values()) subscriptions[Symbol.dispose]();
  }

  /** Called once for each type. */
  protected abstract subscribeTo<T>(type: ResourceType<T>): TypeSubscriptions<T>;

  /** In the order in which they were first asked for. */
  protected get subscriptions(): readonly AnySubscriptions[] {
    return [...this.#types.values()];
  }

  #subscriptionsOf<T>(type: ResourceType<T>): TypeSubscriptions<T> {
    const known = this.#types.get(type.typeUrl);
    // One type URL has one ResourceType, so what was stored under it has its T.
    if (known) return known as TypeSubscriptions<T>;
    const subscriptions = this.subscribeTo(type);
    this.#types.set(type.typeUrl, subscriptions);
    return subscriptions;
  }
}
