import assert from "node:assert/strict";
import { test } from "node:test";
import { AdsMux } from "../../../src/control/xds/ads-mux.ts";
import type { ResourceBatch, ResourceState } from "../../../src/control/xds/resource-batch.ts";
import { noXdsStats } from "../../../src/control/xds/xds-stats.ts";
import { FakeAdsTransport } from "../../support/fake-ads-transport.ts";
import { seededRandom } from "../../support/seeded-random.ts";
import { silentLogger } from "../../support/silent-logger.ts";
import { textResource, textType } from "../../support/text-resources.ts";
import { VirtualClock } from "../../support/virtual-clock.ts";

const cds = textType("CDS", "type.googleapis.com/test.Cluster", true);
const eds = textType("EDS", "type.googleapis.com/test.Endpoints", false);
const lds = textType("LDS", "type.googleapis.com/test.Listener", true);

function start(): { clock: VirtualClock; transport: FakeAdsTransport; mux: AdsMux } & Disposable {
  const clock = new VirtualClock();
  const transport = new FakeAdsTransport();
  const mux = new AdsMux({
    transport,
    clock,
    random: seededRandom(1),
    logger: silentLogger,
    stats: noXdsStats,
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

function pushOf(
  type: { typeUrl: string },
  version: string,
  texts: Readonly<Record<string, string>>,
) {
  return {
    version,
    nonce: `n${version}`,
    typeUrl: type.typeUrl,
    resources: Object.entries(texts).map(([name, text]) => ({
      typeUrl: type.typeUrl,
      bytes: textResource(name, text),
    })),
  };
}

test("subscriptions of one turn go out once per type, clusters before listeners, with the node", async () => {
  using sluice = start();
  sluice.mux.changes$(lds).subscribe();
  sluice.mux.resource$(eds, "x").subscribe();
  sluice.mux.resource$(eds, "y").subscribe();
  sluice.mux.changes$(cds).subscribe();
  await sluice.clock.advance(0);
  const requests = sluice.transport.last.taken();
  assert.deepEqual(
    requests.map(({ typeUrl, names }) => [typeUrl, names]),
    [
      [cds.typeUrl, []],
      [eds.typeUrl, ["x", "y"]],
      [lds.typeUrl, []],
    ],
  );
  assert(requests.every(({ nodeId, nonce, version }) => nodeId === "n" && nonce + version === ""));
});

test("the answer waits for the observers, and requests they cause follow it as one", async () => {
  using sluice = start();
  const { promise, resolve } = Promise.withResolvers<void>();
  sluice.mux.changes$(cds).subscribe((batch) => {
    batch.waitFor(promise);
    for (const { name } of batch.changed) sluice.mux.resource$(eds, name).subscribe();
  });
  await sluice.clock.advance(0);
  sluice.transport.last.taken();
  const read = sluice.transport.last.respond(pushOf(cds, "1", { a: "1", b: "2", c: "3" }));
  await sluice.clock.advance(0);
  assert.deepEqual(sluice.transport.last.taken(), []);
  resolve();
  await read;
  const [ack, endpoints, ...rest] = sluice.transport.last.taken();
  assert.deepEqual(
    [ack?.typeUrl, ack?.version, ack?.nonce, ack?.error],
    [cds.typeUrl, "1", "n1", undefined],
  );
  assert.deepEqual([endpoints?.typeUrl, endpoints?.names], [eds.typeUrl, ["a", "b", "c"]]);
  assert.deepEqual(rest, []);
});

test("a NACK carries every error and the last good version; the good part is applied", async () => {
  using sluice = start();
  const batches: ResourceBatch<string>[] = [];
  sluice.mux.changes$(lds).subscribe((batch) => {
    batches.push(batch);
    for (const { name, value } of batch.changed) if (value === "busy") batch.refuse(name, "in use");
  });
  await sluice.clock.advance(0);
  await sluice.transport.last.respond(pushOf(lds, "1", { a: "one" }));
  sluice.transport.last.taken();
  await sluice.transport.last.respond(pushOf(lds, "2", { a: "bad", b: "busy", c: "new" }));
  const [nack] = sluice.transport.last.taken();
  assert.deepEqual([nack?.version, nack?.nonce], ["1", "n2"]);
  assert.equal(
    nack?.error,
    "Error adding/updating listener(s) a: text is bad; and so on\nb: in use",
  );
  assert.deepEqual(
    batches[1]?.changed.map(({ name }) => name),
    ["b", "c"],
  );
  assert.deepEqual(batches[1].removed, []);
  const states = sluice.mux
    .status()
    .types[0]?.resources.map(({ name, state }) => `${name} ${state}`);
  assert.deepEqual(new Set(states), new Set(["a nacked", "b nacked", "c acked"]));
});

test("equal bytes are not delivered twice, and are accepted", async () => {
  using sluice = start();
  const batches: ResourceBatch<string>[] = [];
  sluice.mux.changes$(lds).subscribe((batch) => batches.push(batch));
  await sluice.clock.advance(0);
  await sluice.transport.last.respond(pushOf(lds, "1", { a: "one", b: "two" }));
  await sluice.transport.last.respond(pushOf(lds, "2", { a: "one", b: "three" }));
  assert.deepEqual(
    batches[1]?.changed.map(({ name, value }) => [name, value]),
    [["b", "three"]],
  );
  assert.equal(sluice.transport.last.taken().at(-1)?.version, "2");
});

test("a broken stream is opened again after a while, with the versions and without the nonces", async () => {
  using sluice = start();
  sluice.mux.changes$(lds).subscribe();
  await sluice.clock.advance(0);
  await sluice.transport.last.respond(pushOf(lds, "1", { a: "one" }));
  sluice.transport.last.handlers.ended("14, gone");
  assert.equal(sluice.mux.status().stream.kind, "backingOff");
  await sluice.clock.advance(500);
  assert.equal(sluice.transport.calls.length, 2);
  const [request] = sluice.transport.last.taken();
  assert.deepEqual([request?.version, request?.nonce, request?.names], ["1", "", []]);
});

test("retries spread out to 30 s, and an answer makes them quick again", async () => {
  using sluice = start();
  sluice.mux.changes$(lds).subscribe();
  await sluice.clock.advance(0);
  let longestMs = 0;
  for (let attempt = 0; attempt < 40; attempt++) {
    const calls = sluice.transport.calls.length;
    sluice.transport.last.handlers.ended("14, refused");
    const { stream } = sluice.mux.status();
    assert(stream.kind === "backingOff" && stream.retryInMs <= 30_000);
    longestMs = Math.max(longestMs, stream.retryInMs);
    await sluice.clock.advance(stream.retryInMs);
    assert.equal(sluice.transport.calls.length, calls + 1);
  }
  assert(longestMs > 15_000, `longest ${longestMs}`);
  await sluice.transport.last.respond(pushOf(lds, "1", {}));
  sluice.transport.last.handlers.ended("14, gone");
  const { stream } = sluice.mux.status();
  assert(stream.kind === "backingOff" && stream.retryInMs < 500);
});

test("an unreadable response ends the stream; what is held stays", async () => {
  using sluice = start();
  const states: ResourceState<string>["kind"][] = [];
  sluice.mux.resource$(eds, "x").subscribe(({ kind }) => states.push(kind));
  await sluice.clock.advance(0);
  await sluice.transport.last.respond(pushOf(eds, "1", { x: "one" }));
  await sluice.transport.last.handlers.received(new Uint8Array([18, 255, 255, 3, 1]));
  assert(sluice.transport.last.isCancelled);
  assert.equal(sluice.mux.status().stream.kind, "backingOff");
  assert.deepEqual(states, ["requested", "present"]);
});

test("a resource nobody sends is absent after the initial fetch timeout, and may still come", async () => {
  using sluice = start();
  const states: ResourceState<string>[] = [];
  sluice.mux.resource$(eds, "x").subscribe((state) => states.push(state));
  sluice.mux.resource$(eds, "y", { initialFetchTimeoutMs: 0 }).subscribe();
  await sluice.clock.advance(15_000);
  assert.deepEqual(states.at(-1), { kind: "absent", reason: "timeout" });
  await sluice.transport.last.respond(pushOf(eds, "1", { x: "late" }));
  assert.equal(states.at(-1)?.kind, "present");
});

test("a wildcard subscription counts as answered by a bad response, and by time", async () => {
  using sluice = start();
  const answered = sluice.mux.whenAnswered(lds);
  const timedOut = sluice.mux.whenAnswered(cds);
  sluice.mux.changes$(lds).subscribe();
  sluice.mux.changes$(cds).subscribe();
  await sluice.clock.advance(0);
  await sluice.transport.last.respond(pushOf(lds, "1", { a: "bad" }));
  assert.equal(await answered, "answered");
  await sluice.clock.advance(15_000);
  assert.equal(await timedOut, "timeout");
});

test("the last observer of a name takes the subscription back, and only the last", async () => {
  using sluice = start();
  const first = sluice.mux.resource$(eds, "x").subscribe();
  const second = sluice.mux.resource$(eds, "x").subscribe();
  sluice.mux.resource$(eds, "y").subscribe();
  await sluice.clock.advance(0);
  sluice.transport.last.taken();
  first.unsubscribe();
  await sluice.clock.advance(0);
  assert.deepEqual(sluice.transport.last.taken(), []);
  second.unsubscribe();
  await sluice.clock.advance(0);
  assert.deepEqual(
    sluice.transport.last.taken().map(({ names }) => names),
    [["y"]],
  );
});

test("no response is read while the answer to the one before cannot leave", async () => {
  using sluice = start();
  sluice.mux.changes$(lds).subscribe();
  await sluice.clock.advance(0);
  const call = sluice.transport.last;
  call.taken();
  call.canSend = false;
  let isRead = false;
  const reading = call.respond(pushOf(lds, "1", {})).then(() => (isRead = true));
  await sluice.clock.advance(0);
  assert(!isRead);
  call.canSend = true;
  call.handlers.writable();
  await reading;
  assert.equal(call.taken().length, 1);
});

test("work that never ends refuses the batch after a minute", async () => {
  using sluice = start();
  sluice.mux.changes$(lds).subscribe((batch) => batch.waitFor(new Promise(() => {})));
  await sluice.clock.advance(0);
  sluice.transport.last.taken();
  void sluice.transport.last.respond(pushOf(lds, "1", { a: "one" }));
  await sluice.clock.advance(60_000);
  assert.equal(
    sluice.transport.last.taken()[0]?.error,
    "Error adding/updating listener(s) not applied within 60 s",
  );
});

test("rate_limit_settings hold requests back, and every response is answered all the same", async () => {
  const clock = new VirtualClock();
  const transport = new FakeAdsTransport();
  let enforced = 0;
  using mux = new AdsMux({
    transport,
    clock,
    random: seededRandom(1),
    logger: silentLogger,
    stats: {
      ...noXdsStats,
      controlPlane: { ...noXdsStats.controlPlane, rateLimitEnforced: () => void enforced++ },
    },
    node: new Uint8Array(),
    rateLimit: { maxTokens: 1, tokensPerSecond: 1 },
  });
  mux.changes$(lds).subscribe();
  await clock.advance(0);
  const call = transport.last;
  assert.equal(call.taken().length, 1);
  let isRead = false;
  const reading = call.respond(pushOf(lds, "1", {})).then(() => (isRead = true));
  await clock.advance(999);
  assert.deepEqual([call.taken(), isRead, enforced], [[], false, 1]);
  await clock.advance(1);
  await reading;
  assert.deepEqual(
    call.taken().map(({ version }) => version),
    ["1"],
  );
});

test("a response of a type that nobody asked for is counted, and neither answered nor fatal", async () => {
  const clock = new VirtualClock();
  const transport = new FakeAdsTransport();
  let ignored = 0;
  using mux = new AdsMux({
    transport,
    clock,
    random: seededRandom(1),
    logger: silentLogger,
    stats: {
      ...noXdsStats,
      controlPlane: { ...noXdsStats.controlPlane, ignored: () => void ignored++ },
    },
    node: new Uint8Array(),
  });
  mux.changes$(lds).subscribe();
  await clock.advance(0);
  const call = transport.last;
  call.taken();
  for (const typeUrl of [eds.typeUrl, "type.googleapis.com/unknown.Type", ""])
    await call.respond(pushOf({ typeUrl }, "1", {}));
  assert.deepEqual([ignored, call.taken()], [3, []]);
  await call.respond(pushOf(lds, "1", {}));
  assert.equal(call.taken().length, 1);
});

test("a connection that does not come about in time is given up", async () => {
  const clock = new VirtualClock();
  const transport = new FakeAdsTransport();
  using mux = new AdsMux({
    transport,
    clock,
    random: seededRandom(1),
    logger: silentLogger,
    stats: noXdsStats,
    node: new Uint8Array(),
    connectTimeoutMs: 1_000,
  });
  mux.changes$(lds).subscribe();
  await clock.advance(999);
  assert.equal(mux.status().stream.kind, "connecting");
  await clock.advance(1);
  assert.equal(mux.status().stream.kind, "backingOff");
  await clock.advance(500);
  transport.last.handlers.connected();
  await clock.advance(5_000);
  assert.equal(mux.status().stream.kind, "open");
});

test("who observes all of a type later begins with what is held, and waits for no answer", async () => {
  using sluice = start();
  const seen = { first: [] as string[], second: [] as string[] };
  const observe = (into: string[]) =>
    sluice.mux.changes$(lds).subscribe(({ version, changed, removed }) => {
      into.push(`${version}: +${changed.map(({ name }) => name).join()} -${removed.join()}`);
    });
  const first = observe(seen.first);
  await sluice.clock.advance(0);
  void sluice.transport.last.respond(pushOf(lds, "1", { a: "1", b: "1" }));
  await sluice.clock.advance(0);
  const second = observe(seen.second);
  assert.equal(await sluice.mux.whenAnswered(lds), "answered");
  assert.deepEqual(seen.second, ["1: +a,b -"]);
  void sluice.transport.last.respond(pushOf(lds, "2", { a: "2" }));
  await sluice.clock.advance(0);
  assert.deepEqual(seen.first, ["1: +a,b -", "2: +a -b"]);
  assert.deepEqual(seen.second, ["1: +a,b -", "2: +a -b"]);
  // With the last of them everything is forgotten, the answer too.
  first.unsubscribe();
  second.unsubscribe();
  let hasAnswered = false;
  const third = observe([]);
  void sluice.mux.whenAnswered(lds).then(() => (hasAnswered = true));
  await sluice.clock.advance(0);
  assert.equal(hasAnswered, false);
  third.unsubscribe();
});

test("a bad response is an answer, and is not accepted", async () => {
  using sluice = start();
  let isAccepted = false;
  void sluice.mux.whenAccepted(lds).then(() => (isAccepted = true));
  sluice.mux.changes$(lds).subscribe();
  await sluice.clock.advance(0);
  await sluice.transport.last.respond(pushOf(lds, "1", { a: "bad" }));
  assert.equal(await sluice.mux.whenAnswered(lds), "answered");
  assert.equal(isAccepted, false);
  await sluice.transport.last.respond(pushOf(lds, "2", { a: "1" }));
  await sluice.mux.whenAccepted(lds);
  assert(isAccepted);
});
