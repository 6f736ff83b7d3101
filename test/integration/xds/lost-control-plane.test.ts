import assert from "node:assert/strict";
import { test } from "node:test";
import { get } from "../../support/http-client.ts";
import { HttpUpstream } from "../../support/http-upstream.ts";
import { ProxyProcess } from "../../support/proxy-process.ts";
import { SteadyClients } from "../../support/steady-clients.ts";
import { until } from "../../support/until.ts";
import {
  adsBootstrap,
  cluster,
  endpoints,
  httpListener,
  routes,
} from "../../support/xds-resources.ts";
import { XdsServerProcess } from "../../support/xds-server-process.ts";

test("a control plane that is killed and comes back is noticed by no client", async () => {
  using upstream = await HttpUpstream.start("up");
  await using server = new XdsServerProcess();
  server.write("clusters", [cluster("web")]);
  server.write("endpoints", [endpoints("web", upstream.port)]);
  server.write("routes", [routes("web", "web", "v1")]);
  server.write("listeners", [httpListener("front", "web")]);
  await server.start();
  await using proxy = await ProxyProcess.start(adsBootstrap("node", server.address));
  const port = await until(async () => (await proxy.listenerPorts()).get("front"), "front listens");
  await using keepAlive = new SteadyClients(port, 4, { keepAlive: true });
  await using short = new SteadyClients(port, 2, { keepAlive: false });

  await server.kill();
  const isConnected = async (): Promise<boolean> =>
    (await proxy.stat("control_plane.connected_state")) === 1;
  await until(async () => !(await isConnected()), "the proxy knows that it is gone");
  const during = keepAlive.completed + short.completed;
  await until(() => keepAlive.completed + short.completed > during + 200, "requests go on");
  // What changed meanwhile is applied when it is back; all else is as it was.
  server.write("routes", [routes("web", "web", "v2")]);
  await server.start();
  await until(async () => (await get(port)).tag === "v2", "the new routes are there");

  assert.deepEqual(await keepAlive.stop(), []);
  assert.deepEqual(await short.stop(), []);
  assert.equal(keepAlive.connections, 4, "a connection was closed");
  for (const [name, value] of Object.entries({
    "listener_manager.listener_added": 1,
    "listener_manager.listener_modified": 0,
    "listener_manager.listener_removed": 0,
    "listener_manager.total_listeners_draining": 0,
    "cluster_manager.cluster_removed": 0,
    "control_plane.connected_state": 1,
  }))
    assert.equal(await proxy.stat(name), value, name);
});
