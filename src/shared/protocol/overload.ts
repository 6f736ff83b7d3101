/**
 * The state of overload actions and load shed points, from main to the workers, in the shared limits: main writes how
 * far each is on, workers look where it matters. A look is one load from an array.
 */
import type { Random } from "../common/random.ts";
import { limitLayout } from "./worker-init.ts";

/** Places in the shared limits, from `limitLayout.overload` on. */
const places = {
  stopAcceptingRequests: 0,
  rejectIncomingConnections: 1,
  disableHttpKeepalive: 2,
  tcpListenerAccept: 3,
  decodeHeaders: 4,
  /** Not a scale: the most connections of the process; 0: no resource monitor says. */
  connectionsMax: 5,
} as const;

export type OverloadSwitch = Exclude<keyof typeof places, "connectionsMax">;

/** What is written for an action that is saturated; 0: it is off. */
export const overloadScale = 10_000;

export function overloadPlace(name: keyof typeof places): number {
  return limitLayout.overload + places[name];
}

/** What one listener's part of the data path asks. */
export interface Overload {
  /** Whether the switch is on for this one request or connection: by chance, where it is on in part. */
  isOn(name: OverloadSwitch): boolean;
}

export class OverloadState implements Overload {
  readonly #limits: Int32Array;
  readonly #random: Random;

  constructor(limits: Int32Array, random: Random) {
    this.#limits = limits;
    this.#random = random;
  }

  isOn(name: OverloadSwitch): boolean {
    const scale = this.#limits[limitLayout.overload + places[name]] as number;
    // Fakes of tests have no such place.
    if (!(scale > 0)) return false;
    return scale >= overloadScale || this.#random.next() * overloadScale < scale;
  }
}

/** Blocks that workers count into, where nothing is configured: the sink. */
export const noOverloadSlots = { connections: 0, accept: 0, headers: 0 } as const;

/** Of listeners with `bypass_overload_manager`. */
export const neverOverloaded: Overload = { isOn: () => false };
