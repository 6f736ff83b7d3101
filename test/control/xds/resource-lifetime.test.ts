import assert from "node:assert/strict";
import { test } from "node:test";
import { delta } from "../../../src/control/xds/delta-conversation.ts";
import type { ResourceBatch, ResourceState } from "../../../src/control/xds/resource-batch.ts";
import { sotw } from "../../../src/control/xds/sotw-conversation.ts";
import { textType } from "../../support/text-resources.ts";
import { XdsPeer } from "../../support/xds-peer.ts";

const cds = textType("CDS", "type.googleapis.com/test.Cluster", true);
const eds = textType("EDS", "type.googleapis.com/test.Endpoints", false);

for (const dialect of [sotw, delta]) {
  test(`${dialect.streamName}: a resource is gone when its time is over, unless a heartbeat comes`, async () => {
    using peer = new XdsPeer(dialect);
    const removed: string[] = [];
    peer.client.changes$(cds).subscribe((batch) => void removed.push(...batch.removed));
    const { typeUrl } = cds;
    const [a, b] = ["a", "b"].map((name) => ({ name, version: "1", ttlSeconds: 10 }));
    assert(a && b);
    await peer.send(typeUrl, { resources: [a, b, { name: "for ever" }] });
    await peer.clock.advance(6_000);
    await peer.send(typeUrl, { resources: [{ ...a, isHeartbeat: true }] });
    await peer.clock.advance(6_000);
    assert.deepEqual(removed, ["b"]);
    await peer.clock.advance(6_000);
    assert.deepEqual(removed, ["b", "a"]);
    await peer.clock.advance(60_000);
    assert.deepEqual(removed, ["b", "a"]);
  });

  test(`${dialect.streamName}: a heartbeat changes nothing, and one for what is not held gives nothing`, async () => {
    using peer = new XdsPeer(dialect);
    const batches: ResourceBatch<string>[] = [];
    peer.client.changes$(cds).subscribe((batch) => void batches.push(batch));
    const { typeUrl } = cds;
    const a = { name: "a", version: "1", ttlSeconds: 10 };
    await peer.send(typeUrl, { resources: [a] });
    const beats = [a, { ...a, name: "stranger" }].map((each) => ({ ...each, isHeartbeat: true }));
    await peer.send(typeUrl, { resources: beats });
    assert.deepEqual([batches[1]?.changed, batches[1]?.removed], [[], []]);
    assert.deepEqual(
      peer.client.status().types[0]?.resources.map(({ name, state }) => [name, state]),
      [["a", "acked"]],
    );
  });

  test(`${dialect.streamName}: what the server cannot give ends the wait and takes nothing away`, async () => {
    using peer = new XdsPeer(dialect);
    const states: ResourceState<string>[] = [];
    const kept: string[] = [];
    peer.client.resource$(eds, "x").subscribe((state) => void states.push(state));
    peer.client.resource$(eds, "y").subscribe(({ kind }) => void kept.push(kind));
    const { typeUrl } = eds;
    await peer.send(typeUrl, { resources: [{ name: "y" }] });
    await peer.send(typeUrl, { errors: ["x", "y"] });
    const reason = "the management server cannot give it: no such thing (5)";
    assert.deepEqual(states.at(-1), { kind: "rejected", errors: [reason] });
    assert.deepEqual(kept, ["requested", "present"]);
    const status = peer.statusOf("EDS", "x");
    assert.deepEqual([status?.state, status?.errors], ["unavailable", [reason]]);
    await peer.send(typeUrl, { resources: [{ name: "x" }] });
    assert.equal(states.at(-1)?.kind, "present");
  });
}
