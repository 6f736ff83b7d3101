/** `srds_resources_locator`, over the whole proxy. `SLUICE_TEST_PROXY=envoy` runs it against Envoy. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { DeltaServer } from "../../support/delta-server.ts";
import { ProxyProcess } from "../../support/proxy-process.ts";
import { dynamicBootstrap, fromAds, httpListener } from "../../support/truth-resources.ts";
import { until } from "../../support/until.ts";

const types = "type.googleapis.com/envoy.config";
const listenerType = `${types}.listener.v3.Listener`;
const scopeType = `${types}.route.v3.ScopedRouteConfiguration`;
const routesType = `${types}.route.v3.RouteConfiguration`;
const folder = "xdstp://a/envoy.config.route.v3.ScopedRouteConfiguration/foo";
const locator = `${folder}/*?k=v`;
/** With what `node_context_params` adds. */
const query = "?k=v&xds.node.id=n";

const scopedRoutes = {
  name: "scopes",
  scope_key_builder: {
    fragments: [{ header_value_extractor: { name: "x-scope", element_separator: "", index: 0 } }],
  },
  rds_config_source: fromAds,
  scoped_rds: { scoped_rds_config_source: fromAds, srds_resources_locator: locator },
};

const scope = (name: string, key: string): object => ({
  "@type": scopeType,
  name,
  route_configuration_name: "routes",
  key: { fragments: [{ string_key: key }] },
});

const routes = {
  "@type": routesType,
  name: "routes",
  virtual_hosts: [
    {
      name: "all",
      domains: ["*"],
      routes: [{ match: { prefix: "/" }, direct_response: { status: 204 } }],
    },
  ],
};

async function start(open: AsyncDisposableStack) {
  const listener = httpListener("web", { scoped_routes: scopedRoutes });
  const server = open.use(
    await DeltaServer.start((type, names) => {
      switch (type) {
        case listenerType:
          return { resources: [{ name: "web", resource: { "@type": type, ...listener } }] };
        case scopeType:
          return { resources: [scopeOf("one", "1")] };
        case routesType:
          return { resources: names.map((name) => ({ name, resource: routes })) };
        default:
          return {};
      }
    }),
  );
  const bootstrap = {
    ...dynamicBootstrap(server.address, "DELTA_GRPC"),
    node_context_params: ["id"],
  };
  const proxy = open.use(await ProxyProcess.start(bootstrap));
  const port = await until(async () => (await proxy.listenerPorts()).get("web"), "it serves");
  const ask = async (key: string): Promise<number> =>
    (await fetch(`http://127.0.0.1:${port}/`, { headers: { "x-scope": key } })).status;
  return { server, proxy, ask };
}

/** A member of the collection. */
const scopeOf = (name: string, key: string) => ({
  name: `${folder}/${name}${query}`,
  resource: scope(`${folder}/${name}${query}`, key),
});

test("scopes come from the collection that the listener names", async () => {
  await using open = new AsyncDisposableStack();
  const { server, proxy, ask } = await start(open);
  assert.deepEqual(server.subscribed(scopeType), [`${folder}/*${query}`]);
  assert.deepEqual([await ask("1"), await ask("2")], [204, 404]);
  await server.push(scopeType, { resources: [scopeOf("two", "2")] });
  await until(async () => (await ask("2")) === 204, "the second scope serves");
  assert.equal(await ask("1"), 204);
  await server.push(scopeType, { removed_resources: [`${folder}/one${query}`] });
  await until(async () => (await ask("1")) === 404, "the first one is gone");
  assert.equal(await proxy.stat("http.web.scoped_rds.scopes.all_scopes"), 1);
  assert.deepEqual(server.nacks, []);
});

test("two listeners have each the collection that it names, of one server", async () => {
  await using open = new AsyncDisposableStack();
  const bar = "xdstp://a/envoy.config.route.v3.ScopedRouteConfiguration/bar";
  const scoped = (name: string, from: string): object =>
    httpListener(name, {
      scoped_routes: {
        ...scopedRoutes,
        name,
        scoped_rds: { scoped_rds_config_source: fromAds, srds_resources_locator: `${from}/*?k=v` },
      },
    });
  const listeners = (...names: readonly string[]) => ({
    resources: names.map((name) => ({
      name,
      resource: { "@type": listenerType, ...scoped(name, name === "foo" ? folder : bar) },
    })),
  });
  const server = open.use(
    await DeltaServer.start((type, names) => {
      switch (type) {
        case listenerType:
          return listeners("foo", "bar");
        case scopeType:
          return {
            resources: names.map((name) => {
              const own = name.replace("*", "one");
              return { name: own, resource: scope(own, name.startsWith(folder) ? "1" : "2") };
            }),
          };
        case routesType:
          return { resources: names.map((name) => ({ name, resource: routes })) };
        default:
          return {};
      }
    }),
  );
  const proxy = open.use(
    await ProxyProcess.start({
      ...dynamicBootstrap(server.address, "DELTA_GRPC"),
      node_context_params: ["id"],
    }),
  );
  const statuses = async (name: string): Promise<readonly number[]> => {
    const port = await until(async () => (await proxy.listenerPorts()).get(name), `${name} serves`);
    const ask = async (key: string): Promise<number> =>
      (await fetch(`http://127.0.0.1:${port}/`, { headers: { "x-scope": key } })).status;
    return Promise.all([ask("1"), ask("2")]);
  };
  assert.deepEqual(await statuses("foo"), [204, 404]);
  assert.deepEqual(await statuses("bar"), [404, 204]);
  assert.deepEqual(server.subscribed(scopeType).toSorted(), [
    `${bar}/*${query}`,
    `${folder}/*${query}`,
  ]);
  await server.push(listenerType, { removed_resources: ["bar"] });
  await until(async () => !(await proxy.listenerPorts()).has("bar"), "it is gone");
  assert.deepEqual(await statuses("foo"), [204, 404]);
  assert.deepEqual(server.nacks, []);
});
