/**
 * What a listener warms on and keeps subscribed while it lives, whoever brings it. The manager knows
 * leases alone; who serves which kind is decided where the server is put together.
 */
import type { ListenerDependency } from "../config/decoded-listener.ts";

export interface DependencyLease extends Disposable {
  /** It came, was refused, or did not come in time: each ends the wait. */
  readonly isReady: boolean;
  /** Clusters that what came points at; a replacement of a serving listener waits for them too. */
  readonly clusterNames: readonly string[];
  /**
   * A worker is about to get the listener's configuration: from now on it is told what the lease holds. Absent where
   * every worker is told as it comes.
   */
  provideTo?(worker: number): void;
}

/**
 * Subscribes, or joins who has. `onReady` is called once, at the first word of any kind, and not at all when the
 * lease is ready when it is returned.
 */
export type AcquireDependency = (
  dependency: ListenerDependency,
  onReady: () => void,
  owner?: DependencyOwner,
) => DependencyLease;

/** The listener; a filter that came by itself has none. */
export interface DependencyOwner {
  /** `listener.<address>.` */
  readonly statPrefix: string;
}
