/**
 * What managers see of xDS, whatever the transport: batches of a type, and the state of one named
 * resource. Subscribing to an observable is what asks the server; unsubscribing takes it back. Both
 * are counted, so that two listeners that share a route configuration cost one subscription.
 */
import type { Observable } from "rxjs";
import type { ResourceBatch, ResourceState, ResourceType } from "./resource-batch.ts";
import type { XdsStatus } from "./xds-status.ts";

export interface SubscriptionOptions {
  /** After this many milliseconds without an answer a resource is absent; 0 waits for ever. Default 15,000. */
  readonly initialFetchTimeoutMs?: number;
  /** Prefix of the subscription's stats, where the name alone does not tell. */
  readonly statPrefix?: string;
  /** Of `changes$`: the glob collection `xdstp://…/*` in place of everything (`*`). The first subscriber's counts. */
  readonly collection?: string | undefined;
}

export interface XdsClient extends Disposable {
  /**
   * Every batch of a type from now on, one at a time: the next response is not read before this one
   * is answered. Of a full-state type (LDS, CDS, SRDS) it subscribes to all of them (`*`), and begins with
   * what is held already.
   */
  changes$<T>(type: ResourceType<T>, options?: SubscriptionOptions): Observable<ResourceBatch<T>>;
  /** Starts with what is known now, then every change; never ends or fails by itself. */
  resource$<T>(
    type: ResourceType<T>,
    name: string,
    options?: SubscriptionOptions,
  ): Observable<ResourceState<T>>;
  /**
   * Settles at the first answer to the `*` subscription of a type, good or bad, or when it timed out:
   * start-up never hangs on a bad push. Never rejects.
   */
  whenAnswered(type: ResourceType<unknown>): Promise<"answered" | "timeout">;
  /** Settles at the first answer of the type that was taken with an ACK, which may never come. Never rejects. */
  whenAccepted(type: ResourceType<unknown>): Promise<void>;
  status(): XdsStatus;
}
