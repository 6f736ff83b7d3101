import assert from "node:assert/strict";
import { test } from "node:test";
import type { Dialect } from "../../../src/control/xds/conversation.ts";
import { delta } from "../../../src/control/xds/delta-conversation.ts";
import type { ResourceBatch, ResourceState } from "../../../src/control/xds/resource-batch.ts";
import { sotw } from "../../../src/control/xds/sotw-conversation.ts";
import { textResource, textType } from "../../support/text-resources.ts";
import { XdsPeer } from "../../support/xds-peer.ts";

const cds = textType("CDS", "type.googleapis.com/test.Cluster", true);
const eds = textType("EDS", "type.googleapis.com/test.Endpoints", false);

/** Everything that was delivered of a type, and of one name. */
function observe(peer: XdsPeer) {
  const batches: ResourceBatch<string>[] = [];
  peer.client.changes$(cds).subscribe((batch) => void batches.push(batch));
  return {
    batches,
    changes: () =>
      batches.map(({ changed, removed }) => [
        ...changed.map(({ name, value }) => `${name}=${value}`),
        ...removed.map((name) => `-${name}`),
      ]),
  };
}

function watch(peer: XdsPeer, name: string) {
  const states: ResourceState<string>[] = [];
  const subscription = peer.client
    .resource$(eds, name)
    .subscribe((state) => void states.push(state));
  return {
    states,
    kinds: () => states.map(({ kind }) => kind),
    stop: () => subscription.unsubscribe(),
  };
}

/** What holds in either variant of the protocol, driven through the same client. */
const scenarios: Readonly<Record<string, (peer: XdsPeer) => Promise<void>>> = {
  "another spelling of what is held is accepted, kept, and nobody hears of it": async (peer) => {
    const { changes } = observe(peer);
    const named = watch(peer, "x");
    const send = async (text: string, version: string): Promise<void> => {
      await peer.send(cds.typeUrl, { resources: [{ name: "a", text, version }], version });
      await peer.send(eds.typeUrl, { resources: [{ name: "x", text, version }], version });
    };
    await send("one two", "1");
    await send("two one", "2");
    assert.deepEqual(changes(), [["a=one two"], []]);
    assert.deepEqual(named.kinds(), ["requested", "present"]);
    const answers = await peer.heard();
    assert(answers.every(({ error }) => error === undefined));
    assert.equal(peer.statusOf("EDS", "x")?.version, "2");
    await send("two one", "3");
    await send("two three", "4");
    assert.deepEqual(changes(), [["a=one two"], [], [], ["a=two three"]]);
  },

  "the order of resources in a response means nothing": async (peer) => {
    const { changes } = observe(peer);
    const resources = ["a", "b", "c"].map((name) => ({ name, version: "1" }));
    await peer.send(cds.typeUrl, { resources });
    await peer.send(cds.typeUrl, { resources: resources.toReversed() });
    assert.deepEqual(changes(), [["a=a", "b=b", "c=c"], []]);
  },

  "a name beside everything, and everything beside a name": async (peer) => {
    observe(peer);
    await peer.settle();
    await peer.heard();
    const one = peer.client.resource$(cds, "on-demand").subscribe();
    const [both] = await peer.heard();
    assert.deepEqual(both?.names, ["*", "on-demand"]);
    await peer.send(cds.typeUrl, { resources: [{ name: "a" }, { name: "on-demand" }] });
    await peer.heard();
    one.unsubscribe();
    const [all] = await peer.heard();
    assert.deepEqual(all?.names, ["*"]);
    assert.equal(peer.statusOf("CDS", "on-demand")?.state, "acked");
  },

  "a name that nobody wants any more is told, forgotten, and new when it is wanted again": async (
    peer,
  ) => {
    const [x, y] = [watch(peer, "x"), watch(peer, "y")];
    await peer.send(eds.typeUrl, { resources: [{ name: "x" }, { name: "y" }] });
    await peer.heard();
    x.stop();
    const [request] = await peer.heard();
    assert.deepEqual(request?.names, ["y"]);
    assert.equal(peer.statusOf("EDS", "x"), undefined);
    assert.deepEqual(watch(peer, "x").kinds(), ["requested"]);
    assert.deepEqual(y.kinds(), ["requested", "present"]);
  },

  "what nobody asked for is ignored and accepted, and its faults are not remembered": async (
    peer,
  ) => {
    const named = watch(peer, "x");
    await peer.send(eds.typeUrl, {
      resources: [{ name: "x" }, { name: "stranger" }, { name: "bad stranger", text: "bad" }],
    });
    const twice = { name: "stranger" };
    await peer.send(eds.typeUrl, { resources: [twice, twice, { name: "x", text: "new" }] });
    const errors = (await peer.heard()).map(({ error }) => error);
    assert.deepEqual(errors, [undefined, undefined, "stranger: duplicate resource stranger found"]);
    assert.deepEqual(named.kinds(), ["requested", "present", "present"]);
    assert.deepEqual(
      peer.client.status().types[0]?.resources.map(({ name }) => name),
      ["x"],
    );
  },

  "a refusal without a name goes with the last who wanted the type": async (peer) => {
    const named = watch(peer, "x");
    const nameless = { resources: [{ name: "", bytes: new Uint8Array() }] };
    await peer.send(eds.typeUrl, nameless);
    assert.equal(peer.statusOf("EDS", "")?.state, "nacked");
    named.stop();
    await peer.settle();
    assert.deepEqual(peer.client.status().types[0]?.resources, []);
    await peer.send(eds.typeUrl, nameless);
    assert.deepEqual(peer.client.status().types[0]?.resources, []);
  },

  "of a name that comes twice the first counts, and the rest of the response stands": async (
    peer,
  ) => {
    const { changes } = observe(peer);
    await peer.send(cds.typeUrl, {
      resources: [{ name: "a", text: "first" }, { name: "a", text: "second" }, { name: "b" }],
    });
    assert.deepEqual(changes(), [["a=first", "b=b"]]);
    const error = (await peer.heard()).at(-1)?.error;
    assert.equal(error, "Error adding/updating cluster(s) a: duplicate cluster a found");
  },

  "an Any of another type is refused by both types, and removes nothing": async (peer) => {
    const { changes } = observe(peer);
    await peer.send(cds.typeUrl, { resources: [{ name: "a" }] });
    await peer.send(cds.typeUrl, { resources: [{ name: "a", typeUrl: "test.Other" }] });
    assert.deepEqual(changes(), [["a=a"], []]);
    const error = (await peer.heard()).at(-1)?.error ?? "";
    assert.match(error, /test\.Other does not match the message-wide type URL .*test\.Cluster/);
    assert(peer.lines.some((line) => line.startsWith("warning") && line.includes(error)));
  },

  "names that are not UTF-8 are refused with the reason beside good ones": async (peer) => {
    const { changes } = observe(peer);
    const bytes = textResource("ab", "text");
    bytes.set([0xff, 0xfe], 2);
    await peer.send(cds.typeUrl, { resources: [{ name: "", bytes }, { name: "good" }] });
    assert.deepEqual(changes(), [["good=good"]]);
    const error = (await peer.heard()).at(-1)?.error ?? "";
    assert.match(error, /resource cannot be read: a string is not valid UTF-8/);
  },

  "a nonce that was used before is answered like any other": async (peer) => {
    const { changes } = observe(peer);
    await peer.settle();
    await peer.heard();
    await peer.send(cds.typeUrl, { resources: [{ name: "a" }], nonce: "same" });
    await peer.send(cds.typeUrl, { resources: [{ name: "a", text: "b" }], nonce: "same" });
    await peer.send(cds.typeUrl, { resources: [{ name: "a", text: "bad" }], nonce: "same" });
    const answers = await peer.heard();
    assert.deepEqual(
      answers.map(({ nonce, error }) => [nonce, error !== undefined]),
      [
        ["same", false],
        ["same", false],
        ["same", true],
      ],
    );
    assert.deepEqual(changes(), [["a=a"], ["a=b"], []]);
  },

  "a type that nobody asked for is neither answered nor fatal": async (peer) => {
    observe(peer);
    await peer.settle();
    await peer.heard();
    await peer.send("type.googleapis.com/test.Nobody", { resources: [{ name: "a" }] });
    assert.deepEqual(await peer.heard(), []);
    assert.equal(peer.transport.calls.length, 1);
    assert(peer.lines.some((line) => line.includes("no current subscribers")));
  },

  "a new stream is told the whole subscription and what is held": async (peer) => {
    observe(peer);
    watch(peer, "x");
    await peer.send(cds.typeUrl, { resources: [{ name: "a", version: "7" }], version: "7" });
    await peer.heard();
    await peer.reconnect();
    const [all, named] = await peer.heard();
    assert.deepEqual([all?.nonce, named?.nonce, named?.names], ["", "", ["x"]]);
    if (peer.isDelta) assert.deepEqual([...(all?.initialVersions ?? [])], [["a", "7"]]);
    else assert.equal(all?.version, "7");
  },

  "a response that breaks off with its stream is applied and never answered": async (peer) => {
    const { batches } = observe(peer);
    const { promise, resolve } = Promise.withResolvers<void>();
    peer.client.changes$(cds).subscribe((batch) => batch.waitFor(promise));
    const sent = peer.send(cds.typeUrl, { resources: [{ name: "a" }], version: "7", nonce: "old" });
    await peer.settle();
    await peer.reconnect();
    assert.deepEqual(await peer.heard(), []);
    resolve();
    await sent;
    const requests = await peer.heard();
    assert.deepEqual(
      requests.map(({ nonce }) => nonce),
      [""],
    );
    assert.equal(batches.length, 1);
  },

  "each name says since when it is as it is, and what was refused of it": async (peer) => {
    const bornMs = peer.clock.wallTime();
    watch(peer, "x");
    watch(peer, "y");
    const since = (name: string): number | undefined => {
      const sinceMs = peer.statusOf("EDS", name)?.sinceMs;
      return sinceMs === undefined ? undefined : sinceMs - bornMs;
    };
    await peer.clock.advance(1_000);
    assert.deepEqual([since("x"), since("y")], [0, 0]);
    await peer.send(eds.typeUrl, { resources: [{ name: "x", version: "1" }], version: "1" });
    await peer.clock.advance(1_000);
    const bad = { name: "x", text: "bad", version: "2" };
    await peer.send(eds.typeUrl, { resources: [bad], version: "2" });
    await peer.clock.advance(20_000);
    assert.deepEqual([since("x"), since("y")], [2_000, 15_000]);
    const { state, version, refused } = peer.statusOf("EDS", "x") ?? {};
    assert.deepEqual([state, version, refused?.version], ["nacked", "1", "2"]);
    assert.deepEqual(refused?.bytes, textResource("x", "bad"));
    assert.equal(peer.statusOf("EDS", "y")?.state, "absent");
  },

  "a collection is everything that is asked for, and nothing else is taken": async (peer) => {
    const changes: (readonly string[])[] = [];
    const folder = "xdstp://a/test.Cluster/foo";
    peer.client.changes$(cds, { collection: `${folder}/*?k=v` }).subscribe((batch) => {
      const { changed, removed } = batch;
      changes.push([...changed.map(({ value }) => value), ...removed.map((name) => `-${name}`)]);
      for (const { value } of changed)
        if (value === "refused") batch.refuse("plain", "the manager says no");
    });
    const [first] = await peer.heard();
    assert.deepEqual(first?.names, [`${folder}/*?k=v`]);
    const one = { name: `${folder}/one?k=v`, text: "one" };
    const others = [`${folder}/two`, `${folder}/deep/three?k=v`, "plain four"];
    const strangers = others.map((name) => ({ name }));
    await peer.send(cds.typeUrl, { resources: [one, ...strangers] });
    assert.deepEqual(changes, [["one"]]);
    await peer.send(cds.typeUrl, { resources: [], removed: [one.name] });
    assert.deepEqual(changes[1], [`-${one.name}`]);
    await peer.reconnect();
    assert.deepEqual((await peer.heard())[0]?.names, [`${folder}/*?k=v`]);
  },

  "a resource of a collection may call itself otherwise, and is removed by that name": async (
    peer,
  ) => {
    if (!peer.isDelta) return;
    const removed: string[] = [];
    const name = "xdstp://a/test.Cluster/one";
    peer.client.changes$(cds, { collection: "xdstp://a/test.Cluster/*" }).subscribe((batch) => {
      removed.push(...batch.removed);
      if (batch.changed[0]?.value === "refused") batch.refuse("plain", "no");
    });
    const send = (text: string) =>
      peer.send(cds.typeUrl, { resources: [{ name, innerName: "plain", text }] });
    await send("good");
    await send("refused");
    assert.equal(peer.statusOf("CDS", name)?.state, "nacked");
    await send("good");
    assert.equal(peer.statusOf("CDS", name)?.state, "acked");
    await peer.send(cds.typeUrl, { removed: [name] });
    assert.deepEqual(removed, ["plain"]);
  },

  "two spellings of one name are one subscription": async (peer) => {
    const name = "xdstp://a/test.Endpoints/x";
    const [one, other] = [watch(peer, `${name}?b=2&a=1`), watch(peer, `${name}?a=%31&b=2`)];
    const [request] = await peer.heard();
    assert.deepEqual(request?.names, [`${name}?a=1&b=2`]);
    await peer.send(eds.typeUrl, { resources: [{ name: `${name}?b=2&a=1` }] });
    assert.deepEqual([one.kinds().at(-1), other.kinds().at(-1)], ["present", "present"]);
  },

  "an alias is a name like its own": async (peer) => {
    const [own, alias] = [watch(peer, "x"), watch(peer, "other x")];
    const resource = { name: "x", version: "1", aliases: ["other x"] };
    await peer.send(eds.typeUrl, { resources: [resource] });
    assert.deepEqual([own.kinds().at(-1), alias.kinds().at(-1)], ["present", "present"]);
    await peer.send(eds.typeUrl, { resources: [resource] });
    assert.deepEqual(alias.kinds(), ["requested", "present"]);
  },
};

for (const dialect of [sotw, delta] satisfies Dialect[])
  for (const [name, run] of Object.entries(scenarios))
    test(`${dialect.streamName}: ${name}`, async () => {
      using peer = new XdsPeer(dialect);
      await run(peer);
    });
