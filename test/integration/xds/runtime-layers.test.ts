/** What RTDS answers to odd pushes, over the whole proxy. `SLUICE_TEST_PROXY=envoy` runs it against Envoy. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { DeltaServer } from "../../support/delta-server.ts";
import { ProxyProcess } from "../../support/proxy-process.ts";
import { PushingServer } from "../../support/pushing-server.ts";
import { dynamicBootstrap, fromAds } from "../../support/truth-resources.ts";

const type = "type.googleapis.com/envoy.service.runtime.v3.Runtime";

const layerOf = (name: string, value: number) => ({ name, layer: { key: value } });
const wrapped = (name: string, value: number) => ({
  name,
  resource: { "@type": type, ...layerOf(name, value) },
});

const bootstrapOf = (address: string, apiType?: string): object => ({
  ...dynamicBootstrap(address, apiType),
  layered_runtime: {
    layers: [{ name: "rtds", rtds_layer: { name: "pushed", rtds_config: fromAds } }],
  },
});

async function valueIn(proxy: ProxyProcess): Promise<string | undefined> {
  const { entries } = JSON.parse(await proxy.admin("/runtime")) as {
    entries: Record<string, { final_value: string }>;
  };
  return entries["key"]?.final_value;
}

test("state of the world: nothing, or another name, changes nothing; of two its own is taken", async () => {
  await using open = new AsyncDisposableStack();
  const server = open.use(await PushingServer.start());
  // Start-up waits for an answer of each.
  for (const kind of ["clusters", "listeners"]) server.offer(kind, []);
  server.offer("runtime", [layerOf("pushed", 1)]);
  const proxy = open.use(await ProxyProcess.start(bootstrapOf(server.address)));
  assert.equal(await valueIn(proxy), "1");
  await server.accepted("runtime", []);
  assert.equal(await valueIn(proxy), "1");
  await server.accepted("runtime", [layerOf("other", 2)]);
  assert.equal(await valueIn(proxy), "1");
  await server.accepted("runtime", [layerOf("pushed", 3), layerOf("other", 4)]);
  assert.equal(await valueIn(proxy), "3");
});

test("delta: the same, and a removal takes the values away", async () => {
  await using open = new AsyncDisposableStack();
  const server = open.use(
    await DeltaServer.start((asked) =>
      asked === type ? { resources: [wrapped("pushed", 1)] } : {},
    ),
  );
  const proxy = open.use(await ProxyProcess.start(bootstrapOf(server.address, "DELTA_GRPC")));
  assert.equal(await valueIn(proxy), "1");
  await server.push(type, {});
  await server.push(type, { resources: [wrapped("other", 2)] });
  assert.equal(await valueIn(proxy), "1");
  await server.push(type, { resources: [wrapped("pushed", 3), wrapped("other", 4)] });
  assert.equal(await valueIn(proxy), "3");
  await server.push(type, { removed_resources: ["pushed"] });
  assert.equal(await valueIn(proxy), undefined);
  assert.deepEqual(server.nacks, []);
});
