/**
 * What a scenario saw of one proxy: under the name of each step, facts in words. Numbers, addresses and times that
 * differ from run to run must be made alike before they come here; two runs against one proxy give the same.
 */

/** By step, then by what was looked at. */
export type Observations = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** One thing that was seen otherwise at one step. */
export interface Difference {
  readonly step: string;
  readonly what: string;
  readonly envoy: string;
  readonly sluice: string;
}

/** Stands for what one of the two did not have at all. */
export const nothing = "-";

export class ObservationLog {
  readonly #steps: Record<string, Record<string, string>> = {};

  note(step: string, what: string, seen: string | number | boolean): void {
    const facts = (this.#steps[step] ??= {});
    if (what in facts) throw new Error(`${step}: "${what}" is noted twice`);
    facts[what] = String(seen);
  }

  get observations(): Observations {
    return this.#steps;
  }
}

export function differencesOf(envoy: Observations, sluice: Observations): Difference[] {
  return unionOf(envoy, sluice).flatMap((step) => {
    const [there = {}, here = {}] = [envoy[step], sluice[step]];
    return unionOf(there, here)
      .map((what) => ({
        step,
        what,
        envoy: there[what] ?? nothing,
        sluice: here[what] ?? nothing,
      }))
      .filter((seen) => seen.envoy !== seen.sluice);
  });
}

function unionOf(one: object, other: object): string[] {
  return [...new Set([...Object.keys(one), ...Object.keys(other)])];
}
