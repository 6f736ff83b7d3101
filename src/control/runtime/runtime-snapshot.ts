/**
 * Every layer with what it holds at one moment (Envoy: `SnapshotImpl`). Immutable: whoever holds one may compare it
 * with the next.
 */
import type { RuntimeNumber, RuntimeValues } from "../../shared/config/runtime-values.ts";
import type { RuntimeLayerValues, RuntimeValue } from "../config/runtime-layer.ts";

export interface LoadedLayer {
  readonly name: string;
  readonly values: RuntimeLayerValues;
}

export interface RuntimeSnapshot {
  /** In order, later ones over earlier ones. */
  readonly layers: readonly LoadedLayer[];
  readonly entries: ReadonlyMap<string, RuntimeValue>;
  /** Of the entries, those that code can ask for. */
  readonly values: RuntimeValues;
}

export function snapshotOf(layers: readonly LoadedLayer[]): RuntimeSnapshot {
  const entries = new Map<string, RuntimeValue>();
  for (const { values } of layers) for (const [key, value] of values) entries.set(key, value);
  const numbers = new Map<string, RuntimeNumber>();
  for (const [key, { number }] of entries) if (number !== undefined) numbers.set(key, number);
  return { layers, entries, values: numbers };
}
