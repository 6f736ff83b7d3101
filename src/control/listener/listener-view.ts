/**
 * What the listener manager shows of itself: to `/config_dump`, `/listeners` and `/init_dump`. Snapshots: made
 * when somebody asks, never updated. Unlike Envoy's dump, every draining version is in it.
 */
import type { SocketAddress } from "../../shared/common/address.ts";
import type { ListenerTag } from "../../shared/common/brand.ts";

/**
 * How an update was taken, from least to most disturbing. `equivalent`: other bytes, same meaning, nothing
 * is told to workers. `live`: open connections take it up, nothing drains. `filterChains`: in place, only removed
 * chains drain. `full`: the old version drains.
 */
export type UpdateClass = "new" | "equivalent" | "live" | "filterChains" | "full";

export interface ListenerView {
  readonly name: string;
  readonly tag: ListenerTag;
  readonly state: "warming" | "active" | "draining";
  /** 1 for the first version under this name, then one more for each that was applied. */
  readonly generation: number;
  /** The xDS version that brought it; empty for listeners of the bootstrap. */
  readonly version: string;
  readonly isStatic: boolean;
  /** As configured, the main address first. */
  readonly addresses: readonly SocketAddress[];
  /** As bound, in the same order; empty where it does not bind (`bind_to_port: false`). */
  readonly localAddresses: readonly SocketAddress[];
  /** What a warming listener waits for: `rds <name>`, `workers`. Empty otherwise. */
  readonly awaiting: readonly string[];
  /** It no longer accepts since `/drain_listeners`; its connections live on. */
  readonly isStopped: boolean;
  readonly trafficDirection: "unspecified" | "inbound" | "outbound";
  /** How this version came to be, and the fields that said so. */
  readonly updateClass: UpdateClass;
  readonly changed: readonly string[];
  /** The `envoy.config.listener.v3.Listener` as received. */
  readonly bytes: Uint8Array;
  /** Milliseconds since 1970. */
  readonly lastUpdatedMs: number;
}

/** The last attempt under a name that was refused; gone with the next update that is processed. */
export interface ListenerErrorView {
  readonly name: string;
  readonly version: string;
  readonly details: string;
  readonly bytes: Uint8Array;
  /** Milliseconds since 1970. */
  readonly lastAttemptMs: number;
}

export interface ListenersView {
  /** Of the last batch of which anything was applied, even if the rest was refused. */
  readonly version: string;
  /** Warming, then active, then draining; within a set in order of addition. */
  readonly listeners: readonly ListenerView[];
  readonly errors: readonly ListenerErrorView[];
  /** Taken with an ACK and not applied, with the reason: the bootstrap's name, or listeners are stopped. */
  readonly skipped: readonly ListenerErrorView[];
}
