import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { ProxyProcess } from "../../support/proxy-process.ts";
import { PushingServer } from "../../support/pushing-server.ts";
import {
  assignment,
  dynamicBootstrap,
  edsCluster,
  fromAds,
  httpListener,
  routesTo,
} from "../../support/truth-resources.ts";
import { until } from "../../support/until.ts";

async function upstream(open: AsyncDisposableStack, name: string): Promise<number> {
  const server = createServer((_, response) => response.end(name));
  open.defer(() => server.close().closeAllConnections());
  await once(server.listen(0, "127.0.0.1"), "listening");
  return (server.address() as AddressInfo).port;
}

interface Row {
  readonly name: string;
  readonly version: string;
  readonly state: string;
  readonly awaiting: readonly string[];
}

test("a route moves to a new cluster only when that one has its endpoints", async () => {
  await using open = new AsyncDisposableStack();
  const [oldPort, newPort] = [await upstream(open, "old"), await upstream(open, "new")];
  const controlPlane = open.use(await PushingServer.start());
  const rds = { config_source: fromAds, route_config_name: "routes" };
  // The new one waits for its endpoints for ever.
  const patient = { ...fromAds, initial_fetch_timeout: "0s" };
  controlPlane.offer("clusters", [edsCluster("old")]);
  controlPlane.offer("endpoints", [assignment("old", oldPort)]);
  controlPlane.offer("listeners", [httpListener("web", { rds })]);
  controlPlane.offer("routes", [routesTo("old")]);
  const proxy = open.use(await ProxyProcess.start(dynamicBootstrap(controlPlane.address)));
  const port = await until(async () => (await proxy.listenerPorts()).get("web"), "it serves");
  const answer = async () => (await fetch(`http://127.0.0.1:${port}/`)).text();
  const rowsOf = async (name: string) => {
    const text = await proxy.admin(`/status?name_regex=^${name}$`);
    return (JSON.parse(text) as { resources: Row[] }).resources;
  };
  assert.equal(await answer(), "old");

  await controlPlane.accepted("clusters", [edsCluster("old"), edsCluster("new", patient)]);
  await controlPlane.accepted("routes", [routesTo("new")]);
  const [serving, held] = await rowsOf("routes");
  assert.equal(serving?.state, "active");
  assert.deepEqual([held?.state, held?.awaiting], ["warming", ["cluster new"]]);
  assert.equal(await answer(), "old");
  assert.match(await proxy.admin("/init_dump"), /init manager Cluster new[^}]*eds new/);

  controlPlane.offer("endpoints", [assignment("old", oldPort), assignment("new", newPort)]);
  await until(async () => (await answer()) === "new", "the route has moved");
  assert.equal((await rowsOf("routes")).length, 1);
});
