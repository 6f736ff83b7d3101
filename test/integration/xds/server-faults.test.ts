import assert from "node:assert/strict";
import { test } from "node:test";
import { aggregatedDiscovery } from "../../../src/control/proto/discovery-services.ts";
import { createProtoRegistry } from "../../../src/control/proto/proto-registry.ts";
import { readDiscoveryResponse } from "../../../src/control/xds/discovery-response.ts";
import type { Fault, FaultKind } from "../../../src/xds-server/faults/fault.ts";
import { ManagementServer } from "../../../src/xds-server/management-server.ts";
import { RawXdsClient } from "../../support/raw-xds-client.ts";
import { typeUrlOf } from "../../support/session-stage.ts";
import { textResource } from "../../support/text-resources.ts";
import { VirtualClock } from "../../support/virtual-clock.ts";

/** Each fault as a client sees it on the wire. What is decided is tested with `faults.test.ts`; here it arrives. */
const protos = createProtoRegistry();
const lds = typeUrlOf("LDS");

async function start(faults: readonly Fault[], clock?: VirtualClock) {
  const stack = new AsyncDisposableStack();
  const server = stack.use(await ManagementServer.start({ protos, ...(clock && { clock }) }));
  const push = (text: string): void =>
    server.setResources(lds, [{ name: "a", typeUrl: lds, bytes: textResource("a", text) }]);
  server.faults.set(faults);
  push("0");
  const client = stack.use(new RawXdsClient(server.port, aggregatedDiscovery().stream));
  client.ask("LDS");
  return { server, client, push, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

/** The nonces that arrive of three pushes, with `?` for what cannot be read. */
const arrivals: Readonly<Partial<Record<FaultKind, readonly string[]>>> = {
  drop: ["2", "3"],
  reorder: ["2", "1", "3"],
  duplicate: ["1", "1", "2", "3"],
  repeat: ["1", "2", "3", "4"],
  flood: ["1", "2", "3", "4", "5"],
  wrong_nonce: ["2", "3", "4"],
  reused_nonce: ["", "2", "3"],
  unasked_type: ["1", "2", "3", "4"],
  garbage: ["?", "2", "3"],
  truncate: ["?", "2", "3"],
  huge_length: ["?", "2", "3"],
};

for (const [kind, wanted] of Object.entries(arrivals) as [FaultKind, readonly string[]][])
  test(`${kind} on the wire`, async () => {
    await using stage = await start([{ kind, times: 1, count: 2, bytes: 20 }]);
    const { server, client, push } = stage;
    while (server.verdicts().length === 0) await server.nextEvent();
    push("1");
    push("2");
    const seen: string[] = [];
    while (seen.length < wanted.length) {
      const read = readDiscoveryResponse(await client.next());
      seen.push(read.ok ? read.value.nonce : "?");
    }
    assert.deepEqual(seen, wanted);
  });

test("delay holds a response back, and those behind it", async () => {
  const clock = new VirtualClock();
  await using stage = await start([{ kind: "delay", delayMs: 60_000, times: 1 }], clock);
  const { server, client, push } = stage;
  while (server.verdicts().length === 0) await server.nextEvent();
  push("1");
  await clock.advance(59_999);
  assert.equal(client.waiting, 0);
  await clock.advance(1);
  assert.equal((await client.response()).nonce, "1");
  assert.equal((await client.response()).nonce, "2");
});

test("close ends the stream with the status it is told", async () => {
  await using stage = await start([{ kind: "close", code: 8, message: "too much" }]);
  assert.deepEqual(await stage.client.end(), { code: 8, details: "too much" });
});

test("reset is a connection that is gone", async () => {
  await using stage = await start([{ kind: "reset" }]);
  assert.equal((await stage.client.end()).code, 14);
});

test("goaway: the response comes, the stream goes on for a while, another connection is opened", async () => {
  await using stage = await start([{ kind: "goaway", times: 1 }]);
  const { server, client, push } = stage;
  assert.equal((await client.response()).nonce, "1");
  push("1");
  assert.equal((await client.response()).nonce, "2", "what is open goes on");
  using next = new RawXdsClient(server.port, aggregatedDiscovery().stream);
  next.ask("LDS");
  assert.equal((await next.response()).nonce, "1");
});

test("half_dead: nothing is answered any more, on that stream", async () => {
  await using stage = await start([{ kind: "half_dead", times: 1 }]);
  const { server, client, push } = stage;
  while (server.verdicts().length === 0) await server.nextEvent();
  push("1");
  client.ask("CDS");
  using other = new RawXdsClient(server.port, aggregatedDiscovery().stream);
  other.ask("LDS");
  await other.response();
  assert.equal(client.waiting, 0);
});

test("slow: a response trickles, and arrives whole", async () => {
  await using stage = await start([{ kind: "slow", bytesPerS: 4_000 }]);
  const { resources } = await stage.client.response();
  assert.deepEqual(Buffer.from(resources[0]?.bytes ?? []), Buffer.from(textResource("a", "0")));
});

test("a resource with a TTL is kept alive, on the server's clock", async () => {
  const clock = new VirtualClock();
  await using server = await ManagementServer.start({ protos, clock });
  const bytes = textResource("a", "0");
  server.setResources(lds, [{ name: "a", typeUrl: lds, bytes, ttlMs: 10_000 }]);
  using client = new RawXdsClient(server.port, aggregatedDiscovery().delta);
  client.askDelta("LDS");
  const first = await client.deltaResponse();
  assert.equal(first.resources[0]?.wrapper?.ttlMs, 10_000);
  client.askDelta("LDS", { nonce: first.nonce });
  await server.awaitAnswer(lds);
  await clock.advance(5_000);
  const beat = await client.deltaResponse();
  assert.equal(beat.resources[0]?.wrapper?.isHeartbeat, true);
});
