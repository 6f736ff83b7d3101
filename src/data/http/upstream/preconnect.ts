/**
 * When a pool needs one connection more: Envoy's `ConnPoolImplBase::shouldConnect`. With a ratio of 1 it is when more wait
 * than will find room; above it connections are there before their requests (`preconnect_policy`).
 */

/** Envoy's: what one event may open at most. */
export const connectionsAtOnceMax = 3;

export interface PoolLoad {
  /** Requests that have no connection yet. */
  readonly waiting: number;
  /** Requests under way. */
  readonly active: number;
  /** What open connections, and those that are being opened, could take beside that. */
  readonly room: number;
}

export function needsConnection({ waiting, active, room }: PoolLoad, ratio: number): boolean {
  return (waiting + active) * ratio > room + active;
}
