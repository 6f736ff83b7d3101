import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { forEachWorkerKind } from "../../support/test-workers.ts";
import { clusterConfig, hostConfig } from "../../support/cluster-fixture.ts";
import { listenerConfig, tcpChain } from "../../support/listener-fixture.ts";
import { startUpstream, TestClient } from "../../support/tcp-peers.ts";
import { clusterStats, listenerStats, tcpStats } from "../../../src/shared/stats/stat-names.ts";
import { blockOf } from "../../../src/shared/protocol/worker-command.ts";

const sha = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

forEachWorkerKind(
  "bytes arrive exactly, both ways, then both FINs",
  { isShared: true },
  async (workers) => {
    await using upstream = await startUpstream();
    const cluster = workers.setCluster(clusterConfig(), [hostConfig(upstream.port)]);
    const listener = await workers.addListener(listenerConfig());
    for (const size of [1, 1_000, 5_000_000]) {
      const client = new TestClient(listener.port);
      const bytes = randomBytes(size);
      client.socket.end(bytes);
      await client.until(() => client.hasClosed);
      assert.equal(client.error, undefined);
      assert.equal(sha(client.received), sha(bytes));
    }
    const tcp = blockOf(listener.slots.tcp, "t");
    await workers.untilCounted(
      () => workers.stat(listenerStats, listener.slots.listener, "downstream_cx_active") === 0,
    );
    assert.equal(workers.stat(tcpStats, tcp, "downstream_cx_total"), 3);
    assert.equal(workers.stat(tcpStats, tcp, "downstream_cx_rx_bytes_total"), 5_001_001);
    assert.equal(workers.stat(tcpStats, tcp, "downstream_cx_tx_bytes_total"), 5_001_001);
    await workers.untilCounted(
      () => workers.stat(clusterStats, cluster.stats, "upstream_cx_active") === 0,
    );
    assert.equal(workers.stat(clusterStats, cluster.stats, "upstream_cx_total"), 3);
    assert.equal(
      workers.stat(clusterStats, cluster.stats, "upstream_cx_rx_bytes_total"),
      5_001_001,
    );
    assert.equal(workers.sharedLimit(cluster.limits), 0);
    assert.equal(workers.sharedLimit(listener.slots.connectionCount), 0);
  },
);

forEachWorkerKind(
  "no cluster, no host, a refused host: each ends and is counted",
  { isShared: true },
  async (workers) => {
    const upstream = await startUpstream();
    const refused = upstream.port;
    await upstream[Symbol.asyncDispose]();
    const empty = workers.setCluster(clusterConfig({ name: "empty" }), []);
    const dead = workers.setCluster(clusterConfig({ name: "dead" }), [hostConfig(refused)]);
    const proxied = async (cluster: string, maxConnectAttempts = 1) => {
      const chain = tcpChain(cluster, {
        clusters: [{ name: cluster, weight: 1 }],
        maxConnectAttempts,
      });
      const listener = await workers.addListener(listenerConfig({ filterChains: [chain] }));
      const client = new TestClient(listener.port);
      await client.ended();
      return listener;
    };
    const missing = await proxied("missing");
    const { tcp } = missing.slots;
    assert.equal(workers.stat(tcpStats, blockOf(tcp, "t"), "downstream_cx_no_route"), 1);
    await proxied("empty");
    assert.equal(workers.stat(clusterStats, empty.stats, "upstream_cx_none_healthy"), 1);
    await proxied("dead", 3);
    assert.equal(workers.stat(clusterStats, dead.stats, "upstream_cx_connect_fail"), 3);
    assert.equal(
      workers.stat(clusterStats, dead.stats, "upstream_cx_connect_attempts_exceeded"),
      1,
    );
    assert.equal(workers.stat(clusterStats, dead.stats, "upstream_rq_pending_active"), 0);
  },
);

forEachWorkerKind(
  "max_connections is exact over all workers",
  { isShared: true },
  async (workers) => {
    await using upstream = await startUpstream();
    const breakers = { maxConnections: 3, maxPendingRequests: 1, maxRequests: 1, maxRetries: 1 };
    const circuitBreakers = { default: breakers, high: breakers };
    const cluster = workers.setCluster(clusterConfig({ circuitBreakers }), [
      hostConfig(upstream.port),
    ]);
    const listener = await workers.addListener(listenerConfig());
    const clients = Array.from({ length: 8 }, () => new TestClient(listener.port));
    for (const client of clients) client.socket.write("x");
    await Promise.all(
      clients.map((c) => c.until(() => c.receivedBytes > 0 || c.hasEnded || c.hasClosed)),
    );
    assert.equal(clients.filter((client) => client.receivedBytes > 0).length, 3);
    assert.equal(workers.stat(clusterStats, cluster.stats, "upstream_cx_overflow"), 5);
    for (const client of clients) client.socket.destroy();
    await workers.untilCounted(() => workers.sharedLimit(cluster.limits) === 0);
  },
);

forEachWorkerKind(
  "an idle connection ends at the idle timeout, an active one does not",
  { isShared: true },
  async (workers) => {
    await using upstream = await startUpstream();
    workers.setCluster(clusterConfig(), [hostConfig(upstream.port)]);
    const chain = tcpChain("idle", { idleTimeoutMs: 200 });
    const listener = await workers.addListener(listenerConfig({ filterChains: [chain] }));
    const idle = new TestClient(listener.port);
    const active = new TestClient(listener.port);
    await idle.echo("hello");
    while (!idle.hasEnded && !idle.hasClosed) await active.echo("x");
    assert.equal(active.hasEnded, false);
    assert.equal(workers.stat(tcpStats, blockOf(listener.slots.tcp, "t"), "idle_timeout"), 1);
    active.socket.destroy();
  },
);

forEachWorkerKind(
  "a connection ends at its maximum duration although it is busy",
  { isShared: true },
  async (workers) => {
    await using upstream = await startUpstream();
    workers.setCluster(clusterConfig(), [hostConfig(upstream.port)]);
    const chain = tcpChain("short", { maxDownstreamConnectionDurationMs: 200 });
    const listener = await workers.addListener(listenerConfig({ filterChains: [chain] }));
    const client = new TestClient(listener.port);
    client.socket.on("data", () => client.socket.writable && client.socket.write("x"));
    client.socket.write("x");
    await client.ended();
    const tcp = blockOf(listener.slots.tcp, "t");
    assert.equal(workers.stat(tcpStats, tcp, "max_downstream_connection_duration"), 1);
  },
);

forEachWorkerKind(
  "a reset of either side resets the other",
  { isShared: true },
  async (workers) => {
    await using upstream = await startUpstream((socket) => {
      socket.on("data", () => socket.resetAndDestroy());
    });
    workers.setCluster(clusterConfig(), [hostConfig(upstream.port)]);
    const listener = await workers.addListener(listenerConfig());
    const client = new TestClient(listener.port);
    client.socket.write("x");
    await client.until(() => client.hasClosed);
    assert.equal(client.error, "ECONNRESET");
  },
);
