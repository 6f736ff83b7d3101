import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { DiscoveryResponse } from "../../../src/control/xds/discovery-response.ts";
import type { ResourceBatch, ResourceType } from "../../../src/control/xds/resource-batch.ts";
import { compareDelta } from "../../../src/control/xds/delta-state.ts";
import {
  afterReply,
  afterRequest,
  compareWithHeld,
  namesToSend,
  noProgress,
  onNewStream,
} from "../../../src/control/xds/sotw-state.ts";
import { replyTo } from "../../../src/control/xds/reply.ts";
import { sotw } from "../../../src/control/xds/sotw-conversation.ts";
import { TypeSubscriptions } from "../../../src/control/xds/type-subscriptions.ts";
import { noXdsStats } from "../../../src/control/xds/xds-stats.ts";
import { textResource, textType } from "../../support/text-resources.ts";
import { VirtualClock } from "../../support/virtual-clock.ts";

const typeUrl = "type.googleapis.com/test.Text";
const names = ["a", "b", "c"] as const;
const isRefused = (text: string): boolean => text.startsWith("refuse");

interface Sent {
  readonly name: string;
  readonly text: string;
}

const anySent: fc.Arbitrary<Sent> = fc.record({
  name: fc.constantFrom(...names),
  text: fc.constantFrom("one", "two", "bad", "refuse"),
});
const anyResponses = fc.array(fc.array(anySent, { maxLength: 4 }), { maxLength: 8 });

function responseOf(version: string, resources: readonly Sent[]): DiscoveryResponse {
  return {
    version,
    typeUrl,
    nonce: version,
    serverIdentifier: "",
    resources: resources.map(({ name, text }) => ({
      name,
      version,
      typeUrl,
      bytes: textResource(name, text),
    })),
  };
}

/** The first of equal names counts; of a full type what is missing goes; the bad leaves what was. */
function applyToModel(
  model: Map<string, string>,
  resources: readonly Sent[],
  type: ResourceType<string>,
): { isGood: boolean; delivered: string[]; removed: string[] } {
  const seen = new Set<string>();
  const delivered: string[] = [];
  let isGood = true;
  for (const { name, text } of resources) {
    const isDuplicate = seen.has(name);
    const isSame = model.get(name) === text;
    seen.add(name);
    if (isDuplicate || text === "bad" || (isRefused(text) && !isSame)) isGood = false;
    if (isDuplicate || isSame || text === "bad") continue;
    delivered.push(name);
    if (!isRefused(text)) model.set(name, text);
  }
  const removed = type.isFullState ? [...model.keys()].filter((name) => !seen.has(name)) : [];
  for (const name of removed) model.delete(name);
  return { isGood, delivered, removed };
}

for (const isFullState of [true, false]) {
  test(`responses and a map agree, ${isFullState ? "full" : "partial"} state`, async () => {
    await fc.assert(
      fc.asyncProperty(anyResponses, async (responses) => {
        const type = textType("T", typeUrl, isFullState);
        using subscriptions = new TypeSubscriptions(type, {
          clock: new VirtualClock(),
          stats: noXdsStats,
          dialect: sotw,
          onInterest: () => {},
        });
        const batches: ResourceBatch<string>[] = [];
        subscriptions.observeBatches(
          {
            next: (batch) => {
              batches.push(batch);
              for (const { name, value } of batch.changed)
                if (isRefused(value)) batch.refuse(name, "not today");
            },
          },
          {},
        );
        for (const name of names) subscriptions.observeNamed(name, {}, {});
        const model = new Map<string, string>();
        for (const [index, resources] of responses.entries()) {
          const expected = applyToModel(model, resources, type);
          const reply = await subscriptions.answer(responseOf(`v${index}`, resources));
          const batch = batches.at(-1);
          assert.equal(batches.length, index + 1);
          assert.equal(reply.kind, expected.isGood ? "ack" : "nack");
          assert.deepEqual(
            batch?.changed.map(({ name }) => name),
            expected.delivered,
          );
          assert.deepEqual(batch.removed.toSorted(), expected.removed.toSorted());
          const held = subscriptions.status().resources.filter(({ version }) => version !== "");
          assert.deepEqual(new Set(held.map(({ name }) => name)), new Set(model.keys()));
        }
      }),
    );
  });
}

test("a resource that cannot be read removes nothing", () => {
  const held = new Map([["a", { version: "1", bytes: textResource("a", "one") }]]);
  const response = responseOf("2", []);
  const broken = { name: undefined, version: "2", typeUrl, bytes: new Uint8Array([10, 200]) };
  const interest = { all: true, names: new Set<string>() };
  const rules = { typeUrl, shortName: "T", isFullState: true };
  assert.deepEqual(compareWithHeld(held, response, rules, interest).removed, ["a"]);
  const comparison = compareWithHeld(held, { ...response, resources: [broken] }, rules, interest);
  assert.deepEqual(comparison.removed, []);
  assert.equal(comparison.rejected.length, 1);
});

test("what has no name is named by its content, where the type allows it and nothing is removed by name", () => {
  const [one, other] = ["one", "other"].map((text) => ({ name: "", text }));
  assert(one && other);
  const held = new Map([["<one>", { version: "1", bytes: textResource("", "one") }]]);
  const plain = { typeUrl, shortName: "T", isFullState: true };
  const rules = {
    ...plain,
    nameOfUnnamed: (bytes: Uint8Array) => `<${Buffer.from(bytes).toString().slice(4)}>`,
  };
  const interest = { all: true, names: new Set<string>() };
  const same = compareWithHeld(held, responseOf("2", [one]), rules, interest);
  assert.deepEqual([same.unchanged.length, same.candidates, same.removed], [1, [], []]);
  const next = compareWithHeld(held, responseOf("2", [other]), rules, interest);
  assert.deepEqual(
    next.candidates.map(({ name }) => name),
    ["<other>"],
  );
  assert.deepEqual(next.removed, ["<one>"]);
  for (const refused of [
    compareWithHeld(held, responseOf("2", [other]), plain, interest),
    compareDelta(held, responseOf("2", [other]), rules, interest),
  ]) {
    assert.deepEqual(refused.rejected[0]?.errors, ["resource without a name"]);
    assert.deepEqual(refused.removed, []);
  }
});

test("a resource of another type is refused in Envoy's words", () => {
  const bytes = textResource("a", "one");
  const resources = [{ name: "a", version: "1", typeUrl: "type.googleapis.com/other", bytes }];
  const { rejected } = compareWithHeld(
    new Map(),
    { ...responseOf("1", []), resources },
    { typeUrl, shortName: "T", isFullState: true },
    { all: true, names: new Set() },
  );
  assert.match(
    String(rejected[0]?.errors),
    /^type.googleapis.com\/other does not match the message-wide type URL/,
  );
});

test("a NACK says everything that is wrong, within the limit of a message", () => {
  const refused = (name: string, error: string) => ({
    name,
    version: "1",
    bytes: new Uint8Array(0),
    errors: [error],
  });
  const reply = replyTo([refused("a", "first"), refused("b", "second")], { shortName: "LDS" });
  assert.deepEqual(reply, {
    kind: "nack",
    detail: "Error adding/updating listener(s) a: first\nb: second",
  });
  const many = Array.from({ length: 10_000 }, () => refused("x", "y".repeat(1000)));
  const long = replyTo(many, { shortName: "RDS" });
  assert(long.kind === "nack" && long.detail.length < 1.1e6);
  assert.match(long.detail, /and \d+ more$/);
});

test("an ACK moves version and nonce, a NACK the nonce alone, a new stream keeps the version", () => {
  const first = afterReply(noProgress, responseOf("1", []), { kind: "ack" });
  const second = afterReply(
    first,
    { ...responseOf("2", []), nonce: "n2" },
    { kind: "nack", detail: "" },
  );
  assert.deepEqual([second.version, second.nonce], ["1", "n2"]);
  assert.deepEqual(onNewStream(second), { ...noProgress, version: "1" });
});

test("the list of names: empty is everything only until a name was sent on the stream", () => {
  const everything = { all: true, names: new Set<string>() };
  const some = { all: false, names: new Set(["a"]) };
  const nothing = { all: false, names: new Set<string>() };
  assert.deepEqual(namesToSend(everything, noProgress), []);
  assert.equal(namesToSend(nothing, noProgress), undefined);
  const named = afterRequest(noProgress, ["a"]);
  assert.deepEqual(namesToSend(everything, named), ["*"]);
  assert.deepEqual(namesToSend({ all: true, names: new Set(["a"]) }, noProgress), ["*", "a"]);
  assert.deepEqual(namesToSend(some, noProgress), ["a"]);
  assert.deepEqual(namesToSend(nothing, named), []);
  assert.deepEqual(namesToSend(everything, onNewStream(named)), []);
});
