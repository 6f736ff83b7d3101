import assert from "node:assert/strict";
import { test } from "node:test";
import jspb from "google-protobuf";
import { AdsMux } from "../../../src/control/xds/ads-mux.ts";
import type { Dialect } from "../../../src/control/xds/conversation.ts";
import { delta } from "../../../src/control/xds/delta-conversation.ts";
import type { ResourceBatch, ResourceState } from "../../../src/control/xds/resource-batch.ts";
import { sotw } from "../../../src/control/xds/sotw-conversation.ts";
import { noXdsStats } from "../../../src/control/xds/xds-stats.ts";
import { FakeAdsTransport } from "../../support/fake-ads-transport.ts";
import { seededRandom } from "../../support/seeded-random.ts";
import { silentLogger } from "../../support/silent-logger.ts";
import { textResource, textType } from "../../support/text-resources.ts";
import { VirtualClock } from "../../support/virtual-clock.ts";

const cds = textType("CDS", "type.googleapis.com/test.Cluster", true);
const eds = textType("EDS", "type.googleapis.com/test.Endpoints", false);
const wrapperUrl = "type.googleapis.com/envoy.service.discovery.v3.Resource";

function start(dialect: Dialect) {
  const clock = new VirtualClock();
  const transport = new FakeAdsTransport();
  const mux = new AdsMux({
    transport,
    clock,
    random: seededRandom(1),
    logger: silentLogger,
    stats: noXdsStats,
    dialect,
    node: new Uint8Array(),
  });
  let nonces = 0;
  return {
    clock,
    transport,
    mux,
    /** Wrapped resources, and what the server cannot give, in a message of the dialect. */
    async send(typeUrl: string, wrappers: readonly Uint8Array[], errors: readonly string[] = []) {
      await clock.advance(0);
      const writer = new jspb.BinaryWriter();
      writer.writeString(1, "v");
      for (const wrapper of wrappers)
        writer.writeBytes(2, dialect === delta ? wrapper : anyOf(wrapperUrl, wrapper));
      writer.writeString(4, typeUrl);
      writer.writeString(5, `n${++nonces}`);
      for (const name of errors) writer.writeBytes(dialect === delta ? 9 : 7, errorOf(name));
      await transport.last.handlers.received(writer.getResultBuffer());
    },
    [Symbol.dispose]: () => {
      mux[Symbol.dispose]();
      assert.equal(clock.pendingCount, 0, "no timer is left");
    },
  };
}

function anyOf(typeUrl: string, bytes: Uint8Array): Uint8Array {
  const writer = new jspb.BinaryWriter();
  writer.writeString(1, typeUrl);
  writer.writeBytes(2, bytes);
  return writer.getResultBuffer();
}

/** Without text it is a heartbeat. */
function wrapped(typeUrl: string, name: string, ttlSeconds: number, text?: string): Uint8Array {
  const writer = new jspb.BinaryWriter();
  writer.writeString(1, "v1");
  if (text !== undefined) writer.writeBytes(2, anyOf(typeUrl, textResource(name, text)));
  writer.writeString(3, name);
  if (ttlSeconds > 0) {
    const duration = new jspb.BinaryWriter();
    duration.writeInt64(1, ttlSeconds);
    writer.writeBytes(6, duration.getResultBuffer());
  }
  return writer.getResultBuffer();
}

/** `ResourceError`: NOT_FOUND. */
function errorOf(resource: string): Uint8Array {
  const name = new jspb.BinaryWriter();
  name.writeString(1, resource);
  const status = new jspb.BinaryWriter();
  status.writeInt32(1, 5);
  status.writeString(2, "no such thing");
  const writer = new jspb.BinaryWriter();
  writer.writeBytes(1, name.getResultBuffer());
  writer.writeBytes(2, status.getResultBuffer());
  return writer.getResultBuffer();
}

for (const dialect of [sotw, delta]) {
  test(`${dialect.streamName}: a resource is gone when its time is over, unless a heartbeat comes`, async () => {
    using sluice = start(dialect);
    const removed: string[] = [];
    sluice.mux.changes$(cds).subscribe((batch) => void removed.push(...batch.removed));
    const { typeUrl } = cds;
    const both = [wrapped(typeUrl, "a", 10, "one"), wrapped(typeUrl, "b", 10, "one")];
    await sluice.send(typeUrl, [...both, wrapped(typeUrl, "for ever", 0, "one")]);
    await sluice.clock.advance(6_000);
    await sluice.send(typeUrl, [wrapped(typeUrl, "a", 10)]);
    await sluice.clock.advance(6_000);
    assert.deepEqual(removed, ["b"]);
    await sluice.clock.advance(6_000);
    assert.deepEqual(removed, ["b", "a"]);
    await sluice.clock.advance(60_000);
    assert.deepEqual(removed, ["b", "a"]);
  });

  test(`${dialect.streamName}: a heartbeat changes nothing, and one for what is not held gives nothing`, async () => {
    using sluice = start(dialect);
    const batches: ResourceBatch<string>[] = [];
    sluice.mux.changes$(cds).subscribe((batch) => void batches.push(batch));
    const { typeUrl } = cds;
    await sluice.send(typeUrl, [wrapped(typeUrl, "a", 10, "one")]);
    await sluice.send(typeUrl, [wrapped(typeUrl, "a", 10), wrapped(typeUrl, "stranger", 10)]);
    assert.deepEqual([batches[1]?.changed, batches[1]?.removed], [[], []]);
    assert.deepEqual(
      sluice.mux.status().types[0]?.resources.map(({ name, state }) => [name, state]),
      [["a", "acked"]],
    );
  });

  test(`${dialect.streamName}: what the server cannot give ends the wait and takes nothing away`, async () => {
    using sluice = start(dialect);
    const states: ResourceState<string>[] = [];
    const kept: string[] = [];
    sluice.mux.resource$(eds, "x").subscribe((state) => void states.push(state));
    sluice.mux.resource$(eds, "y").subscribe(({ kind }) => void kept.push(kind));
    const { typeUrl } = eds;
    await sluice.send(typeUrl, [wrapped(typeUrl, "y", 0, "one")]);
    await sluice.send(typeUrl, [], ["x", "y"]);
    const reason = "the management server cannot give it: no such thing (5)";
    assert.deepEqual(states.at(-1), { kind: "rejected", errors: [reason] });
    assert.deepEqual(kept, ["requested", "present"]);
    const [status] =
      sluice.mux.status().types[0]?.resources.filter(({ name }) => name === "x") ?? [];
    assert.deepEqual([status?.state, status?.errors], ["unavailable", [reason]]);
    await sluice.send(typeUrl, [wrapped(typeUrl, "x", 0, "late")]);
    assert.equal(states.at(-1)?.kind, "present");
  });
}
