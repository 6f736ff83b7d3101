/** Connections that listener filters still look at count in drains as all others do. */
import assert from "node:assert/strict";
import type { ListenerConfig } from "../../../src/shared/config/listener-config.ts";
import {
  httpInspectorStats,
  listenerFilterPrefixes,
} from "../../../src/shared/stats/listener-filter-stats.ts";
import { listenerStats } from "../../../src/shared/stats/stat-names.ts";
import { clusterConfig, hostConfig } from "../../support/cluster-fixture.ts";
import { listenerConfig } from "../../support/listener-fixture.ts";
import { TestClient, startUpstream } from "../../support/tcp-peers.ts";
import {
  type TestListener,
  type TestWorkers,
  forEachWorkerKind,
} from "../../support/test-workers.ts";

async function start(
  workers: TestWorkers,
  overrides: Partial<ListenerConfig> = {},
): Promise<TestListener> {
  const prefix = listenerFilterPrefixes.httpInspector;
  const listenerFilters = [[prefix, workers.block(httpInspectorStats)]] as const;
  return workers.addListener(
    listenerConfig({
      listenerFilters: [
        { name: "http", disabledFor: undefined, filter: { kind: "httpInspector" } },
      ],
      listenerFiltersTimeoutMs: 0,
      ...overrides,
    }),
    { slots: { ...workers.slots({}), listenerFilters } },
  );
}

/** Connected, and silent: the filter waits for it. */
async function silentClients(
  workers: TestWorkers,
  { port, slots }: TestListener,
  count: number,
): Promise<TestClient[]> {
  const clients = Array.from({ length: count }, () => new TestClient(port));
  await workers.untilCounted(
    () => workers.stat(listenerStats, slots.listener, "downstream_pre_cx_active") === count,
  );
  return clients;
}

forEachWorkerKind(
  "who waits in listener filters is in the drain, and is served in it",
  {},
  async (workers) => {
    await using upstream = await startUpstream();
    workers.setCluster(clusterConfig(), [hostConfig(upstream.port)]);
    const listener = await start(workers);
    const [speaks, leaves] = await silentClients(workers, listener, 2);
    assert(speaks && leaves);
    await workers.stopListener(listener);
    const drain = workers.startDrain(listener, { durationMs: 60_000 });
    await workers.untilTrue(() => workers.drainCounts(drain)?.remaining === 2);
    leaves.socket.destroy();
    await workers.untilTrue(() => workers.drainCounts(drain)?.closedByPeer === 1);
    await speaks.echo("not HTTP, and longer than its preface\r\n");
    assert.equal(workers.drainCounts(drain)?.remaining, 1);
    speaks.socket.end();
    await workers.untilTrue(() => workers.drainCounts(drain)?.remaining === 0);
    const { atStart, finished, closedByPeer, forced } = workers.drainCounts(drain) ?? {};
    assert.equal(atStart, 2);
    assert.deepEqual([(finished ?? 0) + (closedByPeer ?? 0), forced], [2, 0]);
    await workers.removeListener(listener);
  },
);

forEachWorkerKind(
  "who waits in listener filters at the deadline is cut, and counts as that",
  {},
  async (workers) => {
    const listener = await start(workers);
    const clients = await silentClients(workers, listener, 3);
    const drain = workers.startDrain(listener, { durationMs: 100 });
    await workers.untilTrue(() => workers.drainCounts(drain)?.forced === 3);
    await Promise.all(clients.map((client) => client.ended()));
    assert.equal(workers.drainCounts(drain)?.remaining, 0);
    assert.equal(
      workers.stat(listenerStats, listener.slots.listener, "downstream_pre_cx_active"),
      0,
    );
    assert.equal(workers.sharedLimit(listener.slots.connectionCount), 0);
  },
);

forEachWorkerKind(
  "a listener that goes closes who waits, and its drain says so",
  {},
  async (workers) => {
    const listener = await start(workers);
    const clients = await silentClients(workers, listener, 3);
    const drain = workers.startDrain(listener, { durationMs: 60_000 });
    await workers.untilTrue(() => workers.drainCounts(drain)?.remaining === 3);
    await workers.stopListener(listener);
    await workers.removeListener(listener);
    await Promise.all(clients.map((client) => client.ended()));
    await workers.untilTrue(() => workers.drainCounts(drain)?.forced === 3);
    assert.equal(workers.sharedLimit(listener.slots.connectionCount), 0);
  },
);
