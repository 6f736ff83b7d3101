/**
 * Runtime as code asks it (Envoy: `Runtime::Snapshot`): keys with the value that wins over all layers, as far as
 * it is a number of some kind. A snapshot never changes; a change is a new one.
 *
 * What one would get wrong: an integer is a percentage where a fraction is asked for, and a fraction is no integer.
 */

/** `millionths`: an `envoy.type.v3.FractionalPercent`, as a share of a million. */
export type RuntimeNumber = number | boolean | { readonly millionths: number };

/** A map, because keys are the control plane's: `__proto__` may be one. */
export type RuntimeValues = ReadonlyMap<string, RuntimeNumber>;

/** A value of the configuration that a runtime key may override. */
export interface RuntimeDefault {
  /** Empty: there is none. */
  readonly runtimeKey: string;
  readonly otherwise: number;
}

/** A switch. */
export interface RuntimeFlag {
  readonly runtimeKey: string;
  readonly otherwise: boolean;
}

export const noRuntimeValues: RuntimeValues = new Map();

const million = 1_000_000;

/** Only a boolean counts (Envoy: `getBoolean`). */
export function runtimeBoolean(
  values: RuntimeValues,
  { runtimeKey, otherwise }: RuntimeFlag,
): boolean {
  const value = values.get(runtimeKey);
  return typeof value === "boolean" ? value : otherwise;
}

/** A whole number from 0 on; anything else under the key does not count (Envoy: `getInteger`). */
export function runtimeInteger(
  values: RuntimeValues,
  { runtimeKey, otherwise }: RuntimeDefault,
): number {
  const value = values.get(runtimeKey);
  return isCount(value) ? value : otherwise;
}

/** A share of a million; an integer counts as percent, above 100 as all (Envoy: `featureEnabled`). */
export function runtimeMillionths(
  values: RuntimeValues,
  { runtimeKey, otherwise }: RuntimeDefault,
): number {
  const value = values.get(runtimeKey);
  if (typeof value === "object") return value.millionths;
  return isCount(value) ? Math.min(value * (million / 100), million) : otherwise;
}

function isCount(value: RuntimeNumber | undefined): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0;
}
