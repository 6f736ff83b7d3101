import assert from "node:assert/strict";
import http from "node:http";
import { test } from "node:test";
import type { ProxyProcess } from "../../support/proxy-process.ts";
import { fromAds, httpListener } from "../../support/truth-resources.ts";
import {
  clusterType,
  endpointType,
  fromOwnServer,
  startOnDemand,
} from "../../support/on-demand-stage.ts";
import { until } from "../../support/until.ts";

const types = "type.googleapis.com/envoy";
const filterType = `${types}.extensions.filters.http`;
const isOurs = process.env["SLUICE_TEST_PROXY"] === undefined;
const ours = { skip: !isOurs };

const onDemand = (odcds?: object): object => ({
  name: "od",
  typed_config: { "@type": `${filterType}.on_demand.v3.OnDemand`, ...(odcds && { odcds }) },
});
const router = { name: "r", typed_config: { "@type": `${filterType}.router.v3.Router` } };

/** Every request goes to the cluster that `x-cluster` names. */
const routesOf = (perRoute?: object): object => ({
  name: "routes",
  virtual_hosts: [
    {
      name: "all",
      domains: ["*"],
      routes: [
        {
          match: { prefix: "/" },
          route: { cluster_header: "x-cluster" },
          ...(perRoute && {
            typed_per_filter_config: {
              od: { "@type": `${filterType}.on_demand.v3.PerRouteConfig`, ...perRoute },
            },
          }),
        },
      ],
    },
  ],
});

const listenerOf = (odcds?: object, perRoute?: object): object =>
  httpListener("web", {
    upgrade_configs: [{ upgrade_type: "websocket" }],
    route_config: routesOf(perRoute),
    http_filters: [onDemand(odcds), router],
    access_log: [
      {
        name: "stdout",
        typed_config: {
          "@type": `${types}.extensions.access_loggers.stream.v3.StdoutAccessLog`,
          log_format: {
            text_format_source: {
              inline_string: "%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS%\n",
            },
          },
        },
      },
    ],
  });

interface Asked {
  readonly body?: string;
  readonly upgrade?: string;
  readonly signal?: AbortSignal;
}

/** The status. */
function ask(
  port: number,
  cluster: string,
  { body = "", upgrade, signal }: Asked = {},
): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const request = http.request(
    {
      host: "127.0.0.1",
      port,
      agent: false,
      method: body === "" ? "GET" : "POST",
      headers: { "x-cluster": cluster, ...(upgrade && { connection: "upgrade", upgrade }) },
      ...(signal && { signal }),
    },
    (response) => {
      response.resume();
      response.on("end", () => resolve(response.statusCode ?? 0));
    },
  );
  request.on("error", reject);
  request.end(body);
  return promise;
}

async function clusterNames(proxy: ProxyProcess): Promise<readonly string[]> {
  const dump = await proxy.admin("/config_dump?resource=dynamic_active_clusters");
  const { configs = [] } = JSON.parse(dump) as { configs?: { cluster: { name: string } }[] };
  return configs.map(({ cluster }) => cluster.name).toSorted();
}

test("a cluster that nobody knows is asked for, and the request goes on", async () => {
  await using open = new AsyncDisposableStack();
  const { server, proxy, port } = await startOnDemand(open, listenerOf({ source: fromAds }));
  assert.equal(await ask(port, "known"), 200);
  assert.deepEqual(await Promise.all([1, 2, 3].map(() => ask(port, "one"))), [200, 200, 200]);
  assert.equal(await ask(port, "two", { body: "x".repeat(100_000) }), 200);
  assert.deepEqual(
    server.subscribed(clusterType).filter((name) => name !== "*"),
    ["one", "two"],
  );
  assert.deepEqual(await clusterNames(proxy), ["known", "one", "two"]);
});

test("one whose hosts come by EDS is waited for until it has them", async () => {
  await using open = new AsyncDisposableStack();
  const { server, port } = await startOnDemand(open, listenerOf({ source: fromAds }));
  assert.equal(await ask(port, "eds.one"), 200);
  assert.deepEqual(server.subscribed(endpointType), ["eds.one"]);
});

test("a push of other clusters leaves it; its removal takes it", async () => {
  await using open = new AsyncDisposableStack();
  const { server, proxy, port, wrapped } = await startOnDemand(
    open,
    listenerOf({ source: fromAds }),
  );
  assert.equal(await ask(port, "one"), 200);
  await server.push(clusterType, {
    resources: [wrapped("other")],
    removed_resources: ["known"],
  });
  assert.equal(await ask(port, "one"), 200);
  await server.push(clusterType, { removed_resources: ["one"] });
  await until(async () => (await clusterNames(proxy)).join() === "other", "it is gone");
  assert.equal(server.nacks.length, 0, server.nacks.join("\n"));
});

test("one that does not exist is 503, as for a route without the filter", async () => {
  await using open = new AsyncDisposableStack();
  const { proxy, port } = await startOnDemand(open, listenerOf({ source: fromAds }));
  assert.equal(await ask(port, "gone"), 503);
  await until(() => Promise.resolve(proxy.log.includes("503 NC cluster_not_found")), "logged");
});

test("a server that is silent is waited for as long as the filter says", async () => {
  await using open = new AsyncDisposableStack();
  const { proxy, port } = await startOnDemand(
    open,
    listenerOf({ source: fromAds, timeout: "0.2s" }),
  );
  assert.equal(await ask(port, "silent"), 503);
  await until(() => Promise.resolve(proxy.log.includes("503 NC cluster_not_found")), "logged");
});

test("a route says otherwise: it asks where the filter does not, and the other way round", async () => {
  for (const [odcds, perRoute, status] of [
    [undefined, { odcds: { source: fromAds } }, 200],
    [{ source: fromAds }, {}, 503],
    [undefined, undefined, 503],
  ] as const) {
    await using open = new AsyncDisposableStack();
    const { port } = await startOnDemand(open, listenerOf(odcds, perRoute));
    assert.equal(await ask(port, "one"), status);
  }
});

test("a route of RDS says so too", async () => {
  await using open = new AsyncDisposableStack();
  const listener = httpListener("web", {
    rds: { route_config_name: "routes", config_source: fromAds },
    http_filters: [onDemand(), router],
  });
  const routes = routesOf({ odcds: { source: fromAds } });
  const { server, port } = await startOnDemand(open, listener, routes);
  assert.equal(await ask(port, "one"), 200);
  assert(server.subscribed(clusterType).includes("one"));
});

test("one of weighted clusters says otherwise than its route", async () => {
  const override = (odcds?: object): object => ({
    typed_per_filter_config: {
      od: { "@type": `${filterType}.on_demand.v3.PerRouteConfig`, ...(odcds && { odcds }) },
    },
  });
  const answers = async (ofCluster: object, ofRoute: object): Promise<number> => {
    await using open = new AsyncDisposableStack();
    const clusters = [{ name: "one", weight: 1, ...ofCluster }];
    const route = {
      match: { prefix: "/" },
      route: { weighted_clusters: { clusters } },
      ...ofRoute,
    };
    const listener = httpListener("web", {
      route_config: {
        name: "routes",
        validate_clusters: false,
        virtual_hosts: [{ name: "all", domains: ["*"], routes: [route] }],
      },
      http_filters: [onDemand(), router],
    });
    const { port } = await startOnDemand(open, listener);
    return await ask(port, "");
  };
  assert.equal(await answers(override({ source: fromAds }), override()), 200);
  assert.equal(await answers(override(), override({ source: fromAds })), 503);
});

test("clients that go are forgotten, and so is what they wanted", ours, async () => {
  await using open = new AsyncDisposableStack();
  const { server, proxy, port } = await startOnDemand(open, listenerOf({ source: fromAds }));
  const leaving = new AbortController();
  const { signal } = leaving;
  const asked = ["silent.a", "silent.a", "silent.b"].map((cluster) =>
    ask(port, cluster, { signal }).catch(() => "left"),
  );
  await server.until(() => server.subscribed(clusterType).includes("silent.b"));
  assert.equal(await proxy.stat("sluice.worker.on_demand_waiting"), 3);
  leaving.abort();
  assert.deepEqual(await Promise.all(asked), ["left", "left", "left"]);
  await server.until(() => server.unsubscribed(clusterType).length === 2);
  assert.deepEqual(server.unsubscribed(clusterType).toSorted(), ["silent.a", "silent.b"]);
  await until(
    async () => (await proxy.stat("sluice.worker.on_demand_waiting")) === 0,
    "none waits",
  );
});

test("subscriptions to single clusters are counted apart, and timeouts too", ours, async () => {
  await using open = new AsyncDisposableStack();
  const { proxy, port } = await startOnDemand(
    open,
    listenerOf({ source: fromAds, timeout: "0.2s" }),
  );
  assert.equal(await ask(port, "one"), 200);
  assert.equal(await ask(port, "silent"), 503);
  assert.equal(await proxy.stat("cluster_manager.odcds.update_success"), 1);
  assert.equal(await proxy.stat("sluice.odcds.timeouts"), 1);
});

test("clusters may have a server of their own", async () => {
  await using open = new AsyncDisposableStack();
  const { server, port } = await startOnDemand(open, listenerOf({ source: fromOwnServer }));
  assert.deepEqual(await Promise.all([ask(port, "one"), ask(port, "two")]), [200, 200]);
  assert.equal(await ask(port, "gone"), 503);
  assert.ok(server.paths.some((path) => path.endsWith("ClusterDiscoveryService/DeltaClusters")));
});

test("an upgrade with filters of its own asks if those say so", async () => {
  for (const [ofManager, ofUpgrade, status] of [
    [[], [onDemand({ source: fromAds })], 200],
    [[onDemand({ source: fromAds })], [], 503],
  ] as const) {
    await using open = new AsyncDisposableStack();
    const listener = httpListener("web", {
      upgrade_configs: [{ upgrade_type: "websocket", filters: [...ofUpgrade, router] }],
      route_config: routesOf(),
      http_filters: [...ofManager, router],
    });
    const { port } = await startOnDemand(open, listener);
    assert.equal(await ask(port, "one", { upgrade: "websocket" }), status);
    assert.equal(await ask(port, "two"), status === 200 ? 503 : 200);
  }
});

test("an upgrade that waits for its cluster is counted once", ours, async () => {
  await using open = new AsyncDisposableStack();
  const { port, proxy } = await startOnDemand(open, listenerOf({ source: fromAds }));
  // The host grants nothing.
  assert.equal(await ask(port, "one", { upgrade: "websocket" }), 200);
  assert.equal(await proxy.stat("http.web.downstream_cx_upgrades_total"), 1);
  await until(
    async () => (await proxy.stat("http.web.downstream_cx_upgrades_active")) === 0,
    "none is open",
  );
});
