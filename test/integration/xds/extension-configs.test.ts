import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { ProxyProcess } from "../../support/proxy-process.ts";
import { PushingServer } from "../../support/pushing-server.ts";
import {
  credentialInjector,
  discoveredFilter,
  extensionConfig,
  filteredListener,
  genericSecret,
  router,
  versionMutation,
} from "../../support/secret-resources.ts";
import { SteadyClients } from "../../support/steady-clients.ts";
import { dynamicBootstrap, staticCluster } from "../../support/truth-resources.ts";
import { until } from "../../support/until.ts";

/** A proxy whose listeners come by ADS, over an upstream that says what it was sent. */
async function start(open: AsyncDisposableStack, apiType = "GRPC") {
  const server = createServer(({ headers }, response) =>
    response.end(`${String(headers["x-version"] ?? "-")} ${headers.authorization ?? "-"}`),
  );
  open.defer(() => server.close().closeAllConnections());
  await once(server.listen(0, "127.0.0.1"), "listening");
  const controlPlane = open.use(await PushingServer.start());
  controlPlane.offer("clusters", []);
  controlPlane.offer("listeners", []);
  const bootstrap = dynamicBootstrap(controlPlane.address) as {
    dynamic_resources: { ads_config: { api_type: string } };
    static_resources: { clusters: object[] };
  };
  bootstrap.dynamic_resources.ads_config.api_type = apiType;
  const { port: upstreamPort } = server.address() as AddressInfo;
  bootstrap.static_resources.clusters.push(staticCluster("up", upstreamPort));
  const proxy = open.use(await ProxyProcess.start(bootstrap));
  const portOf = (name: string): Promise<number> =>
    until(async () => (await proxy.listenerPorts()).get(name), `${name} serves`);
  const answer = async (name: string): Promise<string> => {
    const response = await fetch(`http://127.0.0.1:${await portOf(name)}/`);
    return `${response.status} ${response.headers.get("x-version") ?? "-"} ${await response.text()}`;
  };
  return { controlPlane, proxy, portOf, answer };
}

const version = (text: string): object => extensionConfig("e", versionMutation(text));
const prefix = "extension_config_discovery.http_filter.e";

test("two listeners warm on one configuration and take each new one without a drain or a failed request", async () => {
  await using open = new AsyncDisposableStack();
  const { controlPlane, proxy, portOf, answer } = await start(open);
  const filtered = (name: string) => filteredListener(name, "up", [discoveredFilter("e")]);
  await controlPlane.accepted("listeners", [filtered("one"), filtered("two")]);
  assert.equal(await proxy.stat("listener_manager.total_listeners_warming"), 2);
  await controlPlane.accepted("extension_configs", [version("v1")]);
  assert.equal(await answer("one"), "200 v1 v1 -");
  assert.equal(await answer("two"), "200 v1 v1 -");
  await using clients = new SteadyClients(await portOf("one"), 8, { keepAlive: true });
  for (let count = 2; count <= 20; count++)
    await controlPlane.accepted("extension_configs", [version(`v${count}`)]);
  await until(async () => (await answer("two")) === "200 v20 v20 -", "the last one is there");
  const completed = clients.completed;
  await until(() => clients.completed > completed + 20, "requests go on");
  assert.deepEqual(await clients.stop(), []);
  assert.equal(clients.connections, 8, "no connection was closed");
  assert.equal(await proxy.stat("listener_manager.total_listeners_draining"), 0);
  assert.equal(await proxy.stat("listener_manager.listener_modified"), 0);
  assert.equal(await proxy.stat(`${prefix}.config_reload`), 20);
  assert.match(
    await proxy.admin("/config_dump?resource=ecds_filters"),
    /EcdsFilterConfig[\s\S]*"value": "v20"/,
  );
});

test("a configuration of another type, or in the wrong place, is refused and the old one stays", async () => {
  await using open = new AsyncDisposableStack();
  const { controlPlane, proxy, answer } = await start(open);
  const both = [
    String((versionMutation("") as { "@type": string })["@type"]),
    router.typed_config["@type"],
  ];
  await controlPlane.accepted("listeners", [
    filteredListener("web", "up", [discoveredFilter("e"), discoveredFilter("any", {}, both)]),
  ]);
  await controlPlane.accepted("extension_configs", [
    version("v1"),
    extensionConfig("any", versionMutation("any")),
  ]);
  assert.equal(await answer("web"), "200 v1 any -");
  const other = await controlPlane.push("extension_configs", [
    extensionConfig("e", router.typed_config),
    extensionConfig("any", versionMutation("any")),
  ]);
  assert(other.kind === "nacked");
  assert.match(
    other.error,
    /Error: filter config has type URL envoy\.extensions\.filters\.http\.router\.v3\.Router but expect envoy\.extensions\.filters\.http\.header_mutation\.v3\.HeaderMutation\./,
  );
  const misplaced = await controlPlane.push("extension_configs", [
    version("v2"),
    extensionConfig("any", router.typed_config),
  ]);
  assert(misplaced.kind === "nacked");
  assert.match(
    misplaced.error,
    /Error: terminal filter named any of type envoy\.filters\.http\.router must be the last filter in a http filter chain\./,
  );
  assert((await proxy.stat(`${prefix}.config_fail`)) > 0);
  await until(async () => (await answer("web")) === "200 v2 any -", "what was good is there");
});

test("without a configuration in time requests get 500, with a default they get that; removal leads back to it", async () => {
  await using open = new AsyncDisposableStack();
  const { controlPlane, proxy, answer } = await start(open, "DELTA_GRPC");
  const source = { ads: {}, resource_api_version: "V3", initial_fetch_timeout: "0.2s" };
  const withDefault = {
    config_source: source,
    default_config: versionMutation("default"),
    apply_default_config_without_warming: true,
  };
  await controlPlane.accepted("listeners", [
    filteredListener("bare", "up", [discoveredFilter("f", { config_source: source })]),
    filteredListener("web", "up", [discoveredFilter("e", withDefault)]),
  ]);
  assert.equal(await answer("web"), "200 default default -");
  assert.equal(await answer("bare"), "500 - ");
  await controlPlane.accepted("extension_configs", [version("v1")]);
  await until(async () => (await answer("web")) === "200 v1 v1 -", "it came");
  await controlPlane.accepted("extension_configs", []);
  await until(async () => (await answer("web")) === "200 default default -", "it is gone");
  assert.equal(await proxy.stat("extension_config_discovery.http_filter.f.init_fetch_timeout"), 1);
});

test("a filter that came needs a secret: it takes its place when the secret is there", async () => {
  await using open = new AsyncDisposableStack();
  const { controlPlane, proxy, answer } = await start(open);
  const { typed_config: injector } = credentialInjector("token") as {
    typed_config: { "@type": string };
  };
  const types = [injector["@type"]];
  await controlPlane.accepted("listeners", [
    filteredListener("web", "up", [discoveredFilter("e", {}, types)]),
  ]);
  await controlPlane.accepted("extension_configs", [extensionConfig("e", injector)]);
  await until(
    async () => (await proxy.admin("/stats?filter=sds.token.update_attempt")) !== "",
    "it asks",
  );
  assert.equal(await proxy.stat("listener_manager.total_listeners_warming"), 1);
  await controlPlane.accepted("secrets", [genericSecret("token", "Bearer one")]);
  assert.equal(await answer("web"), "200 - - Bearer one");
  assert.equal(await proxy.stat("http.web.credential_injector.injected"), 1);
});
