import assert from "node:assert/strict";
import { test } from "node:test";
import { AdsMux } from "../../../src/control/xds/ads-mux.ts";
import { delta } from "../../../src/control/xds/delta-conversation.ts";
import type { ResourceBatch, ResourceState } from "../../../src/control/xds/resource-batch.ts";
import { noXdsStats } from "../../../src/control/xds/xds-stats.ts";
import { FakeAdsTransport } from "../../support/fake-ads-transport.ts";
import { seededRandom } from "../../support/seeded-random.ts";
import { silentLogger } from "../../support/silent-logger.ts";
import { textResource, textType } from "../../support/text-resources.ts";
import { VirtualClock } from "../../support/virtual-clock.ts";

const cds = textType("CDS", "type.googleapis.com/test.Cluster", true);
const eds = textType("EDS", "type.googleapis.com/test.Endpoints", false);

function start() {
  const clock = new VirtualClock();
  const transport = new FakeAdsTransport();
  const mux = new AdsMux({
    transport,
    clock,
    random: seededRandom(1),
    logger: silentLogger,
    stats: noXdsStats,
    dialect: delta,
    node: new Uint8Array([10, 1, 110]),
  });
  return {
    clock,
    transport,
    mux,
    [Symbol.dispose]: () => {
      mux[Symbol.dispose]();
      assert.equal(clock.pendingCount, 0, "no timer is left");
    },
  };
}

/** Versions of resources are their texts. */
function pushOf(
  { typeUrl }: { typeUrl: string },
  nonce: string,
  texts: Readonly<Record<string, string>>,
  removedNames: readonly string[] = [],
) {
  const resources = Object.entries(texts).map(([name, text]) => ({
    name,
    version: text,
    typeUrl,
    bytes: textResource(name, text),
  }));
  return { version: `s${nonce}`, nonce, typeUrl, resources, removedNames };
}

test("first requests name the subscription, answers carry the nonce and nothing else", async () => {
  using sluice = start();
  const removed: (readonly string[])[] = [];
  sluice.mux.changes$(cds).subscribe((batch) => void removed.push(batch.removed));
  sluice.mux.resource$(eds, "x").subscribe();
  await sluice.clock.advance(0);
  const call = sluice.transport.last;
  const [all, named] = call.takenDelta();
  assert.deepEqual([all?.typeUrl, all?.subscribe, all?.nodeId], [cds.typeUrl, [], "n"]);
  assert.deepEqual([named?.typeUrl, named?.subscribe], [eds.typeUrl, ["x"]]);
  await call.respondDelta(pushOf(cds, "n1", { a: "1", b: "1" }));
  await call.respondDelta(pushOf(cds, "n2", { c: "1" }, ["a", "never-there"]));
  const answers = call.takenDelta();
  assert.deepEqual(
    answers.map(({ nonce, error, subscribe }) => [nonce, error, subscribe]),
    [
      ["n1", undefined, []],
      ["n2", undefined, []],
    ],
  );
  assert.deepEqual(removed, [[], ["a"]]);
});

test("a NACK carries every error, the good part is applied, and the old version is what is held", async () => {
  using sluice = start();
  const batches: ResourceBatch<string>[] = [];
  sluice.mux.changes$(cds).subscribe((batch) => void batches.push(batch));
  await sluice.clock.advance(0);
  const call = sluice.transport.last;
  await call.respondDelta(pushOf(cds, "n1", { a: "1", b: "1" }));
  call.takenDelta();
  await call.respondDelta(pushOf(cds, "n2", { a: "bad", b: "2", d: "bad too" }));
  const [nack] = call.takenDelta();
  assert.equal(
    nack?.error,
    "Error adding/updating cluster(s) a: text is bad; and so on\nd: text is bad too; and so on",
  );
  assert.deepEqual(
    batches[1]?.changed.map(({ name }) => name),
    ["b"],
  );
  call.handlers.ended("14, gone");
  await sluice.clock.advance(500);
  const [again] = sluice.transport.last.takenDelta();
  assert.deepEqual(
    again?.initialVersions,
    new Map([
      ["a", "1"],
      ["b", "2"],
    ]),
  );
});

test("a new stream is told the whole subscription, and the versions only once", async () => {
  using sluice = start();
  sluice.mux.resource$(eds, "x").subscribe();
  sluice.mux.resource$(eds, "y").subscribe();
  await sluice.clock.advance(0);
  await sluice.transport.last.respondDelta(pushOf(eds, "n1", { x: "1" }));
  sluice.transport.last.handlers.ended("14, gone");
  await sluice.clock.advance(500);
  const call = sluice.transport.last;
  const [first] = call.takenDelta();
  assert.deepEqual(first?.subscribe.toSorted(), ["x", "y"]);
  assert.deepEqual([...first.initialVersions], [["x", "1"]]);
  assert.equal(first.nonce, "");
  await call.respondDelta(pushOf(eds, "n1", { y: "1" }));
  assert.equal(call.takenDelta()[0]?.initialVersions.size, 0);
});

test("equal bytes under another version change nothing but the version that is held", async () => {
  using sluice = start();
  const states: ResourceState<string>[] = [];
  sluice.mux.resource$(eds, "x").subscribe((state) => void states.push(state));
  await sluice.clock.advance(0);
  const { typeUrl } = eds;
  for (const version of ["1", "2"])
    await sluice.transport.last.respondDelta({
      ...pushOf(eds, version, {}),
      resources: [{ name: "x", version, typeUrl, bytes: textResource("x", "same") }],
    });
  assert.deepEqual(
    states.map(({ kind }) => kind),
    ["requested", "present"],
  );
  assert.equal(sluice.mux.status().types[0]?.resources[0]?.version, "2");
});

test("what is let go is told, what is taken back before that is not asked for again", async () => {
  using sluice = start();
  const first = sluice.mux.resource$(eds, "x").subscribe();
  sluice.mux.resource$(eds, "y").subscribe();
  await sluice.clock.advance(0);
  const call = sluice.transport.last;
  await call.respondDelta(pushOf(eds, "n1", { x: "1", y: "1" }));
  call.takenDelta();
  first.unsubscribe();
  const states: string[] = [];
  const second = sluice.mux.resource$(eds, "x").subscribe(({ kind }) => void states.push(kind));
  await sluice.clock.advance(0);
  assert.deepEqual(call.takenDelta(), []);
  assert.deepEqual(states, ["present"]);
  second.unsubscribe();
  await sluice.clock.advance(0);
  assert.deepEqual(call.takenDelta()[0]?.unsubscribe, ["x"]);
  sluice.mux.resource$(eds, "x").subscribe(({ kind }) => void states.push(kind));
  await sluice.clock.advance(0);
  assert.deepEqual(call.takenDelta()[0]?.subscribe, ["x"]);
  assert.deepEqual(states, ["present", "requested"]);
});

test("a name that does not exist is absent at once, and comes back when it is created", async () => {
  using sluice = start();
  const states: ResourceState<string>[] = [];
  sluice.mux.resource$(eds, "x").subscribe((state) => void states.push(state));
  await sluice.clock.advance(0);
  await sluice.transport.last.respondDelta(pushOf(eds, "n1", {}, ["x"]));
  assert.deepEqual(states.at(-1), { kind: "absent", reason: "removed" });
  await sluice.transport.last.respondDelta(pushOf(eds, "n2", { x: "1" }));
  assert.equal(states.at(-1)?.kind, "present");
});

test("a name beside everything ends what silence meant", async () => {
  using sluice = start();
  sluice.mux.changes$(cds).subscribe();
  await sluice.clock.advance(0);
  sluice.transport.last.takenDelta();
  sluice.mux.resource$(cds, "on-demand").subscribe();
  await sluice.clock.advance(0);
  assert.deepEqual(sluice.transport.last.takenDelta()[0]?.subscribe, ["*", "on-demand"]);
});
