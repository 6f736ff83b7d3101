/** A name from outside as part of a stat's name (Envoy: `Stats::Utility::sanitizeStatsName`): without colons. */
export function sanitizeStatsName(name: string): string {
  return name.replaceAll(/:\/\/|:\/|:/g, "_");
}
