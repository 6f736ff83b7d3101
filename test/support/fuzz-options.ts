/**
 * How long each property is fuzzed, for `fc.assert`: enough to meet what the last change broke, as each run takes other
 * seeds. Longer by `SLUICE_FUZZ_MS`; a failure prints seed and path for `fc.assert`'s parameters.
 */
export const fuzzOptions = {
  numRuns: Number.MAX_SAFE_INTEGER,
  interruptAfterTimeLimit: Number(process.env["SLUICE_FUZZ_MS"] ?? 1_000),
  markInterruptAsFailure: false,
};
