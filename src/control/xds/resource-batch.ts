/**
 * What `xds/` hands to managers. It knows that some types are complete lists (LDS, CDS, SRDS: absent means
 * removed), never what a listener is.
 */
import type { DecodeResult } from "../proto/decode-result.ts";

export interface ResourceType<T> {
  readonly typeUrl: string;
  /** `LDS`, for logs and names of stats. */
  readonly shortName: string;
  /** In the state of the world a missing resource was removed, and one subscription covers all (`*`). */
  readonly isFullState: boolean;
  /** The wrapper names it, and its own name is of another kind: virtual hosts. Such a type is served by delta alone. */
  readonly isNamedByWrapper?: boolean;
  /** Opens the detail of a NACK; if absent, Envoy's words for the type: `Error adding/updating listener(s) `. */
  readonly rejectionPrefix?: string;
  /**
   * Names a resource that has none; absent: such a one is refused. Of the state of the world alone: delta removes by
   * name, so there it could never be removed.
   */
  nameOfUnnamed?(bytes: Uint8Array): string;
  /** Reads one resource; never throws. */
  decode(bytes: Uint8Array): DecodeResult<T>;
  /**
   * Whether these bytes, which are those of what is held in another order, mean the same; then nobody hears of
   * them. Never throws. Absent: other bytes are another resource.
   */
  isEquivalent?(held: Uint8Array, received: Uint8Array): boolean;
}

export interface Resource<T> {
  readonly name: string;
  /** What it calls itself, where that is not its name: a plain name under an `xdstp` one. */
  readonly ownName?: string;
  readonly version: string;
  /** As received; equal bytes are never delivered twice, nor are those that mean the same. */
  readonly bytes: Uint8Array;
  readonly value: T;
}

/** A resource that came and was not applied; whatever was accepted before it stands. */
export interface RejectedResource {
  /** Empty if not even the name could be read. */
  readonly name: string;
  readonly version: string;
  readonly bytes: Uint8Array;
  readonly errors: readonly string[];
}

/**
 * One response's worth of change. The ACK or NACK goes out when every observer is done with it. A
 * response that changes nothing is a batch too, an empty one: errors of earlier ones end with it.
 */
export interface ResourceBatch<T> {
  readonly version: string;
  readonly changed: readonly Resource<T>[];
  /** As the resources called themselves. */
  readonly removed: readonly string[];
  /** Refused before anybody saw a value (unreadable, invalid, sent twice): to show, not to apply. */
  readonly rejected: readonly RejectedResource[];
  /** A resource, by either name, that decoded but could not be applied (address in use): joins the NACK. `""` refuses all. */
  refuse(name: string, message: string): void;
  /** Delays the ACK or NACK until the work is done. */
  waitFor(work: Promise<void>): void;
}

/** What is known of one named resource. */
export type ResourceState<T> =
  /** Asked for, nothing heard yet. */
  | { readonly kind: "requested" }
  | { readonly kind: "present"; readonly resource: Resource<T> }
  /** Removed by the server, or not sent within `initial_fetch_timeout`. */
  | { readonly kind: "absent"; readonly reason: "removed" | "timeout" }
  /** Refused, with nothing good before it; warming ends all the same. */
  | { readonly kind: "rejected"; readonly errors: readonly string[] };
