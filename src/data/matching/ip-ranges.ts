/**
 * Ranges of addresses: longest prefix first, then in the order of the configuration (Envoy: `IpRangeMatcher`). One look-up a
 * distinct length, as in the match of filter chains.
 */
import type { CidrRange } from "../../shared/config/cidr-range.ts";
import { parseIp, prefixKey } from "../network/ip-prefix.ts";
import type { Evaluate, FindByValue } from "./evaluate.ts";

export interface CompiledRange<D, A> {
  readonly ranges: readonly CidrRange[];
  readonly isExclusive: boolean;
  readonly evaluate: Evaluate<D, A>;
}

export function compileIpRanges<D, A>(entries: readonly CompiledRange<D, A>[]): FindByValue<D, A> {
  const table = new PrefixTable<CompiledRange<D, A>>();
  for (const entry of entries) for (const range of entry.ranges) table.add(range, entry);
  return (value, data) => {
    let isMostSpecific = true;
    for (const entry of table.holding(value)) {
      const found = entry.isExclusive && !isMostSpecific ? undefined : entry.evaluate(data);
      if (found !== undefined) return found;
      isMostSpecific = false;
    }
    return undefined;
  };
}

/** Whether an address lies in one of the ranges; what is no address does not. */
export function compileIpSet(ranges: readonly CidrRange[]): (value: string) => boolean {
  const table = new PrefixTable<true>();
  for (const range of ranges) table.add(range, true);
  return (value) => table.holding(value).next().done !== true;
}

class PrefixTable<T> {
  readonly #byPrefix = new Map<string, T[]>();
  /** By family; longest first. */
  readonly #lengths: Record<4 | 6, number[]> = { 4: [], 6: [] };

  add({ ip, prefixLength }: CidrRange, value: T): void {
    const address = parseIp(ip);
    if (!address) return;
    const key = prefixKey(address, prefixLength);
    const values = this.#byPrefix.get(key);
    if (values) values.push(value);
    else this.#byPrefix.set(key, [value]);
    const lengths = this.#lengths[address.family];
    if (lengths.includes(prefixLength)) return;
    lengths.push(prefixLength);
    lengths.sort((a, b) => b - a);
  }

  /** What was added for prefixes of the address, the longest first. */
  *holding(ip: string): Generator<T> {
    const address = parseIp(ip);
    if (!address) return;
    for (const length of this.#lengths[address.family])
      yield* this.#byPrefix.get(prefixKey(address, length)) ?? [];
  }
}
