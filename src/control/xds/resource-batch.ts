/**
 * What `xds/` hands to managers. It knows that some types are complete lists (LDS, CDS: absent means
 * removed), never what a listener is.
 */
import type { DecodeResult } from "../proto/decode-result.ts";

export interface ResourceType<T> {
  readonly typeUrl: string;
  /** `LDS`, for logs and names of stats. */
  readonly shortName: string;
  /** In the state of the world a missing resource was removed, and one subscription covers all (`*`). */
  readonly isFullState: boolean;
  /** Reads one resource; never throws. */
  decode(bytes: Uint8Array): DecodeResult<T>;
}

export interface Resource<T> {
  readonly name: string;
  readonly version: string;
  /** As received; equal bytes are never delivered twice. */
  readonly bytes: Uint8Array;
  readonly value: T;
}

/** One response's worth of change. The ACK or NACK goes out when every observer is done with it. */
export interface ResourceBatch<T> {
  readonly version: string;
  readonly changed: readonly Resource<T>[];
  readonly removed: readonly string[];
  /** A resource that decoded but could not be applied (address in use): joins the NACK. */
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
