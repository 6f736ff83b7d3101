import { randomFillSync } from "node:crypto";

/** The only door to chance, so that a test or a simulation can replay it from a seed. */
export interface Random {
  /** Uniform over [0, 1). */
  next(): number;
  /** Fills `bytes` with bytes that an outsider cannot predict. */
  fill(bytes: Uint8Array): void;
}

export const systemRandom: Random = {
  next: () => Math.random(),
  fill: (bytes) => void randomFillSync(bytes),
};
