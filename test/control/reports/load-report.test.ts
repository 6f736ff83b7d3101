import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { ClusterLoad } from "../../../src/control/cluster/cluster-view.ts";
import type { HostCounts } from "../../../src/control/cluster/host-counters.ts";
import {
  type LoadCounters,
  markLoad,
  reportLoad,
} from "../../../src/control/reports/load-report.ts";
import type { HostConfig } from "../../../src/shared/config/cluster-config.ts";
import { clusterConfig, hostConfig } from "../../support/cluster-fixture.ts";

const none: HostCounts = {
  cxTotal: 0,
  cxActive: 0,
  cxConnectFail: 0,
  rqTotal: 0,
  rqActive: 0,
  rqPendingActive: 0,
  rqSuccess: 0,
  rqError: 0,
  rqTimeout: 0,
};

const zone = (name: string) => ({ locality: { region: "r", zone: name, subZone: "" } });

/** Hosts in blocks 1, 2, …; what stands in them is the test's to change. */
function cluster(hosts: readonly HostConfig[], config = {}) {
  const values = new Map<number, HostCounts>();
  const load: ClusterLoad = {
    config: clusterConfig(config),
    hosts,
    hostBlocks: hosts.map((_, i) => i + 1),
    stats: 100,
  };
  const counters: LoadCounters = {
    host: (block) => values.get(block) ?? none,
    dropped: () => values.get(100)?.rqTotal ?? 0,
  };
  const add = (block: number, counts: Partial<HostCounts>): void => {
    const before = values.get(block) ?? none;
    const sums = Object.entries(counts).map(([name, count]) => [
      name,
      before[name as keyof HostCounts] + count,
    ]);
    values.set(block, { ...before, ...Object.fromEntries(sums) });
  };
  return { load, values, add, mark: (atMs: number) => markLoad(load, counters, atMs) };
}

test("hosts are summed by locality and priority, and quiet ones are left out", () => {
  const { load, add, mark } = cluster([
    hostConfig(1, zone("a")),
    hostConfig(2, zone("a")),
    hostConfig(3, { ...zone("a"), priority: 1 }),
    hostConfig(4, zone("b")),
    hostConfig(5),
  ]);
  add(1, { rqTotal: 50, rqSuccess: 50 });
  const from = mark(1_000);
  add(1, { rqTotal: 2, rqSuccess: 2 });
  add(2, { rqTotal: 3, rqError: 1, rqActive: 2 });
  add(3, { rqError: 1 });
  add(5, { rqActive: 1 });
  add(100, { rqTotal: 4 });
  const report = reportLoad(load, from, mark(3_500), false);
  assert.deepEqual(report, {
    cluster: "c",
    serviceName: "",
    dropped: 4,
    intervalMs: 2_500,
    localities: [
      {
        locality: { region: "r", zone: "a", subZone: "" },
        priority: 0,
        load: { successful: 2, error: 1, issued: 5, inProgress: 2 },
        endpoints: [],
      },
      {
        locality: { region: "r", zone: "a", subZone: "" },
        priority: 1,
        load: { successful: 0, error: 1, issued: 0, inProgress: 0 },
        endpoints: [],
      },
      {
        locality: { region: "", zone: "", subZone: "" },
        priority: 0,
        load: { successful: 0, error: 0, issued: 0, inProgress: 1 },
        endpoints: [],
      },
    ],
  });
  const [byHost] = reportLoad(load, from, mark(3_500), true).localities;
  assert.deepEqual(
    byHost?.endpoints.map(({ load: { issued } }) => issued),
    [2, 3],
  );
});

test("the service's name is said where it is another", () => {
  const named = (serviceName: string): string => {
    const { load, mark } = cluster([], { discovery: { kind: "eds", serviceName } });
    return reportLoad(load, mark(0), mark(1), false).serviceName;
  };
  assert.equal(named("c"), "");
  assert.equal(named("other"), "other");
});

test("a host whose counters began anew is reported from zero", () => {
  const { load, add, mark, values } = cluster([hostConfig(1)]);
  add(1, { rqTotal: 10, rqSuccess: 10 });
  const from = mark(0);
  values.set(1, { ...none, rqTotal: 3, rqSuccess: 2 });
  const [locality] = reportLoad(load, from, mark(1), false).localities;
  assert.deepEqual(locality?.load, { successful: 2, error: 0, issued: 3, inProgress: 0 });
});

test("however time is cut, reports add up to what happened", () => {
  const event = fc.record({
    host: fc.integer({ min: 1, max: 3 }),
    outcome: fc.constantFrom("rqSuccess" as const, "rqError" as const, undefined),
    isReported: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(event), (events) => {
      const { load, add, mark } = cluster([1, 2, 3].map((port) => hostConfig(port)));
      const sums = { successful: 0, error: 0, issued: 0 };
      let from = mark(0);
      const report = (): void => {
        const to = mark(from.atMs + 1);
        for (const { load: part } of reportLoad(load, from, to, false).localities) {
          sums.successful += part.successful;
          sums.error += part.error;
          sums.issued += part.issued;
        }
        from = to;
      };
      for (const { host, outcome, isReported } of events) {
        add(host, { rqTotal: 1, ...(outcome && { [outcome]: 1 }) });
        if (isReported) report();
      }
      report();
      const count = (wanted: string) => events.filter(({ outcome }) => outcome === wanted).length;
      assert.deepEqual(sums, {
        successful: count("rqSuccess"),
        error: count("rqError"),
        issued: events.length,
      });
    }),
  );
});
