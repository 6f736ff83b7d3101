import assert from "node:assert/strict";
import { test } from "node:test";
import { aggregatedDiscovery } from "../../../src/control/proto/discovery-services.ts";
import { AdsMux } from "../../../src/control/xds/ads-mux.ts";
import { GrpcTransport } from "../../../src/control/xds/grpc-transport.ts";
import type { ResourceBatch } from "../../../src/control/xds/resource-batch.ts";
import { noXdsStats } from "../../../src/control/xds/xds-stats.ts";
import { systemClock } from "../../../src/shared/common/clock.ts";
import type { ServedResource } from "../../../src/xds-server/discovery-wire.ts";
import { writeDiscoveryResponse } from "../../../src/xds-server/discovery-wire.ts";
import { ManagementServer } from "../../../src/xds-server/management-server.ts";
import { seededRandom } from "../../support/seeded-random.ts";
import { silentLogger } from "../../support/silent-logger.ts";
import { textResource, textType } from "../../support/text-resources.ts";
import { until } from "../../support/until.ts";

const lds = textType("LDS", "type.googleapis.com/envoy.config.listener.v3.Listener", true);
const rds = textType("RDS", "type.googleapis.com/envoy.config.route.v3.RouteConfiguration", false);

function served(typeUrl: string, texts: Readonly<Record<string, string>>): ServedResource[] {
  return Object.entries(texts).map(([name, text]) => ({
    name,
    typeUrl,
    bytes: textResource(name, text),
  }));
}

function connect(port: number): AdsMux {
  return new AdsMux({
    transport: new GrpcTransport({
      method: aggregatedDiscovery().stream,
      targets: [{ name: "xds", endpoints: () => [`127.0.0.1:${port}`] }],
    }),
    clock: systemClock,
    random: seededRandom(1),
    backoff: { baseMs: 20, maxMs: 100 },
    logger: silentLogger,
    stats: noXdsStats,
    node: new Uint8Array([10, 6, ...Buffer.from("node-1")]),
  });
}

async function start() {
  const server = await ManagementServer.start();
  const client = connect(server.port);
  const batches: ResourceBatch<string>[] = [];
  return {
    server,
    client,
    batches,
    observe: () => client.changes$(lds).subscribe((batch) => void batches.push(batch)),
    push: (texts: Readonly<Record<string, string>>) =>
      server.setResources(lds.typeUrl, served(lds.typeUrl, texts)),
    async [Symbol.asyncDispose]() {
      client[Symbol.dispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

test("a push is applied and acknowledged, a bad one refused with its reasons", async () => {
  await using xds = await start();
  xds.push({ a: "one" });
  xds.observe();
  const [first] = await xds.server.awaitAnswer(lds.typeUrl);
  assert.deepEqual(first?.verdict, { kind: "acked", version: xds.server.versionOf(lds.typeUrl) });
  assert.equal(first.nodeId, "node-1");
  xds.push({ a: "one", b: "bad" });
  const [second] = await xds.server.awaitAnswer(lds.typeUrl);
  assert(second?.verdict.kind === "nacked");
  assert.equal(second.verdict.error, "Error adding/updating listener(s) b: text is bad; and so on");
  xds.push({});
  const [third] = await xds.server.awaitAnswer(lds.typeUrl);
  assert.equal(third?.verdict.kind, "acked");
  assert.deepEqual(xds.batches.at(-1)?.removed, ["a"]);
});

test("a server that is not there is tried again and again, and found when it comes", async () => {
  const gone = await ManagementServer.start();
  await gone[Symbol.asyncDispose]();
  using client = connect(gone.port);
  client.changes$(lds).subscribe();
  await until(() => client.status().stream.kind === "backingOff", "the first attempt fails");
  await using server = await ManagementServer.start({ address: `127.0.0.1:${gone.port}` });
  server.setResources(lds.typeUrl, served(lds.typeUrl, { a: "one" }));
  const [answer] = await server.awaitAnswer(lds.typeUrl);
  assert.equal(answer?.verdict.kind, "acked");
});

test("a named resource comes, changes, and is asked for again after a dropped stream", async () => {
  await using xds = await start();
  const texts: string[] = [];
  xds.client.resource$(rds, "r").subscribe((state) => {
    if (state.kind === "present") texts.push(state.resource.value);
  });
  xds.server.setResources(rds.typeUrl, served(rds.typeUrl, { r: "one", other: "unwanted" }));
  await until(() => texts.length === 1, "first version");
  xds.server.dropStreams();
  await until(() => xds.server.clientCount === 0, "the stream is gone");
  xds.server.setResources(rds.typeUrl, served(rds.typeUrl, { r: "two" }));
  await until(() => texts.length === 2, "second version over a new stream");
  assert.deepEqual(texts, ["one", "two"]);
});

test("the server goes away and returns on its port: configuration is kept, nothing is sent twice", async () => {
  const first = await ManagementServer.start();
  using client = connect(first.port);
  const batches: ResourceBatch<string>[] = [];
  client.changes$(lds).subscribe((batch) => void batches.push(batch));
  first.setResources(lds.typeUrl, served(lds.typeUrl, { a: "one" }));
  await first.awaitAnswer(lds.typeUrl);
  await first[Symbol.asyncDispose]();
  await until(() => client.status().stream.kind === "backingOff", "the client notices");
  assert.deepEqual(
    client.status().types[0]?.resources.map(({ state }) => state),
    ["acked"],
  );
  await using second = await ManagementServer.start({ address: `127.0.0.1:${first.port}` });
  second.setResources(lds.typeUrl, served(lds.typeUrl, { a: "one" }));
  await until(() => second.clientCount === 1, "the client is back");
  second.setResources(lds.typeUrl, served(lds.typeUrl, { a: "one", b: "two" }));
  const changed = (): string[] => batches.flatMap((batch) => batch.changed.map(({ name }) => name));
  await until(() => changed().includes("b"), "the second push");
  assert.deepEqual(changed(), ["a", "b"]);
});

test("garbage and truncated messages cost the stream, not the configuration", async () => {
  await using xds = await start();
  xds.push({ a: "one" });
  xds.observe();
  await xds.server.awaitAnswer(lds.typeUrl);
  const whole = writeDiscoveryResponse({
    version: "x",
    nonce: "x",
    typeUrl: lds.typeUrl,
    resources: served(lds.typeUrl, { z: "zzz" }),
  });
  for (const message of [Buffer.from("not protobuf at all"), whole.subarray(0, 40)]) {
    const before = xds.server.clientsSeen;
    xds.server.sendRaw(message);
    await until(() => xds.server.clientsSeen === before + 1, "the client opens another stream");
  }
  xds.push({ a: "two" });
  await until(() => xds.batches.at(-1)?.changed[0]?.value === "two", "the next good push");
});

test("truncated resources and a wrong type in Any are refused by name, and remove nothing", async () => {
  await using xds = await start();
  xds.push({ a: "one" });
  xds.observe();
  await xds.server.awaitAnswer(lds.typeUrl);
  const truncated = {
    name: "t",
    typeUrl: lds.typeUrl,
    bytes: textResource("t", "text").subarray(0, 2),
  };
  xds.server.setResources(lds.typeUrl, [...served(rds.typeUrl, { w: "wrong" }), truncated]);
  const [answer] = await xds.server.awaitAnswer(lds.typeUrl);
  assert(answer?.verdict.kind === "nacked");
  assert.match(answer.verdict.error, /does not match the message-wide type URL/);
  assert.match(answer.verdict.error, /cannot be read/);
  assert.deepEqual(xds.batches.at(-1)?.removed, []);
});

test("a response of 100 MB is taken like any other", async () => {
  await using xds = await start();
  const block = "x".repeat(1 << 20);
  const texts = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`r${i}`, block]));
  xds.push(texts);
  xds.observe();
  const [answer] = await xds.server.awaitAnswer(lds.typeUrl);
  assert.equal(answer?.verdict.kind, "acked");
  assert.equal(xds.batches[0]?.changed.length, 100);
});

test("the next message waits while a batch is being applied", async () => {
  await using xds = await start();
  const { promise, resolve } = Promise.withResolvers<void>();
  const seen: string[] = [];
  xds.client.changes$(lds).subscribe((batch) => {
    seen.push(batch.version);
    batch.waitFor(promise);
  });
  xds.push({ a: "one" });
  await until(() => seen.length === 1, "the first batch");
  xds.push({ a: "two" });
  xds.push({ a: "three" });
  await xds.server.flushed();
  assert.equal(seen.length, 1);
  resolve();
  await until(() => seen.length === 3, "the others, one by one");
});
