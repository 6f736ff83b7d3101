import type { Report, Result } from "../runner.ts";

/** What one measurement gave, by the name of the figure. */
export type Samples = Readonly<Record<string, { readonly unit: string; readonly value: number }>>;

export function ms(value: number): { readonly unit: string; readonly value: number } {
  return { unit: "ms", value };
}

/** Gathers samples by proxy and figure, in the order in which they came. */
export class SampleTable {
  readonly #byKey = new Map<string, Result & { samples: number[] }>();
  readonly #peakResidentMib: Record<string, number> = {};

  add(proxy: string, caseName: string, samples: Samples): void {
    for (const [figure, { unit, value }] of Object.entries(samples))
      this.#add({ proxy, case: `${caseName}: ${figure}`, unit }, value);
  }

  peaked(proxy: string, residentKib: number): void {
    const before = this.#peakResidentMib[proxy] ?? 0;
    this.#peakResidentMib[proxy] = Math.max(before, residentKib / 1024);
  }

  report(): Omit<Report, "versions"> {
    return { results: [...this.#byKey.values()], peakResidentMib: this.#peakResidentMib };
  }

  #add(result: Omit<Result, "samples">, value: number): void {
    const key = `${result.proxy} ${result.case}`;
    const known = this.#byKey.get(key) ?? { ...result, samples: [] };
    known.samples.push(value);
    this.#byKey.set(key, known);
  }
}
