import assert from "node:assert/strict";
import { clusterConfig, hostConfig } from "../../support/cluster-fixture.ts";
import { listenerConfig } from "../../support/listener-fixture.ts";
import { startUpstream, TestClient } from "../../support/tcp-peers.ts";
import {
  forEachWorkerKind,
  type TestListener,
  type TestWorkers,
} from "../../support/test-workers.ts";
import { limitLayout } from "../../../src/shared/protocol/worker-init.ts";
import { listenerStats, sluiceWorkerStats } from "../../../src/shared/stats/stat-names.ts";

function sharesOf(workers: TestWorkers, { slots }: TestListener): number[] {
  return [0, 1].map((worker) =>
    workers.stat(listenerStats, slots.listener, "downstream_cx_total", worker),
  );
}

function assertEven(shares: readonly number[], total: number): void {
  assert.equal((shares[0] ?? 0) + (shares[1] ?? 0), total);
  for (const share of shares) assert(share >= total * 0.45, `split ${shares.join(" : ")}`);
}

forEachWorkerKind(
  "200 connections one after the other split evenly, kept open or not",
  { only: "epoll" },
  async (workers) => {
    await using upstream = await startUpstream();
    workers.setCluster(clusterConfig(), [hostConfig(upstream.port)]);
    const short = await workers.addListener(listenerConfig());
    for (let i = 0; i < 200; i++) {
      const client = new TestClient(short.port);
      client.socket.end("x");
      await client.until(() => client.hasClosed);
      assert.equal(client.error, undefined);
    }
    assertEven(sharesOf(workers, short), 200);

    const kept = await workers.addListener(listenerConfig());
    const clients: TestClient[] = [];
    for (let i = 0; i < 200; i++) {
      const client = new TestClient(kept.port);
      clients.push(client);
      await client.echo("x");
    }
    assertEven(sharesOf(workers, kept), 200);
    assert(workers.stat(sluiceWorkerStats, workers.sluice, "connections_handed_over") > 0);
    for (const client of clients) client.socket.destroy();
  },
);

forEachWorkerKind("200 connections at once split evenly", { only: "epoll" }, async (workers) => {
  await using upstream = await startUpstream();
  workers.setCluster(clusterConfig(), [hostConfig(upstream.port)]);
  const listener = await workers.addListener(listenerConfig());
  const clients = Array.from({ length: 200 }, () => new TestClient(listener.port));
  await Promise.all(clients.map((client) => client.echo("x")));
  assertEven(sharesOf(workers, listener), 200);
  for (const client of clients) client.socket.destroy();
  await workers.untilCounted(() => workers.sharedLimit(0) + workers.sharedLimit(1) === 0);
  assert.equal(workers.sharedLimit(listener.slots.connectionCount), 0);
});

forEachWorkerKind(
  "the connection limit of a listener is exact over all workers",
  {},
  async (workers) => {
    await using upstream = await startUpstream();
    workers.setCluster(clusterConfig(), [hostConfig(upstream.port)]);
    const key = "envoy.resource_limits.listener.limited.connection_limit";
    workers.post({ kind: "setRuntime", values: new Map([[key, 5]]) });
    const slots = workers.slots({ name: "limited" });
    const listener = await workers.addListener(listenerConfig(), { slots });
    const clients = Array.from({ length: 12 }, () => new TestClient(listener.port));
    for (const client of clients) client.socket.write("x");
    await Promise.all(
      clients.map((client) =>
        client.until(() => client.receivedBytes > 0 || client.hasEnded || client.hasClosed),
      ),
    );
    assert.equal(clients.filter((client) => client.receivedBytes > 0).length, 5);
    assert.equal(workers.stat(listenerStats, slots.listener, "downstream_cx_overflow"), 7);
    for (const client of clients) client.socket.destroy();
    await workers.untilCounted(() => workers.sharedLimit(slots.connectionCount) === 0);
  },
);

forEachWorkerKind(
  "the limit of the process is exact over all listeners and workers, but for those that ignore it",
  {},
  async (workers) => {
    await using upstream = await startUpstream();
    workers.setCluster(clusterConfig(), [hostConfig(upstream.port)]);
    const key = "overload.global_downstream_max_connections";
    workers.post({ kind: "setRuntime", values: new Map([[key, 5]]) });
    const add = async (ignoresGlobalLimit: boolean) => {
      const slots = workers.slots({ ignoresGlobalLimit });
      return workers.addListener(listenerConfig(), { slots });
    };
    const [one, other, ignoring] = [await add(false), await add(false), await add(true)];
    const clients = Array.from({ length: 12 }, (_, index) => {
      return new TestClient((index % 2 === 0 ? one : other).port);
    });
    for (const client of clients) client.socket.write("x");
    await Promise.all(
      clients.map((client) =>
        client.until(() => client.receivedBytes > 0 || client.hasEnded || client.hasClosed),
      ),
    );
    assert.equal(clients.filter((client) => client.receivedBytes > 0).length, 5);
    const refused = [one, other].map(({ slots }) =>
      workers.stat(listenerStats, slots.listener, "downstream_global_cx_overflow"),
    );
    assert.equal(
      refused.reduce((sum, count) => sum + count),
      7,
    );
    const exempt = new TestClient(ignoring.port);
    await exempt.echo("served");
    for (const client of [...clients, exempt]) client.socket.destroy();
    const accepted = (): number => workers.sharedLimit(limitLayout.acceptedConnections);
    await workers.untilCounted(() => accepted() === 0);
    const late = new TestClient(one.port);
    await late.echo("served again");
    late.socket.destroy();
  },
);

forEachWorkerKind(
  "connections handed to a worker that does not know the listener yet are served",
  { only: "epoll" },
  async (workers) => {
    await using upstream = await startUpstream();
    workers.setCluster(clusterConfig(), [hostConfig(upstream.port)]);
    const listener = await workers.addListener(listenerConfig(), { worker: 0 });
    const clients = Array.from({ length: 20 }, () => new TestClient(listener.port));
    await Promise.all(clients.map((client) => client.echo("x")));
    assert.deepEqual(sharesOf(workers, listener), [20, 0]);
    assert(workers.stat(sluiceWorkerStats, workers.sluice, "connections_handed_over") > 0);
  },
);
