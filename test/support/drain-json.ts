import type { CountsJson, DrainJson } from "../../src/cli/drains/drain-json.ts";

/** A drain as `/drains` tells it; it began at 1970-01-01T00:00:00Z and has a minute. */
export function drainJson(
  overrides: Partial<Omit<DrainJson, "connections">> & {
    readonly connections?: Partial<CountsJson>;
  } = {},
): DrainJson {
  const { connections = {}, ...rest } = overrides;
  return {
    id: 1,
    cause: "admin",
    listener: "a",
    version: "v1",
    filter_chains: null,
    percent: null,
    state: "draining",
    started_at: "1970-01-01T00:00:00.000Z",
    deadline: "1970-01-01T00:01:00.000Z",
    ended_at: null,
    ended_by: null,
    strategy: "gradual",
    policy: { time: "60s", strategy: "gradual", idle: "spread" },
    update_class: null,
    changed: [],
    connections: {
      at_start: 4,
      notified: 2,
      finished: 1,
      closed_by_peer: 0,
      forced: 0,
      remaining: 0,
      ...connections,
    },
    by_protocol: {},
    ...rest,
  };
}
