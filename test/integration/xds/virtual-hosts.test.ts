import assert from "node:assert/strict";
import http from "node:http";
import { test } from "node:test";
import { type DeltaAnswer, DeltaServer, type WrappedResource } from "../../support/delta-server.ts";
import { ProxyProcess } from "../../support/proxy-process.ts";
import { dynamicBootstrap, fromAds, httpListener } from "../../support/truth-resources.ts";
import { until } from "../../support/until.ts";

const types = "type.googleapis.com/envoy";
const listenerType = `${types}.config.listener.v3.Listener`;
const routesType = `${types}.config.route.v3.RouteConfiguration`;
const hostType = `${types}.config.route.v3.VirtualHost`;
const isOurs = process.env["SLUICE_TEST_PROXY"] === undefined;
/** Envoy leaves requests waiting for a host that does not exist. */
const ours = { skip: !isOurs };

const filters = ["on_demand.v3.OnDemand", "router.v3.Router"].map((type) => ({
  name: type,
  typed_config: { "@type": `${types}.extensions.filters.http.${type}` },
}));

const hostBody = (name: string, domain: string, body: string): object => ({
  name,
  domains: [domain],
  routes: [
    { match: { prefix: "/" }, direct_response: { status: 200, body: { inline_string: body } } },
  ],
});

const wrapped = (name: string, domain: string, body = domain): WrappedResource => ({
  name,
  resource: { "@type": hostType, ...hostBody(name, domain, body) },
});

/** By the first label of the host that is asked for. */
function answerTo(name: string): DeltaAnswer {
  const host = name.slice("routes/".length);
  switch (host.split(".")[0] ?? "") {
    case "alias": {
      const one = wrapped(`routes/of-${host}`, host);
      return { resources: [{ ...one, aliases: [name] }] };
    }
    case "empty":
      return { resources: [{ name }] };
    case "gone":
      return { removed_resources: [name] };
    default:
      return { resources: [wrapped(name, host)] };
  }
}

async function start(open: AsyncDisposableStack, manager: object = {}) {
  const listener = httpListener("web", {
    rds: { config_source: fromAds, route_config_name: "routes" },
    http_filters: filters,
    ...manager,
  });
  const routes = {
    name: "routes",
    virtual_hosts: [hostBody("static", "static.example", "static")],
    vhds: { config_source: fromAds },
  };
  const server = open.use(
    await DeltaServer.start((type, names) => {
      if (type === listenerType)
        return { resources: [{ name: "web", resource: { "@type": type, ...listener } }] };
      if (type === routesType)
        return { resources: [{ name: "routes", resource: { "@type": type, ...routes } }] };
      if (type !== hostType) return {};
      if (names.includes("*")) return { resources: [wrapped("routes/first", "first.example")] };
      const asked = names.filter((name) => !name.startsWith("routes/silent"));
      if (asked.length === 0) return undefined;
      const answers = asked.map(answerTo);
      return {
        resources: answers.flatMap(({ resources = [] }) => resources),
        removed_resources: answers.flatMap((each) => each.removed_resources ?? []),
      };
    }),
  );
  const bootstrap = dynamicBootstrap(server.address, "DELTA_GRPC");
  const proxy = open.use(await ProxyProcess.start(bootstrap));
  const port = await until(async () => (await proxy.listenerPorts()).get("web"), "it serves");
  return { server, proxy, port };
}

/** The body, or the status where it is another than 200. */
function ask(port: number, host: string, signal?: AbortSignal): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const options = { host: "127.0.0.1", port, agent: false, headers: { host } };
  const request = http.get({ ...options, ...(signal && { signal }) }, (response) => {
    let body = "";
    response.setEncoding("utf8").on("data", (text: string) => (body += text));
    response.on("end", () =>
      resolve(response.statusCode === 200 ? body : String(response.statusCode)),
    );
  });
  request.on("error", reject);
  return promise;
}

test("hosts come with the routes, and on demand by name or alias", async () => {
  await using open = new AsyncDisposableStack();
  const { server, proxy, port } = await start(open);
  assert.equal(await ask(port, "static.example"), "static");
  assert.equal(await ask(port, "first.example"), "first.example");
  for (const host of ["one.example", "one.example:80", "alias.example"])
    assert.equal(await ask(port, host), host);
  assert.equal(await ask(port, "ONE.example"), "one.example");
  const asked = ["routes/one.example", "routes/one.example:80", "routes/alias.example"];
  assert.deepEqual(server.subscribed(hostType), asked);
  const { configs } = JSON.parse(
    await proxy.admin("/config_dump?resource=dynamic_route_configs"),
  ) as { configs: { route_config: { virtual_hosts: { name: string }[] } }[] };
  const names = configs[0]?.route_config.virtual_hosts.map(({ name }) => name);
  assert.deepEqual(names?.slice(1).toSorted(), [
    "routes/first",
    "routes/of-alias.example",
    "routes/one.example",
    "routes/one.example:80",
  ]);
  assert.equal(await proxy.stat("http.web.rds.vhds.routes.config_reload"), 4);
});

test("a host changes and goes without a word to connections", async () => {
  await using open = new AsyncDisposableStack();
  const { server, port } = await start(open);
  await server.push(hostType, { resources: [wrapped("routes/first", "first.example", "changed")] });
  await until(async () => (await ask(port, "first.example")) === "changed", "it has changed");
  await server.push(hostType, { resources: [wrapped("routes/first", "second.example", "moved")] });
  assert.equal(await ask(port, "second.example"), "moved");
  await server.push(hostType, { resources: [wrapped("routes/other", "static.example")] });
  assert.equal(server.nacks.length, 1, server.nacks.join("\n"));
  assert.match(server.nacks.join(), /Duplicate entry of domain static\.example in route routes/);
  assert.equal(await ask(port, "static.example"), "static");
});

test("a host that does not exist is a 404, however the server says so", ours, async () => {
  await using open = new AsyncDisposableStack();
  const { server, port } = await start(open);
  for (const host of ["gone.example", "empty.example"]) assert.equal(await ask(port, host), "404");
  // As long as the names are subscribed the server would tell.
  assert.equal(await ask(port, "gone.example"), "404");
  assert.deepEqual(server.subscribed(hostType), ["routes/gone.example", "routes/empty.example"]);
  await server.push(hostType, { resources: [wrapped("routes/gone.example", "gone.example")] });
  await until(async () => (await ask(port, "gone.example")) === "gone.example", "it came");
});

test("clients that go are forgotten, and so is what they wanted", ours, async () => {
  await using open = new AsyncDisposableStack();
  const { server, proxy, port } = await start(open);
  const leaving = new AbortController();
  const asked = ["silent.a", "silent.a", "silent.b"].map((host) =>
    ask(port, host, leaving.signal).catch(() => "left"),
  );
  await server.until(() => server.subscribed(hostType).length === 2);
  assert.equal(await proxy.stat("sluice.worker.on_demand_waiting"), 3);
  leaving.abort();
  assert.deepEqual(await Promise.all(asked), ["left", "left", "left"]);
  await server.until(() => server.unsubscribed(hostType).length === 2);
  assert.deepEqual(server.unsubscribed(hostType).toSorted(), [
    "routes/silent.a",
    "routes/silent.b",
  ]);
  await until(
    async () => (await proxy.stat("sluice.worker.on_demand_waiting")) === 0,
    "none waits",
  );
});

test("a server that is silent, or away, makes requests wait for their own timeout", async () => {
  await using open = new AsyncDisposableStack();
  const { server, port } = await start(open, { stream_idle_timeout: "0.5s" });
  assert.equal(await ask(port, "silent.example"), "504");
  await server[Symbol.asyncDispose]();
  assert.equal(await ask(port, "late.example"), "504");
  assert.equal(await ask(port, "static.example"), "static");
});

test("a thousand hosts on demand under load", async () => {
  await using open = new AsyncDisposableStack();
  const { server, proxy, port } = await start(open);
  const hosts = Array.from({ length: 1_000 }, (_, index) => `h${index}.example`);
  const answers = new Map<string, string>();
  // Each host by two clients, fifty at a time.
  const queue = [...hosts, ...hosts];
  await Promise.all(
    Array.from({ length: 50 }, async () => {
      for (let host = queue.pop(); host !== undefined; host = queue.pop())
        answers.set(host, await ask(port, host));
    }),
  );
  for (const host of hosts) assert.equal(answers.get(host), host);
  assert.equal(new Set(server.subscribed(hostType)).size, 1_000);
  assert.equal(await proxy.stat("http.web.downstream_rq_2xx"), 2_000);
});

test("after a new stream everything is subscribed again, with what is held", async () => {
  await using open = new AsyncDisposableStack();
  const { server, port } = await start(open);
  assert.equal(await ask(port, "one.example"), "one.example");
  const before = server.requests.length;
  server.dropStreams();
  const again = () =>
    server.requests
      .slice(before)
      .find(({ typeUrl, subscribe }) => typeUrl === hostType && subscribe.length > 0);
  await server.until(() => again() !== undefined);
  assert.deepEqual(again()?.subscribe.toSorted(), ["*", "routes/one.example"]);
  assert.deepEqual([...(again()?.initialVersions.keys() ?? [])].toSorted(), [
    "routes/first",
    "routes/one.example",
  ]);
  assert.equal(await ask(port, "two.example"), "two.example");
});

test("/status has a row for each host", ours, async () => {
  await using open = new AsyncDisposableStack();
  const { proxy, port } = await start(open);
  await ask(port, "alias.example");
  const { resources } = JSON.parse(await proxy.admin("/status")) as {
    resources: Record<string, unknown>[];
  };
  const rows = resources.filter(({ type }) => type === "VHDS");
  assert.deepEqual(
    rows.map(({ name, state, answer, reason }) => [name, state, answer, reason]),
    [
      ["routes/alias.example", "active", "acked", "virtual host routes/of-alias.example"],
      ["routes/first", "active", "acked", null],
      ["routes/of-alias.example", "active", "acked", null],
    ],
  );
});
