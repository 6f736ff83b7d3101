import assert from "node:assert/strict";
import { test } from "node:test";
import jspb from "google-protobuf";
import { resourceVersion } from "../../src/xds-server/resource-version.ts";
import { SessionStage, typeUrlOf } from "../support/session-stage.ts";
import { textResource } from "../support/text-resources.ts";

test("a wildcard client is greeted even if there is nothing, then told what changed", () => {
  const stage = new SessionStage("delta");
  stage.offer("LDS", {});
  stage.askDelta("LDS");
  assert.deepEqual(stage.said(), ["LDS"]);
  stage.offer("LDS", { a: "1", b: "1" }).push();
  stage.offer("LDS", { b: "2" }).push();
  assert.deepEqual(stage.said(), ["LDS a,b", "LDS b -a"]);
});

test("what was never set is unknown, not empty", () => {
  const stage = new SessionStage("delta");
  stage.askDelta("RDS", { subscribe: ["a"] });
  assert.deepEqual(stage.said(), []);
  stage.offer("RDS", {}).push();
  assert.deepEqual(stage.said(), ["RDS  -a"]);
});

test("only what differs from initial_resource_versions is sent, and what is gone", () => {
  const stage = new SessionStage("delta");
  const same = { name: "same", typeUrl: typeUrlOf("LDS"), bytes: textResource("same", "1") };
  stage.offer("LDS", { same: "1", changed: "2", added: "1" });
  stage.askDelta("LDS", {
    initialVersions: new Map([
      ["same", resourceVersion(same)],
      ["changed", "old"],
      ["gone", "old"],
    ]),
  });
  assert.deepEqual(stage.said(), ["LDS changed,added -gone"]);
});

test("a name is answered whenever it is subscribed: there, held already, or not there", () => {
  const stage = new SessionStage("delta");
  stage.offer("EDS", { a: "1" });
  stage.askDelta("EDS", { subscribe: ["a", "b"] });
  assert.deepEqual(stage.said(), ["EDS a -b"]);
  stage.askDelta("EDS", { subscribe: ["a"] });
  assert.deepEqual(stage.said(), ["EDS a"]);
});

test("subscriptions count whatever the nonce; answers only to what awaits one", () => {
  const stage = new SessionStage("delta");
  stage.offer("EDS", { a: "1", b: "1" });
  stage.askDelta("EDS", { subscribe: ["a"] });
  const [first] = stage.taken();
  stage.askDelta("EDS", { subscribe: ["b"], nonce: "outdated" });
  assert.deepEqual(stage.said(), ["EDS b"]);
  assert.deepEqual(stage.session.verdictOn(typeUrlOf("EDS")), { kind: "waiting" });
  stage.askDelta("EDS", { nonce: first?.nonce ?? "", error: "no" });
  const { nacked, verdict } = stage.session.status()[0] ?? {};
  assert.equal(nacked?.error, "no", "an older response was refused, which is told");
  assert.deepEqual(verdict, { kind: "waiting" });
});

test("a name that `*` covers as well is answered when it is unsubscribed", () => {
  const stage = new SessionStage("delta");
  stage.offer("LDS", { a: "1", b: "1" });
  stage.askDelta("LDS", { subscribe: ["*", "a", "absent"] });
  assert.deepEqual(stage.said(), ["LDS a,b -absent"]);
  stage.askDelta("LDS", { unsubscribe: ["a", "absent"] });
  assert.deepEqual(stage.said(), ["LDS a -absent"]);
  stage.askDelta("LDS", { unsubscribe: ["*"] });
  stage.offer("LDS", { a: "2", b: "2" }).push();
  assert.deepEqual(stage.said(), [], "nothing is wanted any more");
});

test("after a NACK what was refused is not sent again unchanged", () => {
  const stage = new SessionStage("delta");
  stage.offer("LDS", { a: "1" });
  stage.askDelta("LDS");
  const [first] = stage.taken();
  stage.askDelta("LDS", { nonce: first?.nonce ?? "", error: "bad" });
  assert.deepEqual(stage.said(), []);
  assert.equal(stage.session.verdictOn(typeUrlOf("LDS"))?.kind, "nacked");
});

test("two resources of one name are sent once, not for ever", () => {
  const stage = new SessionStage("delta");
  const typeUrl = typeUrlOf("LDS");
  stage.offer("LDS", { a: "1" });
  stage.askDelta("LDS");
  stage.taken();
  const twice = ["1", "2"].map((text) => ({ name: "a", typeUrl, bytes: textResource("a", text) }));
  stage.offerAs("LDS", twice).push();
  const [response] = stage.taken();
  assert.equal(response?.resources.length, 2);
  stage.askDelta("LDS", { nonce: response?.nonce ?? "" });
  assert.deepEqual(stage.said(), []);
});

test("a client that answers nothing is sent sixteen responses of a type, and the newest state later", () => {
  const stage = new SessionStage("delta");
  stage.offer("LDS", { a: "0" });
  stage.askDelta("LDS");
  for (let round = 1; round <= 40; round++) stage.offer("LDS", { a: `${round}` }).push();
  const sent = stage.taken();
  assert.equal(sent.length, 16);
  assert.deepEqual(stage.session.verdictOn(typeUrlOf("LDS")), { kind: "waiting" });
  stage.askDelta("LDS", { nonce: sent.at(-1)?.nonce ?? "" });
  const [last] = stage.taken();
  assert.deepEqual(
    Buffer.from(last?.resources[0]?.bytes ?? []),
    Buffer.from(textResource("a", "40")),
  );
});

function virtualHost(name: string, domains: readonly string[]): Uint8Array {
  const writer = new jspb.BinaryWriter();
  writer.writeString(1, name);
  for (const domain of domains) writer.writeString(2, domain);
  return writer.getResultBuffer();
}

test("virtual hosts are found by domain, answered under the name that was asked", () => {
  const stage = new SessionStage("delta");
  const typeUrl = typeUrlOf("VHDS");
  const host = (name: string, ...domains: readonly string[]) => ({
    name,
    typeUrl,
    bytes: virtualHost(name, domains),
  });
  stage.offerAs("VHDS", [
    host("rc/exact", "a.example"),
    host("rc/suffix", "*.example"),
    host("rc/prefix", "a.*"),
    host("other/any", "*"),
  ]);
  stage.askDelta("VHDS");
  assert.deepEqual(stage.said(), ["VHDS rc/,other/"], "a proxy waits to hear of its routes");
  const table = {
    "rc/a.example": "rc/exact",
    "rc/A.Example": "rc/exact",
    "rc/b.c.example": "rc/suffix",
    "rc/a.org": "rc/prefix",
    "other/x": "other/any",
  };
  for (const [asked, name] of Object.entries(table)) {
    stage.askDelta("VHDS", { subscribe: [asked] });
    const [response] = stage.taken();
    const found = response?.resources.find((one) => one.aliases?.includes(asked));
    assert.equal(found?.name, name, asked);
  }
});

test("a virtual host that is not known is answered with its name and nothing else", () => {
  const stage = new SessionStage("delta");
  stage.offer("VHDS", {});
  stage.askDelta("VHDS", { subscribe: ["rc/nobody"] });
  const [response] = stage.taken();
  assert.deepEqual(response?.removedNames, []);
  const [unresolved] = response?.resources ?? [];
  assert.deepEqual([unresolved?.name, unresolved?.aliases], ["rc/nobody", ["rc/nobody"]]);
  assert.equal(unresolved?.bytes, undefined);
  stage.push();
  assert.deepEqual(stage.said(), [], "once");
});

test("a resource with a TTL is kept alive without its bytes", () => {
  const stage = new SessionStage("delta");
  stage.offer("LDS", { a: "1" }, { ttlMs: 1_000 });
  stage.askDelta("LDS");
  const [first] = stage.taken();
  assert.equal(first?.resources[0]?.ttlMs, 1_000);
  stage.heartbeat();
  const [beat] = stage.taken();
  assert.deepEqual(
    beat?.resources.map(({ name, bytes, ttlMs }) => [name, bytes, ttlMs]),
    [["a", undefined, 1_000]],
  );
  assert.equal(beat?.resources[0]?.version, first?.resources[0]?.version);
});

test("types that nobody knows are served by their URL", () => {
  const stage = new SessionStage("delta");
  const type = "type.googleapis.com/example.Unknown";
  stage.offer(type, { a: "1" });
  stage.askDelta(type, { subscribe: ["a"] });
  assert.deepEqual(stage.said(), [`${type} a`.replace(type, "example.Unknown")]);
});

test("a client that makes types up is cut off", () => {
  const stage = new SessionStage("delta");
  assert.throws(() => {
    for (let n = 0; n < 65; n++) stage.askDelta(`type.googleapis.com/made.Up${n}`);
  }, /more than 64 types/);
});
