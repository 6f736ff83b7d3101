/** `sluice plan` and live updates over the whole program: what is planned is what the push then does. */
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { after, before, suite, test } from "node:test";
import type { PlanView } from "../../../src/control/listener/plan-view.ts";
import { HttpClient, type RawResponse } from "../../support/http-peers.ts";
import { ProxyProcess } from "../../support/proxy-process.ts";
import { PushingServer } from "../../support/pushing-server.ts";
import { SluiceProgram } from "../../support/sluice-program.ts";
import { SteadyClients } from "../../support/steady-clients.ts";
import { until } from "../../support/until.ts";
import {
  dynamicBootstrap,
  httpListener,
  routesTo,
  staticCluster,
} from "../../support/truth-resources.ts";

const answering = (status: number, manager: object = {}): object => ({
  route_config: {
    name: "r",
    virtual_hosts: [
      {
        name: "all",
        domains: ["*"],
        routes: [{ match: { prefix: "/" }, direct_response: { status } }],
      },
    ],
  },
  ...manager,
});

async function plan(files: Readonly<Record<string, unknown>>, ...args: string[]) {
  const texts = Object.entries(files).map(
    ([name, value]) => [name, JSON.stringify(value)] as const,
  );
  await using program = new SluiceProgram(["plan", ...args], {
    files: Object.fromEntries(texts),
  });
  const code = await program.exit;
  return { code, stdout: program.stdout, stderr: program.stderr };
}

suite("sluice plan OLD NEW", () => {
  const old = [httpListener("a", answering(200)), httpListener("b", answering(200))];

  test("says of each listener what it is, and ends with what that means", async () => {
    const routes = await plan(
      { old, new: [httpListener("a", answering(201)), httpListener("b", answering(200))] },
      "old",
      "new",
    );
    assert.equal(routes.code, 0, routes.stderr);
    assert.match(
      routes.stdout,
      /^a +live +nothing +- +- +filter_chains\[0\]\.filters\[0\]\.typed_config\.route_config$/m,
    );
    assert.match(routes.stdout, /^b +unchanged +nothing/m);
    assert.match(routes.stdout, /^nothing drains of 2 listeners$/m);

    const timeout = answering(200, { common_http_protocol_options: { idle_timeout: "1s" } });
    const chains = await plan({ old, new: [httpListener("a", timeout)] }, "old", "new");
    assert.equal(chains.code, 2, chains.stderr);
    assert.match(chains.stdout, /^a +filter chains +chain .* \? +600 s, gradual +\S+typed_config/m);
    assert.match(chains.stdout, /^b +removed +the listener +\?/m);
    assert.match(chains.stdout, /^2 of 2 listeners would drain$/m);
    const partial = await plan({ old, new: [] }, "old", "new", "--partial");
    assert.deepEqual([partial.code, partial.stdout.includes("no listeners")], [0, true]);
  });

  test("takes bootstraps, folders and discovery responses", async () => {
    const bootstrap = { static_resources: { listeners: old, clusters: [] } };
    const response = { version_info: "1", resources: old };
    const same = await plan({ bootstrap, response }, "bootstrap", "response", "--json");
    assert.equal(same.code, 0, same.stderr);
    assert.deepEqual((JSON.parse(same.stdout) as PlanView).classes, { unchanged: 2 });
    await using program = new SluiceProgram(["plan", "--help"]);
    assert.equal(await program.exit, 0);
    const folder = path.join(program.folder, "folder");
    mkdirSync(path.join(folder, "listeners"), { recursive: true });
    for (const [index, listener] of old.entries())
      writeFileSync(path.join(folder, "listeners", `${index}.json`), JSON.stringify(listener));
    const served = await plan({ response }, folder, "response", "--json");
    assert.equal(served.code, 0, served.stderr);
    assert.deepEqual((JSON.parse(served.stdout) as PlanView).classes, { unchanged: 2 });
  });

  test("what would be refused is told in the words of the NACK, with code 1", async () => {
    const bad = { ...httpListener("a", answering(200)), filter_chains: [] };
    const nowhere = httpListener("b", { route_config: routesTo("nowhere") });
    const bootstrap = { static_resources: { listeners: [bad, nowhere], clusters: [] } };
    const { code, stdout } = await plan({ old, bootstrap }, "old", "bootstrap");
    assert.equal(code, 1);
    assert.match(stdout, /^a +refused .*no filter chains specified$/m);
    assert.match(stdout, /^b +refused .*route: unknown cluster 'nowhere'$/m);
    const unreadable = await plan({ old, new: 7 }, "old", "new");
    assert.equal(unreadable.code, 1);
    assert.match(unreadable.stderr, /^sluice plan: new: want a list of listeners/);
    const absent = await plan({ old }, "old", "absent");
    assert.equal(absent.code, 1);
    assert.match(absent.stderr, /^sluice plan: .*absent/);
    const none = await plan({}, "--json");
    assert.match(none.stderr, /want one file, or two/);
  });
});

suite("sluice plan FILE", () => {
  const open = new AsyncDisposableStack();
  let controlPlane: PushingServer;
  let proxy: ProxyProcess;
  let client: HttpClient;

  before(async () => {
    controlPlane = open.use(await PushingServer.start());
    controlPlane.offer("clusters", [staticCluster("web", 1)]);
    controlPlane.offer("listeners", [httpListener("a", answering(200))]);
    proxy = open.use(await ProxyProcess.start(dynamicBootstrap(controlPlane.address)));
    const port = (await proxy.listenerPorts()).get("a");
    assert(port !== undefined);
    client = new HttpClient(port);
    open.defer(() => void client.socket.destroy());
    assert.equal((await client.get("/")).status, 200);
  });

  after(() => open.disposeAsync());

  const planOf = async (listeners: readonly object[]): Promise<PlanView & { code: number }> => {
    const { code, stdout, stderr } = await plan(
      { pushed: listeners },
      "pushed",
      "--json",
      "--admin",
      proxy.adminAddress,
    );
    assert.equal(stderr, "");
    return { ...(JSON.parse(stdout) as PlanView), code };
  };
  const untilAnswered = (status: number): Promise<RawResponse> =>
    until(async () => {
      const next = await client.get("/");
      return next.status === status && next;
    }, "the worker has it");
  const drains = async (): Promise<readonly { readonly connections: { at_start: number } }[]> => {
    const view = JSON.parse(await proxy.admin("/drains")) as { drains: [] };
    return view.drains;
  };

  test("new routes: nothing would drain, and the open connection has them", async () => {
    const next = [httpListener("a", answering(201, { server_name: "two" }))];
    const planned = await planOf(next);
    assert.deepEqual([planned.code, planned.classes], [0, { live: 1 }]);
    assert.equal((await client.get("/")).status, 200, "a plan changes nothing");
    await controlPlane.accepted("listeners", next);
    // Workers are told when it is accepted, and may hear of it later than the control plane.
    const answer = await untilAnswered(201);
    assert.deepEqual([answer.headers["server"], answer.headers["connection"]], ["two", undefined]);
    assert.deepEqual(await drains(), []);
    assert.equal(await proxy.stat("listener_manager.listener_in_place_updated"), 1);
    const dump = await proxy.admin("/config_dump?resource=dynamic_listeners");
    assert.match(dump, /"update_class": "live"/);
    assert.match(dump, /"filter_chains\[0\]\.filters\[0\]\.typed_config\.route_config"/);
    assert.match(await proxy.admin("/status"), /update: live, nothing drains, changed: filter_ch/);
  });

  test("under load a live update fails no request and closes no connection", async () => {
    const port = (await proxy.listenerPorts()).get("a");
    assert(port !== undefined);
    await controlPlane.accepted("listeners", [httpListener("a", answering(200))]);
    await untilAnswered(200);
    await using clients = new SteadyClients(port, 4, { keepAlive: true });
    for (let round = 0; round < 50; round++)
      await controlPlane.accepted("listeners", [
        httpListener("a", answering(200, { server_name: `s${round}`, via: `v${round}` })),
      ]);
    const before = clients.completed;
    await until(() => clients.completed > before + 50, "requests go on");
    assert.deepEqual(await clients.stop(), []);
    assert.equal(clients.connections, 4, "a connection was closed");
    assert.deepEqual(await drains(), []);
    await until(
      async () => (await client.get("/")).headers["server"] === "s49",
      "the last one is there",
    );
  });

  test("what connections keep: the plan counts them, and the push drains them", async () => {
    const next = [httpListener("a", answering(201, { delayed_close_timeout: "2s" }))];
    const planned = await planOf(next);
    assert.deepEqual([planned.code, planned.draining_connections], [2, 1]);
    const [listener] = planned.listeners;
    assert.equal(listener?.class, "filterChains");
    assert.equal(listener.drain?.filter_chains?.[0]?.connections, 1);
    await controlPlane.accepted("listeners", next);
    await until(async () => (await drains())[0]?.connections.at_start === 1, "workers have told");
    const bad = await planOf([{ ...httpListener("a", answering(200)), filter_chains: [] }]);
    assert.deepEqual([bad.code, bad.classes], [1, { refused: 1 }]);
  });

  test("the admin bounds what it takes, and says what is wrong with it", async () => {
    const post = async (body: string, query = ""): Promise<readonly [number, string]> => {
      const response = await fetch(`http://${proxy.adminAddress}/listeners/plan${query}`, {
        method: "POST",
        body,
      });
      return [response.status, await response.text()];
    };
    assert.deepEqual(await post(""), [400, "want listeners: a list in YAML or JSON\n"]);
    assert.match((await post("{resources: 1}")).join(), /^400,resources: must be a list/);
    assert.match((await post("[1]")).join(), /^200,.*"class": "refused"/s);
    assert.equal((await post("x".repeat(9 * 1024 * 1024)))[0], 413);
    assert.match(await proxy.admin("/help"), /\/listeners\/plan \(POST\)/);
    const partial = await post("[]", "?partial");
    assert.deepEqual((JSON.parse(partial[1]) as PlanView).listeners, []);
  });
});
