import assert from "node:assert/strict";
import { test } from "node:test";
import { BehaviorSubject, Subject } from "rxjs";
import type { DecodedRouteConfig } from "../../../src/control/config/decoded-route-config.ts";
import type { DecodedVirtualHost } from "../../../src/control/config/decoded-virtual-host.ts";
import { ClusterWaits } from "../../../src/control/cluster/cluster-warming.ts";
import { RdsApi } from "../../../src/control/listener/rds-api.ts";
import { VhdsApi } from "../../../src/control/listener/vhds-api.ts";
import type { ResourceBatch, ResourceState } from "../../../src/control/xds/resource-batch.ts";
import type { WorkerCommand } from "../../../src/shared/protocol/worker-command.ts";
import { decodedRoutes } from "../../support/config-builders.ts";
import { FakeStats } from "../../support/fake-stats.ts";
import { route, virtualHost } from "../../support/http-fixture.ts";
import { silentLog } from "../../support/silent-log.ts";
import { VirtualClock } from "../../support/virtual-clock.ts";

const ads = { kind: "ads", initialFetchTimeoutMs: 15_000 } as const;

interface HostSketch {
  readonly name: string;
  readonly domains: readonly string[];
  readonly clusters?: readonly string[];
}

/** An `RdsApi` whose one route configuration, `r`, discovers virtual hosts. */
function start() {
  const clock = new VirtualClock();
  const stats = new FakeStats();
  const warming = new Set<string>();
  const clusters = new ClusterWaits((name) => warming.has(name));
  const commands: WorkerCommand[] = [];
  const routeStates = new Subject<ResourceState<DecodedRouteConfig>>();
  const batches = new Subject<ResourceBatch<DecodedVirtualHost>>();
  const answered = Promise.withResolvers<void>();
  const named = new Map<string, BehaviorSubject<ResourceState<DecodedVirtualHost>>>();
  const vhds = new VhdsApi({
    source: () => ({
      batches,
      whenAnswered: () => answered.promise,
      named: (name) => {
        const state = new BehaviorSubject<ResourceState<DecodedVirtualHost>>({ kind: "requested" });
        named.set(name, state);
        return state;
      },
    }),
    stats,
    warming: clusters,
    hasCluster: () => true,
    clock,
    log: silentLog,
  });
  const api = new RdsApi({
    pool: { postTo: (_, command) => void commands.push(command) },
    source: () => routeStates,
    warming: clusters,
    vhds,
    wallTime: () => 7,
    log: silentLog,
  });
  let ready = 0;
  const subscription = { routeConfigName: "r", source: ads, statPrefix: "http" };
  const lease = api.acquire(subscription, () => ready++);
  lease.provideTo(0);
  const sendRoutes = (fields: Partial<DecodedRouteConfig> = { vhds: ads }): void => {
    const value = { ...decodedRoutes("r"), ...fields };
    const resource = { name: "r", version: "1", bytes: new Uint8Array(), value };
    routeStates.next({ kind: "present", resource });
  };
  const sendHosts = (
    changed: readonly HostSketch[],
    removed: readonly string[] = [],
  ): Readonly<Record<string, string>> => {
    const refused: Record<string, string> = {};
    batches.next({
      version: "h",
      changed: changed.map(({ name, domains, clusters: clusterNames = [] }) => ({
        name,
        version: "h",
        bytes: new Uint8Array(),
        value: { host: virtualHost(domains, [route("/")], { name }), clusterNames },
      })),
      removed,
      rejected: [],
      refuse: (name, message) => (refused[name] = message),
      waitFor: () => {},
    });
    return refused;
  };
  const told = (): readonly string[] =>
    commands.splice(0).map((command) => {
      if (command.kind !== "setVirtualHosts") return command.kind;
      const { changed, removed } = command;
      return `+${changed.map(({ name }) => name).join()} -${removed.join()}`;
    });
  const answers: string[] = [];
  const want = (host: string): Disposable => api.want("r", host, () => answers.push(host));
  return {
    api,
    lease,
    clock,
    stats,
    clusters,
    warming,
    answered,
    named,
    sendRoutes,
    sendHosts,
    told,
    want,
    answers,
    ready: () => ready,
  };
}

test("routes that discover are ready when VHDS has answered", async () => {
  const { sendRoutes, sendHosts, answered, told, ready, clock } = start();
  sendRoutes();
  assert.equal(ready(), 0);
  sendHosts([{ name: "r/a", domains: ["a"] }]);
  answered.resolve();
  await clock.advance(0);
  assert.equal(ready(), 1);
  assert.deepEqual(told(), ["setRoutes", "+r/a -"]);
});

test("hosts of other route configurations are not ours", () => {
  const { sendRoutes, sendHosts, told } = start();
  sendRoutes();
  sendHosts([
    { name: "r/a", domains: ["a"] },
    { name: "rr/b", domains: ["b"] },
    { name: "r/x/c", domains: ["c"] },
    { name: "d", domains: ["d"] },
  ]);
  assert.deepEqual(told(), ["setRoutes", "+r/a -"]);
});

test("a new version of the routes keeps the hosts; without vhds they go", () => {
  const { api, sendRoutes, sendHosts, told } = start();
  sendRoutes();
  sendHosts([{ name: "r/a", domains: ["a"] }]);
  sendRoutes();
  assert.deepEqual(told(), ["setRoutes", "+r/a -", "setRoutes"]);
  assert.deepEqual(
    api.views()[0]?.discovered?.map(({ name }) => name),
    ["r/a"],
  );
  sendRoutes({});
  assert.equal(api.views()[0]?.discovered, undefined);
  sendHosts([{ name: "r/b", domains: ["b"] }]);
  assert.deepEqual(told(), ["setRoutes"]);
});

test("a wanted host is asked for once, and stays subscribed when it is there", async () => {
  const { sendRoutes, sendHosts, named, want, answers, clock } = start();
  sendRoutes();
  want("a.example");
  want("a.example");
  assert.deepEqual([...named.keys()], ["r/a.example"]);
  sendHosts([{ name: "r/a.example", domains: ["a.example"] }]);
  assert.deepEqual(answers, []);
  named.get("r/a.example")?.next({ kind: "present", resource: {} as never });
  assert.deepEqual(answers, ["a.example", "a.example"]);
  await clock.advance(3_600_000);
  assert.equal(named.get("r/a.example")?.observed, true);
});

test("a host that came while a worker asked for it is not asked for again", () => {
  const { sendRoutes, sendHosts, named, want, answers } = start();
  sendRoutes();
  sendHosts([{ name: "r/first", domains: ["a.example"] }]);
  want("a.example");
  assert.deepEqual([answers, named.size], [["a.example"], 0]);
  sendHosts([], ["r/first"]);
  want("a.example");
  assert.deepEqual([...named.keys()], ["r/a.example"]);
});

test("one that does not exist is known as such for a while, then given up", async () => {
  const { sendRoutes, named, want, answers, clock } = start();
  sendRoutes();
  want("a.example");
  named.get("r/a.example")?.next({ kind: "absent", reason: "removed" });
  assert.deepEqual(answers, ["a.example"]);
  want("a.example");
  assert.deepEqual(answers, ["a.example", "a.example"]);
  await clock.advance(60_000);
  assert.equal(named.get("r/a.example")?.observed, false);
  want("a.example");
  assert.deepEqual([answers.length, clock.pendingCount], [2, 0]);
});

test("what nobody waits for any longer is not asked for any longer", () => {
  const { sendRoutes, named, want, answers } = start();
  sendRoutes();
  const [first, second] = [want("a.example"), want("a.example")];
  first[Symbol.dispose]();
  assert.equal(named.get("r/a.example")?.observed, true);
  second[Symbol.dispose]();
  assert.equal(named.get("r/a.example")?.observed, false);
  assert.deepEqual(answers, []);
});

test("who waits is answered when the route configuration goes", () => {
  const { sendRoutes, lease, want, answers, stats, clock } = start();
  sendRoutes();
  want("a.example");
  lease[Symbol.dispose]();
  assert.deepEqual(answers, ["a.example"]);
  want("a.example");
  assert.equal(answers.length, 2);
  assert.deepEqual(stats.prefixes, ["sluice.vhds."]);
  assert.equal(clock.pendingCount, 0);
});

test("a host that serves is not replaced by one whose cluster still warms", () => {
  const { sendRoutes, sendHosts, told, warming, clusters } = start();
  sendRoutes();
  warming.add("new");
  sendHosts([{ name: "r/a", domains: ["a"], clusters: ["old"] }]);
  sendHosts([
    { name: "r/a", domains: ["a"], clusters: ["new"] },
    { name: "r/b", domains: ["b"], clusters: ["new"] },
  ]);
  // One that is new has nothing to break.
  assert.deepEqual(told(), ["setRoutes", "+r/a -", "+r/b -"]);
  warming.clear();
  clusters.settle();
  assert.deepEqual(told(), ["+r/a -"]);
});

test("a domain of the route configuration itself is refused to a discovered host", () => {
  const { sendRoutes, sendHosts, told } = start();
  const { config } = decodedRoutes("r");
  sendRoutes({ vhds: ads, config: { ...config, virtualHosts: [virtualHost(["a"], [])] } });
  assert.deepEqual(Object.keys(sendHosts([{ name: "r/a", domains: ["a"] }])), ["r/a"]);
  assert.deepEqual(told(), ["setRoutes"]);
});
