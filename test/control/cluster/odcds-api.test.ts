import assert from "node:assert/strict";
import { test } from "node:test";
import { Subject } from "rxjs";
import type { WarmWait } from "../../../src/control/cluster/cluster-warming.ts";
import { OdcdsApi, wantedClustersMax } from "../../../src/control/cluster/odcds-api.ts";
import type { DecodedCluster } from "../../../src/control/config/decoded-cluster.ts";
import type { ResourceState } from "../../../src/control/xds/resource-batch.ts";
import { FakeStats } from "../../support/fake-stats.ts";
import { silentLogger } from "../../support/silent-logger.ts";
import { VirtualClock } from "../../support/virtual-clock.ts";

/** Clusters warm until the test says otherwise. */
class Stage {
  readonly clock = new VirtualClock();
  readonly stats = new FakeStats();
  readonly states = new Map<string, Subject<ResourceState<DecodedCluster>>>();
  readonly known = new Set<string>();
  readonly warming = new Map<() => void, string>();
  readonly api: OdcdsApi;
  source: string | undefined;

  constructor() {
    this.api = new OdcdsApi({
      feed: (_, name) => {
        if (this.source !== undefined) return this.source;
        const states = new Subject<ResourceState<DecodedCluster>>();
        this.states.set(name, states);
        return states;
      },
      clusters: {
        addDemanded: ({ config }) => void this.known.add(config.name),
        removeDemanded: (name) => void this.known.delete(name),
        hasCluster: (name) => this.known.has(name),
        warming: { waitFor: ([name = ""], onWarm) => this.#waitFor(name, onWarm) },
      },
      stats: this.stats,
      clock: this.clock,
      log: silentLogger,
    });
  }

  want(cluster: string, timeoutMs = 5_000, feed = ""): { answers: number } & Disposable {
    const told = { answers: 0 };
    const want = { kind: "cluster", feed, cluster, timeoutMs } as const;
    const search = this.api.want(want, () => void told.answers++);
    return Object.assign(told, { [Symbol.dispose]: () => search[Symbol.dispose]() });
  }

  send(name: string): void {
    const value = { config: { name } } as DecodedCluster;
    const resource = { name, version: "1", bytes: new Uint8Array(), value };
    this.states.get(name)?.next({ kind: "present", resource });
  }

  remove(name: string): void {
    this.states.get(name)?.next({ kind: "absent", reason: "removed" });
  }

  warm(name: string): void {
    for (const [onWarm, cluster] of this.warming)
      if (cluster === name && this.warming.delete(onWarm)) onWarm();
  }

  #waitFor(name: string, onWarm: () => void): WarmWait | undefined {
    if (!this.known.has(name)) return undefined;
    this.warming.set(onWarm, name);
    return { awaiting: [name], [Symbol.dispose]: () => void this.warming.delete(onWarm) };
  }
}

test("the answer is that it serves, not that it came", () => {
  const stage = new Stage();
  const one = stage.want("a");
  stage.send("a");
  const other = stage.want("a");
  assert.deepEqual([one.answers, other.answers], [0, 0]);
  stage.warm("a");
  assert.deepEqual([one.answers, other.answers], [1, 1]);
  assert.equal(stage.states.size, 1);
  assert.equal(stage.clock.pendingCount, 0);
});

test("one that does not exist is answered at once, for as long as the server would tell", async () => {
  const stage = new Stage();
  const first = stage.want("a");
  stage.remove("a");
  assert.deepEqual([first.answers, stage.want("a").answers], [1, 1]);
  await stage.clock.advance(5_000);
  assert.equal(stage.api.size, 0);
  assert.equal(stage.states.get("a")?.observed, false);
});

test("one that its server removes goes; one that came otherwise stays", () => {
  const stage = new Stage();
  stage.want("a");
  stage.send("a");
  stage.remove("a");
  assert.deepEqual([...stage.known], []);
  stage.want("b");
  stage.known.add("b");
  stage.remove("b");
  assert.deepEqual([...stage.known], ["b"]);
});

test("who has waited long enough is told, and nothing stays subscribed for him", async () => {
  const stage = new Stage();
  const want = stage.want("a", 100);
  await stage.clock.advance(99);
  assert.equal(want.answers, 0);
  await stage.clock.advance(1);
  assert.equal(want.answers, 1);
  assert.equal(stage.stats.value("sluice.odcds.timeouts"), 1);
  assert.equal(stage.api.size, 0);
});

test("what is given up while it warms is not told of", async () => {
  const stage = new Stage();
  const want = stage.want("a");
  stage.send("a");
  want[Symbol.dispose]();
  assert.equal(stage.warming.size, 0);
  await stage.clock.advance(10_000);
  assert.equal(want.answers, 0);
});

test("beyond the limit, over all places, nothing is asked for", () => {
  const stage = new Stage();
  for (let index = 0; index < wantedClustersMax; index++)
    stage.want(`c${index}`, 0, `feed${index % 2}`);
  assert.equal(stage.want("late", 0).answers, 1);
  assert.equal(stage.states.has("late"), false);
  assert.equal(stage.stats.value("sluice.odcds.wanted_clusters_overflow"), 1);
});

test("without a source there is nothing to wait for", () => {
  const stage = new Stage();
  stage.source = "no";
  assert.equal(stage.want("a").answers, 1);
});

test("when no listener names the feed any more nothing of it stays subscribed, and clusters stay as they are", () => {
  const stage = new Stage();
  const holds = [stage.api.hold("f"), stage.api.hold("f")];
  const one = stage.want("a", 5_000, "f");
  stage.send("a");
  stage.warm("a");
  stage.want("asked", 0, "f");
  holds[0]?.[Symbol.dispose]();
  holds[0]?.[Symbol.dispose]();
  assert.equal(stage.api.size, 2);
  holds[1]?.[Symbol.dispose]();
  assert.deepEqual([stage.api.size, one.answers], [0, 1]);
  assert.equal(stage.states.get("a")?.observed, false);
  assert(stage.known.has("a"));
  // Somebody asks again: it is followed again, and what comes then counts.
  using _held = stage.api.hold("f");
  stage.want("a", 5_000, "f");
  assert.equal(stage.states.get("a")?.observed, true);
  stage.remove("a");
  assert(!stage.known.has("a"));
});
