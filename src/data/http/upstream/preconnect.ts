/**
 * When one connection more is needed: Envoy's `ConnPoolImplBase::shouldConnect`. With a ratio of 1 it is when more wait
 * than will find room; above it connections are there before their requests (`preconnect_policy`).
 */

/** Envoy's: what one event may open at most. */
export const connectionsAtOnceMax = 3;

interface Demand {
  /** Requests that have no connection yet. */
  readonly waiting: number;
  /** Requests under way. */
  readonly active: number;
}

export interface PoolLoad extends Demand {
  /** What open connections, and those that are being opened, could take beside that. */
  readonly room: number;
}

export function needsConnection(load: PoolLoad, ratio: number): boolean {
  return roomWanted(load, ratio) > load.room;
}

export function roomWanted({ waiting, active }: Demand, ratio: number): number {
  return (waiting + active) * ratio - active;
}
