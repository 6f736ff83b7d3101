/**
 * What is true of every resource at this moment, for `/config_dump` and for a person who asks why a
 * push did not arrive (CSDS: `client_status`). Plain values: may be kept or printed.
 */
export interface XdsStatus {
  /** Where the stream goes: `xds_cluster 127.0.0.1:18000`. */
  readonly server: string;
  /** As the server calls itself; empty until it said so. */
  readonly serverIdentifier: string;
  readonly stream: StreamStatus;
  readonly types: readonly TypeStatus[];
}

export type StreamStatus =
  /** Nothing is subscribed yet. */
  | { readonly kind: "idle" }
  /** `reason`: why the attempt before it failed; empty where there was none. */
  | { readonly kind: "connecting"; readonly reason: string }
  | { readonly kind: "open" }
  | { readonly kind: "backingOff"; readonly retryInMs: number; readonly reason: string }
  | { readonly kind: "closed" };

export interface TypeStatus {
  readonly typeUrl: string;
  readonly shortName: string;
  /** The last accepted version; empty if there was none. */
  readonly version: string;
  /** Milliseconds since 1970 of the last accepted response; 0 if there was none. */
  readonly acceptedAtMs: number;
  /** The last answer was a NACK. */
  readonly nack: NackStatus | undefined;
  readonly resources: readonly ResourceStatus[];
}

export interface NackStatus {
  readonly version: string;
  /** As sent to the server. */
  readonly detail: string;
  /** Milliseconds since 1970. */
  readonly timeMs: number;
}

export interface ResourceStatus {
  readonly name: string;
  /**
   * `nacked`: the last one received was refused; `version` is then what still serves, or empty.
   * `unavailable`: the server said that it cannot give it (`resource_errors`).
   */
  readonly state: "requested" | "acked" | "nacked" | "absent" | "unavailable";
  readonly version: string;
  readonly errors: readonly string[];
  /** Milliseconds since 1970 that it has been so: when it was asked for, accepted, refused, missed. */
  readonly sinceMs: number;
  /** `nacked`: what was refused, beside what still serves. */
  readonly refused: RefusedStatus | undefined;
}

export interface RefusedStatus {
  readonly version: string;
  /** As received; empty where not even they could be told from the rest of the message. */
  readonly bytes: Uint8Array;
}
