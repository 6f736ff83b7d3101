import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Interest } from "../../../src/control/xds/comparison.ts";
import { delta } from "../../../src/control/xds/delta-conversation.ts";
import {
  afterTelling,
  changeToTell,
  compareDelta,
  noDeltaProgress,
} from "../../../src/control/xds/delta-state.ts";
import type { DiscoveryResponse } from "../../../src/control/xds/discovery-response.ts";
import type { ResourceBatch } from "../../../src/control/xds/resource-batch.ts";
import { TypeSubscriptions } from "../../../src/control/xds/type-subscriptions.ts";
import { noXdsStats } from "../../../src/control/xds/xds-stats.ts";
import { textResource, textType } from "../../support/text-resources.ts";
import { VirtualClock } from "../../support/virtual-clock.ts";

const typeUrl = "type.googleapis.com/test.Text";
const names = ["a", "b", "c"] as const;
const rules = { typeUrl, shortName: "T", isFullState: true };

interface Sent {
  readonly name: string;
  readonly text: string;
}

function responseOf(
  version: string,
  resources: readonly Sent[],
  removedNames: readonly string[] = [],
): DiscoveryResponse {
  return {
    version,
    typeUrl,
    nonce: version,
    serverIdentifier: "",
    removedNames,
    resources: resources.map(({ name, text }) => ({
      name,
      version: `${version}-${text}`,
      typeUrl,
      bytes: textResource(name, text),
      wrapper: { aliases: [], ttlMs: undefined, isHeartbeat: false, innerName: name },
    })),
  };
}

const anyInterest: fc.Arbitrary<Interest> = fc.record({
  all: fc.boolean(),
  names: fc.subarray([...names]).map((some) => new Set(some)),
});

test("a server that applies what it is told always knows the interest", () => {
  fc.assert(
    fc.property(fc.array(anyInterest, { minLength: 1, maxLength: 10 }), (interests) => {
      let progress = noDeltaProgress;
      // The server's side, by the rules of the protocol: an empty first request is everything.
      const server = { names: new Set<string>(), isImplied: false };
      for (const interest of interests) {
        const change = changeToTell(interest, progress);
        if (change) {
          if (!progress.hasAsked) server.isImplied = change.subscribe.length === 0;
          else if (change.subscribe.length > 0) server.isImplied = false;
          for (const name of change.subscribe) server.names.add(name);
          for (const name of change.unsubscribe) server.names.delete(name);
          if (change.unsubscribe.includes("*")) server.isImplied = false;
          progress = afterTelling(interest, progress);
        }
        const known = new Set(server.names);
        if (server.isImplied) known.add("*");
        const wanted = new Set<string>(interest.names);
        if (interest.all) wanted.add("*");
        assert.deepEqual(known, wanted);
        assert.equal(changeToTell(interest, progress), undefined, "nothing is told twice");
      }
    }),
  );
});

test("responses and a map agree: only what is named as removed goes", async () => {
  const anySent = fc.record({
    name: fc.constantFrom(...names),
    text: fc.constantFrom("one", "two", "bad"),
  });
  const anyResponse = fc.record({
    resources: fc.array(anySent, { maxLength: 4 }),
    removed: fc.array(fc.constantFrom(...names), { maxLength: 2 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(anyResponse, { maxLength: 8 }), async (responses) => {
      using subscriptions = new TypeSubscriptions(textType("T", typeUrl, true), {
        clock: new VirtualClock(),
        stats: noXdsStats,
        dialect: delta,
        onInterest: () => {},
      });
      const batches: ResourceBatch<string>[] = [];
      subscriptions.observeBatches({ next: (batch) => void batches.push(batch) }, {});
      const model = new Map<string, string>();
      for (const [index, { resources, removed }] of responses.entries()) {
        const expected = applyToModel(model, resources, removed);
        const reply = await subscriptions.answer(responseOf(`v${index}`, resources, removed));
        assert.equal(reply.kind, expected.isGood ? "ack" : "nack");
        const batch = batches.at(-1);
        assert.deepEqual(
          batch?.changed.map(({ name }) => name),
          expected.delivered,
        );
        assert.deepEqual(batch.removed.toSorted(), expected.removed.toSorted());
        assert.deepEqual(new Set(subscriptions.held.keys()), new Set(model.keys()));
      }
    }),
  );
});

function applyToModel(
  model: Map<string, string>,
  resources: readonly Sent[],
  removedNames: readonly string[],
): { isGood: boolean; delivered: string[]; removed: string[] } {
  const seen = new Set<string>();
  const sent = new Set(resources.map(({ name }) => name));
  const delivered: string[] = [];
  let isGood = removedNames.every((name) => !sent.has(name));
  for (const { name, text } of resources) {
    const isDuplicate = seen.has(name);
    seen.add(name);
    const isSame = model.get(name) === text;
    if (isDuplicate) isGood = false;
    if (isDuplicate || isSame || removedNames.includes(name)) continue;
    if (text === "bad") {
      isGood = false;
      continue;
    }
    delivered.push(name);
    model.set(name, text);
  }
  const removed = [...new Set(removedNames)].filter((name) => !sent.has(name) && model.has(name));
  for (const name of removed) model.delete(name);
  return { isGood, delivered, removed };
}

test("a resource is known by an alias that was asked for, and delivered under it", () => {
  const [plain] = responseOf("1", [{ name: "canonical", text: "one" }]).resources;
  assert(plain?.wrapper);
  const aliased = { ...plain, wrapper: { ...plain.wrapper, aliases: ["x", "y", "z"] } };
  const interest = { all: false, names: new Set(["x", "z"]) };
  const response = { ...responseOf("1", []), resources: [aliased] };
  const { candidates } = compareDelta(new Map(), response, rules, interest);
  assert.deepEqual(
    candidates.map(({ name }) => name),
    ["x", "z"],
  );
});

test("a resource that calls itself otherwise than its wrapper is refused by name", () => {
  const [plain] = responseOf("1", [{ name: "a", text: "one" }]).resources;
  assert(plain?.wrapper);
  const other = { ...plain, wrapper: { ...plain.wrapper, innerName: "b" } };
  const response = { ...responseOf("1", []), resources: [other] };
  const interest = { all: true, names: new Set<string>() };
  const { candidates, rejected } = compareDelta(new Map(), response, rules, interest);
  assert.deepEqual(candidates, []);
  assert.deepEqual(
    rejected.map(({ name, errors }) => [name, errors]),
    [["a", ["Unexpected resource (expecting a): b"]]],
  );
});

test("a wrapper without a resource says that there is none, unless one is held", () => {
  const response = responseOf("1", [{ name: "a", text: "1" }]);
  const [sent] = response.resources;
  assert(sent?.wrapper);
  const bare = {
    ...response,
    resources: [
      { ...sent, bytes: new Uint8Array(), wrapper: { ...sent.wrapper, isHeartbeat: true } },
    ],
  };
  const interest = { all: false, names: new Set(["a"]) };
  const none = compareDelta(new Map(), bare, rules, interest);
  assert.deepEqual([none.absent, none.candidates, none.rejected], [["a"], [], []]);
  const held = new Map([["a", { version: "1-1", bytes: sent.bytes }]]);
  assert.deepEqual(compareDelta(held, bare, rules, interest).absent, []);
});

test("the name of a wrapper may be another than that of what is in it, for types that say so", () => {
  const response = responseOf("1", [{ name: "a", text: "1" }]);
  const [sent] = response.resources;
  assert(sent?.wrapper);
  const renamed = { ...response, resources: [{ ...sent, name: "r/a" }] };
  const interest = { all: true, names: new Set<string>() };
  assert.equal(compareDelta(new Map(), renamed, rules, interest).rejected.length, 1);
  const free = { ...rules, isNamedByWrapper: true };
  assert.equal(compareDelta(new Map(), renamed, free, interest).candidates[0]?.name, "r/a");
});

test("everything, asked for by silence, may stay so when names are said: as Envoy speaks VHDS", () => {
  const silent = { all: true, names: new Set<string>(), staysImplied: true };
  const named = { ...silent, names: new Set(["r/a"]) };
  assert.deepEqual(changeToTell(silent, noDeltaProgress), { subscribe: [], unsubscribe: [] });
  const progress = afterTelling(silent, noDeltaProgress);
  assert.deepEqual(changeToTell(named, progress)?.subscribe, ["r/a"]);
  // A new stream is told both.
  assert.deepEqual(changeToTell(named, noDeltaProgress)?.subscribe, ["*", "r/a"]);
});
