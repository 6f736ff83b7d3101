import assert from "node:assert/strict";
import { test } from "node:test";
import { listenerTag } from "../../../src/shared/common/brand.ts";
import { startTestWorkers } from "../../support/test-workers.ts";

test("a throw outside a connection is logged and ends the worker with code 1 within two seconds", async () => {
  const workers = await startTestWorkers({ kind: "epoll", concurrency: 1 });
  const startMs = performance.now();
  // A slot table that cannot be: the handler of commands throws.
  workers.post({
    kind: "addListener",
    tag: listenerTag(1),
    config: undefined,
    sockets: null as never,
    unboundAddresses: [],
    slots: workers.slots({}),
    reply: 1,
  });
  const [link] = workers.links;
  assert(link);
  assert.equal(await link.exited, 1);
  assert(performance.now() - startMs < 2_000);
  assert.match(workers.bugs.join(), /worker 0 failed: .*TypeError/);
  await workers.end();
});
