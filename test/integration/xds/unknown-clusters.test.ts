import assert from "node:assert/strict";
import { test } from "node:test";
import { ProxyProcess } from "../../support/proxy-process.ts";
import { PushingServer } from "../../support/pushing-server.ts";
import {
  adsBootstrap,
  cluster,
  endpoints,
  httpListener,
  routes,
} from "../../support/xds-resources.ts";

test("routes that ask for it are refused while they name an unknown cluster", async () => {
  await using server = await PushingServer.start();
  server.offer("clusters", [cluster("known")]);
  server.offer("endpoints", [endpoints("known", 1)]);
  server.offer("listeners", [httpListener("front", "checked"), httpListener("back", "free")]);
  const checked = (to: string): object => ({
    ...routes("checked", to, "v1"),
    validateClusters: true,
  });
  server.offer("routes", [checked("nowhere"), routes("free", "nowhere", "v1")]);
  await using proxy = await ProxyProcess.start(adsBootstrap("node", server.address));

  // A proxy is live before its NACK is out, and the server sends again what it knows to be refused.
  assert.equal((await server.answered("routes")).kind, "nacked");
  const verdict = await server.push("routes", [
    checked("nowhere"),
    routes("free", "nowhere", "v2"),
  ]);
  assert.equal(verdict.kind, "nacked");
  assert.match(JSON.stringify(verdict), /checked: route: unknown cluster 'nowhere'/);
  assert.doesNotMatch(
    JSON.stringify(verdict),
    /free/,
    "without validate_clusters they may come later",
  );
  await server.accepted("routes", [checked("known"), routes("free", "nowhere", "v2")]);
  assert.match(await proxy.admin("/config_dump"), /validate_clusters/);
});
