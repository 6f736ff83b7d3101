import assert from "node:assert/strict";
import { test } from "node:test";
import { clusterType, fromOwnServer, startOnDemand } from "../../support/on-demand-stage.ts";
import { destroyClients, TestClient } from "../../support/tcp-peers.ts";
import { fromAds, httpListener } from "../../support/truth-resources.ts";
import { until } from "../../support/until.ts";

const ours = { skip: process.env["SLUICE_TEST_PROXY"] !== undefined };

/** To one cluster, or to several that connections have an equal chance of. */
function listenerOf(clusters: readonly string[], onDemand: object = { odcds_config: fromAds }) {
  const [cluster = ""] = clusters;
  const filter = {
    name: "tcp",
    typed_config: {
      "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
      stat_prefix: "demand",
      on_demand: onDemand,
      ...(clusters.length === 1
        ? { cluster }
        : { weighted_clusters: { clusters: clusters.map((name) => ({ name, weight: 1 })) } }),
    },
  };
  return httpListener("web", {}, { filter_chains: [{ filters: [filter] }] });
}

async function start(open: AsyncDisposableStack, listener: object) {
  const stage = await startOnDemand(open, listener);
  // Before the upstream, which would wait for them.
  open.defer(destroyClients);
  const counts = async (): Promise<readonly number[]> =>
    Promise.all(
      ["attempt", "success", "missing", "timeout"].map((name) =>
        stage.proxy.stat(`tcp.demand.on_demand_cluster_${name}`),
      ),
    );
  const noRoute = (): Promise<number> => stage.proxy.stat("tcp.demand.downstream_cx_no_route");
  return { ...stage, counts, noRoute };
}

test("connections wait for their cluster, and later ones find it", async () => {
  await using open = new AsyncDisposableStack();
  const { server, port, counts, noRoute } = await start(open, listenerOf(["one"]));
  const status = async (): Promise<number> => (await fetch(`http://127.0.0.1:${port}/`)).status;
  assert.deepEqual(await Promise.all([status(), status(), status()]), [200, 200, 200]);
  assert.equal(await status(), 200);
  assert.deepEqual(
    server.subscribed(clusterType).filter((name) => name !== "*"),
    ["one"],
  );
  const [attempts = 0, successes] = await counts();
  assert.equal(successes, attempts);
  assert.ok(attempts >= 1 && attempts <= 3);
  assert.equal(await noRoute(), 0);
});

test("one whose hosts come by EDS, one of several, one of a server of its own", async () => {
  for (const listener of [
    listenerOf(["eds.one"]),
    listenerOf(["a", "b"]),
    listenerOf(["one"], { odcds_config: fromOwnServer }),
  ]) {
    await using open = new AsyncDisposableStack();
    const { port } = await start(open, listener);
    assert.equal((await fetch(`http://127.0.0.1:${port}/`)).status, 200);
  }
});

test("one that does not exist closes the connection", async () => {
  await using open = new AsyncDisposableStack();
  const { port, counts, noRoute } = await start(open, listenerOf(["gone"]));
  await new TestClient(port).ended();
  assert.deepEqual(await counts(), [1, 0, 1, 0]);
  assert.equal(await noRoute(), 1);
});

test("a server that is silent is waited for as long as the filter says", async () => {
  await using open = new AsyncDisposableStack();
  const onDemand = { odcds_config: fromAds, timeout: "0.2s" };
  const { port, counts, noRoute } = await start(open, listenerOf(["silent"], onDemand));
  await new TestClient(port).ended();
  assert.deepEqual(await counts(), [1, 0, 0, 1]);
  assert.equal(await noRoute(), 1);
});

test("a client that goes is forgotten, and so is what it wanted", ours, async () => {
  await using open = new AsyncDisposableStack();
  const { server, proxy, port } = await start(open, listenerOf(["silent"]));
  const client = new TestClient(port);
  await server.until(() => server.subscribed(clusterType).includes("silent"));
  assert.equal(await proxy.stat("sluice.worker.on_demand_waiting"), 1);
  client.socket.resetAndDestroy();
  await server.until(() => server.unsubscribed(clusterType).includes("silent"));
  await until(
    async () => (await proxy.stat("sluice.worker.on_demand_waiting")) === 0,
    "none waits",
  );
});
