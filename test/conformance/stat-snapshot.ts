/** The statistics of a proxy that a scenario compares, as the change since the last look. */

/** Of listeners and what is seen of their connections. The admin's own connections are the test's. */
export const comparedStats = /^(listener_manager|listener|http|tcp|server)\./;

/**
 * What differs from run to run (sizes, times, hashes), or says of the process what is not a listener's doing.
 * Streams to management servers and counts of bytes belong to other tests.
 */
const notCompared = new RegExp(
  [
    String.raw`^(http|listener)\.admin\.`,
    String.raw`^http\.async-client\.`,
    // Whether the client's FIN comes within a second is the machine's doing.
    String.raw`downstream_cx_delayed_close_timeout`,
    // There they are set by a timer.
    String.raw`^server\.(?!live)`,
    String.raw`\.lds\.(update_time|update_attempt|version)`,
    String.raw`control_plane|bytes|_ms$|_us$|length|watchdog|buffered|duration`,
  ].join("|"),
);

export type Snapshot = ReadonlyMap<string, number>;

/** Worker by worker would differ from run to run: their sum does not. */
export function readSnapshot(text: string): Snapshot {
  const sums = new Map<string, number>();
  for (const line of text.split("\n")) {
    const [, name = "", value = ""] = /^(\S+): (\d+)$/.exec(line) ?? [];
    if (!comparedStats.test(name) || notCompared.test(name)) continue;
    const summed = name.replace(/\.worker_\d+\./, ".worker_*.");
    sums.set(summed, (sums.get(summed) ?? 0) + Number(value));
  }
  return sums;
}

/** `+1` or `-1` of each that has changed. One that has gone is passed over: with its listener all of its statistics go. */
export function changesBetween(before: Snapshot, after: Snapshot): ReadonlyMap<string, string> {
  const changes = new Map<string, string>();
  for (const [name, value] of after) {
    const change = value - (before.get(name) ?? 0);
    if (change !== 0) changes.set(name, change > 0 ? `+${change}` : String(change));
  }
  return changes;
}

export function isSame(one: Snapshot, other: Snapshot): boolean {
  return one.size === other.size && changesBetween(one, other).size === 0;
}
