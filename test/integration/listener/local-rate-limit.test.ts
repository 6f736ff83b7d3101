/** `local_ratelimit` of listener filters. The same against Envoy, by SLUICE_TEST_PROXY. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ListenerFilterStage, listenerFilter } from "../../support/listener-filter-stage.ts";
import { TestClient } from "../../support/tcp-peers.ts";

const rateLimit = (fields: object = {}) =>
  listenerFilter("local_ratelimit", "LocalRateLimit", {
    stat_prefix: "few",
    token_bucket: { max_tokens: 3, fill_interval: "3600s" },
    ...fields,
  });

/** Whether it was served. */
async function visit(stage: ListenerFilterStage): Promise<boolean> {
  const client = new TestClient(stage.port);
  await Promise.race([client.until(() => client.receivedBytes > 0), client.ended()]);
  client.socket.destroy();
  return client.receivedBytes > 0;
}

const visits = async (stage: ListenerFilterStage, count: number): Promise<number> => {
  let served = 0;
  for (let i = 0; i < count; i++) if (await visit(stage)) served++;
  return served;
};

test("connections beyond the rate are closed and counted, over all workers", async () => {
  await using stage = await ListenerFilterStage.start({
    filters: [rateLimit()],
    flags: ["--concurrency", "2"],
  });
  const served = await Promise.all(Array.from({ length: 8 }, () => visit(stage)));
  assert.equal(served.filter(Boolean).length, 3);
  assert.equal(await stage.proxy.stat("listener_local_ratelimit.few.rate_limited"), 5);
  assert.equal(await stage.stat("downstream_cx_total"), 3);
  assert.equal(await stage.stat("downstream_pre_cx_active"), 0);
});

test("the bucket fills again", async () => {
  const bucket = { max_tokens: 1, tokens_per_fill: 1, fill_interval: "0.05s" };
  await using stage = await ListenerFilterStage.start({
    filters: [rateLimit({ token_bucket: bucket })],
  });
  let served = 0;
  while (served < 3) served += await visits(stage, 1);
  assert.equal(served, 3);
});

test("runtime switches it off", async () => {
  const enabled = { default_value: false, runtime_key: "rate.on" };
  await using stage = await ListenerFilterStage.start({
    filters: [rateLimit({ runtime_enabled: enabled })],
  });
  assert.equal(await visits(stage, 6), 6);
});
