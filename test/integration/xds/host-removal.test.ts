/** A checked host that EDS forgets. `SLUICE_TEST_PROXY=envoy` runs it against Envoy. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { startHttpUpstream } from "../../support/http-peers.ts";
import { ProxyProcess } from "../../support/proxy-process.ts";
import { PushingServer } from "../../support/pushing-server.ts";
import {
  assignment,
  dynamicBootstrap,
  edsCluster,
  fromAds,
} from "../../support/truth-resources.ts";
import { until } from "../../support/until.ts";

const check = {
  timeout: "1s",
  interval: "0.05s",
  no_traffic_interval: "0.05s",
  unhealthy_threshold: 1,
  healthy_threshold: 1,
  http_health_check: { path: "/" },
};

/** The flags of the host as the admin shows them before and after EDS forgets it; empty: it is gone. */
async function flagsAfterRemoval(fields: object): Promise<string> {
  await using open = new AsyncDisposableStack();
  const upstream = open.use(await startHttpUpstream());
  const server = open.use(await PushingServer.start());
  server.offer("listeners", []);
  server.offer("clusters", [edsCluster("c", fromAds, { health_checks: [check], ...fields })]);
  server.offer("endpoints", [assignment("c", upstream.port)]);
  const proxy = open.use(await ProxyProcess.start(dynamicBootstrap(server.address)));
  const flags = async (): Promise<string> =>
    /^c::.*::health_flags::(.*)$/m.exec(await proxy.admin("/clusters"))?.[1] ?? "";
  await until(async () => (await flags()) === "healthy", "it is checked");
  await server.accepted("endpoints", [{ cluster_name: "c", endpoints: [] }]);
  return await flags();
}

test("one that is healthy stays, marked, unless the cluster says otherwise", async () => {
  assert.equal(await flagsAfterRemoval({}), "/pending_dynamic_removal");
  assert.equal(await flagsAfterRemoval({ ignore_health_on_host_removal: true }), "");
});
