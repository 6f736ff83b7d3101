import assert from "node:assert/strict";
import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { ProxyProcess } from "../../support/proxy-process.ts";
import { adminOnPortZero } from "../../support/sluice-program.ts";
import { httpListener } from "../../support/truth-resources.ts";
import { until } from "../../support/until.ts";

const types = "type.googleapis.com/envoy";
const onDemandFilters = [
  {
    name: "envoy.filters.http.on_demand",
    typed_config: { "@type": `${types}.extensions.filters.http.on_demand.v3.OnDemand` },
  },
  {
    name: "envoy.filters.http.router",
    typed_config: { "@type": `${types}.extensions.filters.http.router.v3.Router` },
  },
];

const routes = (name: string): object => ({
  "@type": `${types}.config.route.v3.RouteConfiguration`,
  name,
  virtual_hosts: [
    {
      name: "all",
      domains: ["*"],
      routes: [
        {
          match: { prefix: "/" },
          direct_response: { status: 200, body: { inline_string: name } },
        },
      ],
    },
  ],
});

const scope = (name: string, key: string, route: string, fields: object = {}): object => ({
  "@type": `${types}.config.route.v3.ScopedRouteConfiguration`,
  name,
  route_configuration_name: route,
  key: { fragments: [{ string_key: key }] },
  ...fields,
});

/** Files that a proxy watches, replaced as it expects: by a rename. */
class Files implements AsyncDisposable {
  readonly #folder: string;
  #version = 0;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  static async create(): Promise<Files> {
    return new Files(await mkdtemp(path.join(tmpdir(), "sluice-scopes-")));
  }

  source(name: string): object {
    return { path_config_source: { path: path.join(this.#folder, name) } };
  }

  async put(name: string, resources: readonly object[]): Promise<void> {
    const next = path.join(this.#folder, `${name}.next`);
    const version = `${name}${++this.#version}`;
    await writeFile(next, JSON.stringify({ version_info: version, resources }));
    await rename(next, path.join(this.#folder, name));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }
}

async function startScoped(open: AsyncDisposableStack) {
  const files = open.use(await Files.create());
  // Envoy takes a file with one route configuration alone.
  await files.put("rds.json", [routes("routes")]);
  await files.put("srds.json", [
    scope("first", "1", "routes"),
    scope("lazy", "2", "routes", { on_demand: true }),
  ]);
  const scopedRoutes = {
    name: "scopes",
    scope_key_builder: {
      fragments: [
        {
          header_value_extractor: {
            name: "x-route",
            element_separator: ";",
            element: { separator: "=", key: "vip" },
          },
        },
      ],
    },
    rds_config_source: files.source("rds.json"),
    scoped_rds: { scoped_rds_config_source: files.source("srds.json") },
  };
  const listener = httpListener("web", {
    scoped_routes: scopedRoutes,
    http_filters: onDemandFilters,
  });
  const proxy = open.use(
    await ProxyProcess.start({
      node: { id: "node", cluster: "cluster" },
      admin: adminOnPortZero,
      static_resources: { listeners: [listener] },
    }),
  );
  const port = (await proxy.listenerPorts()).get("web");
  const ask = async (header: string): Promise<string> => {
    const response = await fetch(`http://127.0.0.1:${port}/`, { headers: { "x-route": header } });
    return response.status === 200 ? await response.text() : String(response.status);
  };
  return { files, proxy, ask };
}

test("requests get the routes of their scope, those on demand with the first request", async () => {
  await using open = new AsyncDisposableStack();
  const { proxy, ask } = await startScoped(open);
  const stat = (name: string) => proxy.stat(`http.web.scoped_rds.scopes.${name}`);
  assert.equal(await ask("vip=1"), "routes");
  assert.deepEqual([await stat("all_scopes"), await stat("active_scopes")], [2, 1]);
  assert.equal(await ask("a=b;vip=2"), "routes");
  assert.deepEqual([await stat("active_scopes"), await stat("on_demand_scopes")], [2, 1]);
  for (const other of ["vip=3", "vip", "1"]) assert.equal(await ask(other), "404");
  assert.equal(await proxy.stat("http.web.no_route"), 3);
  assert.equal(await stat("update_success"), 1);
});

test("scopes come, go and change their keys; a conflict is refused by name", async () => {
  await using open = new AsyncDisposableStack();
  const { files, proxy, ask } = await startScoped(open);
  await files.put("srds.json", [scope("renamed", "1", "routes"), scope("second", "3", "routes")]);
  await until(async () => (await ask("vip=3")) === "routes", "the new scope serves");
  assert.deepEqual([await ask("vip=1"), await ask("vip=2")], ["routes", "404"]);
  await files.put("srds.json", [scope("a", "9", "routes"), scope("b", "9", "routes")]);
  const rejected = () => proxy.stat("http.web.scoped_rds.scopes.update_rejected");
  await until(async () => (await rejected()) === 1, "it is rejected");
  assert.match(
    proxy.log,
    /Error adding\/updating scoped route\(s\): .*scope key conflict found, first scope is 'a', second scope is 'b'/,
  );
});

test("/config_dump shows the scopes", async () => {
  await using open = new AsyncDisposableStack();
  const { proxy } = await startScoped(open);
  const { configs } = JSON.parse(await proxy.admin("/config_dump")) as {
    configs: { "@type": string; dynamic_scoped_route_configs?: Record<string, unknown>[] }[];
  };
  const section = configs.find((config) => config["@type"].endsWith("ScopedRoutesConfigDump"));
  const [set] = section?.dynamic_scoped_route_configs ?? [];
  assert.equal(set?.["name"], "scopes");
  assert.match(String(set?.["version_info"]), /^srds\.json/);
  assert.deepEqual(set?.["scoped_route_configs"], [
    scope("first", "1", "routes"),
    scope("lazy", "2", "routes", { on_demand: true }),
  ]);
});

test("/status has a row for each scope", { skip: !!process.env["SLUICE_TEST_PROXY"] }, async () => {
  await using open = new AsyncDisposableStack();
  const { proxy } = await startScoped(open);
  const { resources } = JSON.parse(await proxy.admin("/status?type=SRDS")) as {
    resources: Record<string, unknown>[];
  };
  const rows = resources.filter(({ type }) => type === "SRDS");
  assert.deepEqual(
    rows.map(({ name, state, answer, reason }) => [name, state, answer, reason]),
    [
      ["first", "active", "acked", null],
      ["lazy", "active", "acked", "on demand, no request has come yet"],
    ],
  );
});
