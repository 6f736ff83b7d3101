import assert from "node:assert/strict";
import { Agent } from "node:http";
import path from "node:path";
import { after, before, suite, test } from "node:test";
import { findGo, GoControlPlane } from "../../src/cli/go-control-plane.ts";
import { get, isRefused } from "../support/http-client.ts";
import { HttpUpstream } from "../support/http-upstream.ts";
import { ProxyProcess } from "../support/proxy-process.ts";
import { until } from "../support/until.ts";
import {
  adsBootstrap,
  cluster,
  endpoints,
  httpListener,
  routes,
} from "../support/xds-resources.ts";

/**
 * A proxy under go-control-plane's own server, cache and protobuf output. One proxy lives through
 * the whole suite, as in production: each test starts from what the one before it has left.
 */
const node = "interop";
const go = await findGo();
if (go === undefined) console.error("interop: go-control-plane is skipped, Go is not installed");

suite("under go-control-plane", { skip: go === undefined && "Go is not installed" }, () => {
  const started = new AsyncDisposableStack();
  let controlPlane: GoControlPlane;
  let proxy: ProxyProcess;
  let blue: HttpUpstream;
  let green: HttpUpstream;

  before(async () => {
    blue = started.use(await HttpUpstream.start("blue"));
    green = started.use(await HttpUpstream.start("green"));
    controlPlane = started.use(
      await GoControlPlane.start(path.join(import.meta.dirname, "go-control-plane"), node),
    );
    await controlPlane.push({ clusters: [], listeners: [] });
    const bootstrap = adsBootstrap(node, controlPlane.xdsAddress);
    proxy = started.use(await ProxyProcess.start(bootstrap, ["--drain-time-s", "60"]));
  });

  after(() => started.disposeAsync());

  test("a push of all four kinds is accepted and serves", async () => {
    const versions = await controlPlane.push({
      clusters: [cluster("web")],
      endpoints: [endpoints("web", blue.port)],
      listeners: [httpListener("front", "front-routes"), httpListener("other", "front-routes")],
      routes: [routes("front-routes", "web", "v1")],
    });
    for (const kind of ["clusters", "endpoints", "listeners", "routes"] as const) {
      const answer = await controlPlane.answered(kind, versions[kind]);
      assert.equal(answer.acked, versions[kind], `${kind}: ${answer.nacked?.error}`);
    }
    assert.deepEqual([...(await proxy.listenerPorts()).keys()].sort(), ["front", "other"]);
    assert.equal(await proxy.stat("listener_manager.total_listeners_active"), 2);
    const { status, body, tag } = await get(await portOf("front"));
    assert.deepEqual({ status, body, tag }, { status: 200, body: "blue", tag: "v1" });
  });

  test("a change of routes sends routes alone, and opens no listener anew", async () => {
    const before = await proxy.stat("listener_manager.listener_modified");
    const earlier = await controlPlane.status();
    const versions = await controlPlane.push({ routes: [routes("front-routes", "web", "v2")] });
    await controlPlane.answered("routes", versions.routes);
    await until(
      async () => (await get(await portOf("front"))).tag === "v2",
      "the new route answers",
    );
    assert.equal(versions.listeners, earlier.nodes[node]?.listeners?.sent);
    assert.equal(await proxy.stat("listener_manager.listener_modified"), before);
  });

  test("an upstream is moved by its endpoints", async () => {
    const versions = await controlPlane.push({ endpoints: [endpoints("web", green.port)] });
    assert.equal((await controlPlane.answered("endpoints", versions.endpoints)).acked, "2");
    await until(async () => (await get(await portOf("front"))).body === "green", "green answers");
  });

  test("a bad listener is refused by name, the good one beside it applies", async () => {
    const bad = { ...httpListener("bad", "front-routes"), filterChains: [] };
    const good = ["front", "other", "good"].map((name) => httpListener(name, "front-routes"));
    const versions = await controlPlane.push({ listeners: [...good, bad] });
    const answer = await controlPlane.answered("listeners", versions.listeners);
    assert.equal(answer.nacked?.version, versions.listeners);
    assert.match(answer.nacked.error, /bad.*no filter chains specified/);
    assert.notEqual(answer.acked, versions.listeners);
    // More than one: go-control-plane sends again at once to whoever refuses.
    assert((await proxy.stat("listener_manager.lds.update_rejected")) >= 1);
    for (const name of ["front", "other", "good"])
      assert.equal((await get(await portOf(name))).status, 200, name);
    assert(!(await proxy.listenerPorts()).has("bad"));
  });

  test("a repaired push is accepted", async () => {
    const listeners = ["front", "other"].map((name) => httpListener(name, "front-routes"));
    const versions = await controlPlane.push({ listeners });
    assert.equal(
      (await controlPlane.answered("listeners", versions.listeners)).acked,
      versions.listeners,
    );
  });

  test("a removed listener drains alone: its request ends whole, the other is not touched", async () => {
    const port = await portOf("front");
    const otherPort = await portOf("other");
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    await get(otherPort, "/", agent);
    const finish = green.hold();
    const slow = get(port, "/slow");
    await finish.arrived;

    const versions = await controlPlane.remove("listeners", "front");
    await controlPlane.answered("listeners", versions.listeners);
    await until(() => isRefused(port), "new connections are refused");
    assert.deepEqual([...(await proxy.listenerPorts()).keys()], ["other"]);
    // Envoy also counts `good`, removed before: it keeps a drained listener for the whole drain time.
    assert((await proxy.stat("listener_manager.total_listeners_draining")) >= 1);
    const kept = await get(otherPort, "/", agent);
    assert.equal(kept.status, 200);
    assert(kept.isReused, "the kept connection was closed");

    finish.release();
    assert.equal((await slow).body, "green");
    agent.destroy();
  });

  async function portOf(name: string): Promise<number> {
    return until(async () => (await proxy.listenerPorts()).get(name), `${name} listens`);
  }
});
