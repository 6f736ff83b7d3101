/** The faults that are set, and how often each has been applied. */
import type { Fault } from "./fault.ts";

export interface BookedFault {
  readonly fault: Fault;
  readonly applied: number;
  /** `undefined`: until it is cleared. */
  readonly left: number | undefined;
}

export class FaultBook {
  #entries: { readonly fault: Fault; applied: number }[] = [];

  /** In place of all that were set before. */
  set(faults: readonly Fault[]): void {
    this.#entries = faults.map((fault) => ({ fault, applied: 0 }));
  }

  clear(): void {
    this.#entries = [];
  }

  /** Those that a response meets, in the order in which they were set; each is used up once. */
  take(typeUrl: string, node: string): readonly Fault[] {
    const met = this.#entries.filter(
      ({ fault, applied }) =>
        fault.kind !== "slow" &&
        (fault.typeUrl ?? typeUrl) === typeUrl &&
        (fault.node ?? node) === node &&
        applied < (fault.times ?? Infinity),
    );
    for (const entry of met) entry.applied++;
    return met.map(({ fault }) => fault);
  }

  /** How fast a connection that is opened now may be written to; `undefined`: as fast as it goes. */
  takeRate(): number | undefined {
    const slow = this.#entries.find(
      ({ fault, applied }) => fault.kind === "slow" && applied < (fault.times ?? Infinity),
    );
    if (slow) slow.applied++;
    return slow?.fault.bytesPerS;
  }

  list(): readonly BookedFault[] {
    return this.#entries.map(({ fault, applied }) => ({
      fault,
      applied,
      left: fault.times === undefined ? undefined : fault.times - applied,
    }));
  }
}
