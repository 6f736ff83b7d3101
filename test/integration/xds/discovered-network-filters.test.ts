import assert from "node:assert/strict";
import { test } from "node:test";
import { HttpClient, startHttpUpstream } from "../../support/http-peers.ts";
import { ProxyProcess } from "../../support/proxy-process.ts";
import { PushingServer } from "../../support/pushing-server.ts";
import { extensionConfig, router } from "../../support/secret-resources.ts";
import { destroyClients, startUpstream, TestClient } from "../../support/tcp-peers.ts";
import {
  answersWith,
  dynamicBootstrap,
  fromAds,
  httpListener,
  routesTo,
  staticCluster,
} from "../../support/truth-resources.ts";
import { until } from "../../support/until.ts";

const isOurs = process.env["SLUICE_TEST_PROXY"] === undefined;
const types = "type.googleapis.com/envoy.extensions.filters.network";
const proxyUrl = `${types}.tcp_proxy.v3.TcpProxy`;
const managerUrl = `${types}.http_connection_manager.v3.HttpConnectionManager`;
const prefix = "extension_config_discovery.network_filter.e";

/** Of one filter, `e`, whose configuration comes by ECDS. */
function listenerOf(fields: object = {}, typeUrls = [proxyUrl, managerUrl]): object {
  const source = { config_source: fromAds, type_urls: typeUrls, ...fields };
  const filters = [{ name: "e", config_discovery: source }];
  return httpListener("l", {}, { filter_chains: [{ filters }] });
}

const tcpProxy = (cluster = "tcp"): object => ({
  "@type": proxyUrl,
  stat_prefix: "dynamic",
  cluster,
});

const manager = (routing: object): object => ({
  "@type": managerUrl,
  stat_prefix: "dynamic_http",
  http_filters: [router],
  ...routing,
});

const answering = (body: string): object => manager({ route_config: answersWith(body) });

async function start(open: AsyncDisposableStack, apiType = "GRPC") {
  open.defer(destroyClients);
  const tcp = open.use(await startUpstream());
  const http = open.use(await startHttpUpstream());
  const controlPlane = open.use(await PushingServer.start());
  for (const kind of ["clusters", "listeners"]) controlPlane.offer(kind, []);
  const bootstrap = dynamicBootstrap(controlPlane.address, apiType) as {
    static_resources: { clusters: object[] };
  };
  bootstrap.static_resources.clusters.push(
    staticCluster("tcp", tcp.port),
    staticCluster("http", http.port),
  );
  const proxy = open.use(await ProxyProcess.start(bootstrap));
  const port = (): Promise<number> =>
    until(async () => (await proxy.listenerPorts()).get("l"), "it serves");
  const push = (typedConfig: object): Promise<void> =>
    controlPlane.accepted("extension_configs", [extensionConfig("e", typedConfig)]);
  return { controlPlane, proxy, port, push };
}

test("a listener warms on its network filter; each new one is for new connections, and nothing drains", async () => {
  await using open = new AsyncDisposableStack();
  const { controlPlane, proxy, port, push } = await start(open);
  await controlPlane.accepted("listeners", [listenerOf()]);
  assert.equal(await proxy.stat("listener_manager.total_listeners_warming"), 1);
  assert.match(await proxy.admin("/init_dump"), isOurs ? /"ecds e"/ : /Subscription init e"/);
  await push(tcpProxy());
  const first = new TestClient(await port());
  await first.echo("one");
  await push(answering("came later"));
  const web = async (): Promise<string> => (await new HttpClient(await port()).get("/")).body;
  await until(async () => (await web()) === "came later", "new connections have it");
  await first.echo("still there");
  assert.equal(first.hasEnded, false);
  assert.equal(await proxy.stat("tcp.dynamic.downstream_cx_total"), 1);
  assert.ok((await proxy.stat("http.dynamic_http.downstream_rq_2xx")) > 0);
  await push(answering("came last"));
  await until(async () => (await web()) === "came last", "and the next");
  assert.equal(await proxy.stat(`${prefix}.config_reload`), 3);
  assert.equal(await proxy.stat("listener_manager.total_listeners_draining"), 0);
  assert.equal(await proxy.stat("listener_manager.total_filter_chains_draining"), 0);
  assert.equal(await proxy.stat("listener_manager.listener_modified"), 0);
  assert.match(
    await proxy.admin("/config_dump?resource=ecds_filters"),
    /EcdsFilterConfig[\s\S]*HttpConnectionManager/,
  );
});

test("one of another type, or with a cluster that nobody knows, is refused, and the old one stays", async () => {
  await using open = new AsyncDisposableStack();
  const { controlPlane, proxy, port, push } = await start(open);
  await controlPlane.accepted("listeners", [listenerOf({}, [managerUrl])]);
  await push(answering("good"));
  const refused = async (typedConfig: object, text: RegExp): Promise<void> => {
    const verdict = await controlPlane.push("extension_configs", [
      extensionConfig("e", typedConfig),
    ]);
    assert(verdict.kind === "nacked", JSON.stringify(verdict));
    assert.match(verdict.error, text);
  };
  await refused(
    tcpProxy(),
    /Error: filter config has type URL envoy\.extensions\.filters\.network\.tcp_proxy\.v3\.TcpProxy but expect envoy\.extensions\.filters\.network\.http_connection_manager\.v3\.HttpConnectionManager\./,
  );
  const unknown = { ...routesTo("nobody"), validate_clusters: true };
  await refused(manager({ route_config: unknown }), /route: unknown cluster 'nobody'/);
  assert.equal((await new HttpClient(await port()).get("/")).body, "good");
  assert.equal(await proxy.stat(`${prefix}.config_fail`), 2);
});

test("without one in time connections are closed, with a default they get that; removal leads back to it", async () => {
  await using open = new AsyncDisposableStack();
  const { controlPlane, proxy, port, push } = await start(open, "DELTA_GRPC");
  const quick = { config_source: { ...fromAds, initial_fetch_timeout: "0.2s" } };
  await controlPlane.accepted("listeners", [listenerOf(quick)]);
  const closed = new TestClient(await port());
  await closed.ended();
  const [address] = /listener\.[^:]*(?=\.network_extension_config_missing: 1)/.exec(
    await proxy.admin("/stats?filter=network_extension_config_missing"),
  ) ?? [undefined];
  assert.ok(address, "it is counted");
  assert.equal(await proxy.stat(`${prefix}.init_fetch_timeout`), 1);
  const web = async (): Promise<string> => (await new HttpClient(await port()).get("/")).body;
  await push(answering("came"));
  await until(async () => (await web()) === "came", "it came");
  await controlPlane.accepted("listeners", [
    listenerOf({
      ...quick,
      default_config: answering("default"),
      apply_default_config_without_warming: true,
    }),
  ]);
  await until(async () => (await web()) === "came", "the same configuration for another version");
  await controlPlane.accepted("extension_configs", []);
  await until(async () => (await web()) === "default", "it is gone");
});

// Envoy never asks for the routes of a connection manager that takes the place of another one so.
const ours = { skip: !isOurs };
test("a connection manager that came keeps its routes for those it serves", ours, async () => {
  await using open = new AsyncDisposableStack();
  const { controlPlane, proxy, port, push } = await start(open);
  controlPlane.offer("routes", [routesTo("http", "one"), routesTo("http", "two")]);
  const routed = (name: string): object =>
    manager({ rds: { route_config_name: name, config_source: fromAds } });
  await controlPlane.accepted("listeners", [listenerOf()]);
  await push(routed("one"));
  const old = new HttpClient(await port());
  assert.equal((await old.get("/")).status, 200);
  await push(routed("two"));
  const asks = async (name: string): Promise<boolean> =>
    (await proxy.admin(`/config_dump?resource=dynamic_route_configs`)).includes(
      `"name": "${name}"`,
    );
  await until(() => asks("two"), "the new one has its routes");
  assert.equal((await new HttpClient(await port()).get("/")).status, 200);
  assert.equal((await old.get("/")).status, 200);
  assert.equal(await asks("one"), true);
  old.socket.destroy();
  await until(async () => !(await asks("one")), "with the last connection the routes go");
});
