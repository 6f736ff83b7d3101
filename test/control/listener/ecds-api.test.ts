import assert from "node:assert/strict";
import { test } from "node:test";
import { Subject } from "rxjs";
import type { ListenerDependency } from "../../../src/control/config/decoded-listener.ts";
import type { DecodedExtensionConfig } from "../../../src/control/config/extension-config.ts";
import type { ExtensionSubscription } from "../../../src/control/config/extension-subscription.ts";
import { EcdsApi } from "../../../src/control/listener/ecds-api.ts";
import type { ResourceState } from "../../../src/control/xds/resource-batch.ts";
import { tcpProxyConfig } from "../../support/listener-fixture.ts";
import type { WorkerCommand } from "../../../src/shared/protocol/worker-command.ts";
import { FakeStats } from "../../support/fake-stats.ts";
import { silentLog } from "../../support/silent-log.ts";

const mutation = "envoy.extensions.filters.http.header_mutation.v3.HeaderMutation";
const routerType = "envoy.extensions.filters.http.router.v3.Router";
const token: ListenerDependency = {
  kind: "sds",
  secret: { name: "token", kind: "genericSecret", source: undefined },
};

const wanted: ExtensionSubscription = {
  category: "HTTP filter",
  name: "e",
  source: { kind: "ads", initialFetchTimeoutMs: 1 },
  typeNames: [mutation],
  isLast: false,
  isWaitedFor: true,
};

function config(
  tag: string,
  { dependencies = [] as readonly ListenerDependency[], typeName = mutation } = {},
): DecodedExtensionConfig {
  const isTerminal = typeName === routerType;
  const type = isTerminal ? "envoy.filters.http.router" : "envoy.filters.http.header_mutation";
  const needs = { dependencies: [...dependencies], requiredClusters: [] };
  const noop = { kind: "noop", name: tag } as const;
  const filter = { category: "HTTP filter", config: noop, type, isTerminal, needs } as const;
  return { name: "e", typeName, filters: [filter], bytes: new Uint8Array() };
}

function harness() {
  const posted: WorkerCommand[] = [];
  const states = new Subject<ResourceState<DecodedExtensionConfig>>();
  const stats = new FakeStats();
  const needs = { isReady: true, held: 0, provided: 0, onReady: (): void => {} };
  const served = { all: Promise.resolve() };
  const api = new EcdsApi({
    pool: {
      broadcast: (build) => {
        posted.push(build(1, 0));
        return served.all;
      },
    },
    hasCluster: (name) => name === "known",
    source: () => states,
    dependencies: (_dependency, onReady) => {
      needs.held++;
      needs.onReady = onReady;
      return {
        get isReady() {
          return needs.isReady;
        },
        clusterNames: ["routed"],
        provideTo: () => void needs.provided++,
        [Symbol.dispose]: () => void needs.held--,
      };
    },
    stats,
    wallTime: () => 7,
    log: silentLog,
  });
  const send = (value: DecodedExtensionConfig, version = "1"): void =>
    states.next({
      kind: "present",
      resource: { name: "e", version, bytes: new Uint8Array(), value },
    });
  const sent = (): readonly string[] =>
    posted
      .splice(0)
      .map((command) =>
        command.kind === "setFilterConfig" && command.filter.config.kind === "noop"
          ? command.filter.config.name
          : command.kind,
      );
  const count = (name: string): number =>
    stats.value(`extension_config_discovery.http_filter.e.${name}`);
  return { api, states, stats, needs, served, posted, send, sent, count };
}

test("all who want a configuration share it, and it goes with the last of them", () => {
  const { api, states, send, sent, count } = harness();
  let ready = 0;
  const leases = [api.acquire(wanted, () => ready++), api.acquire(wanted, () => ready++)];
  send(config("one"));
  assert.equal(ready, 2);
  send(config("two"), "2");
  assert.deepEqual(sent(), ["one", "two"]);
  assert.equal(count("config_reload"), 2);
  assert.deepEqual(api.views(), [
    { name: "e", version: "2", bytes: new Uint8Array(), lastUpdatedMs: 7 },
  ]);
  for (const lease of [...leases, ...leases]) lease[Symbol.dispose]();
  assert.deepEqual(sent(), ["removeFilterConfig"]);
  assert.equal(states.observed, false);
});

test("judge() asks everybody who wants the name", () => {
  const { api, count } = harness();
  assert.deepEqual(api.judge(config("x", { typeName: routerType })), []);
  using _first = api.acquire(wanted, () => {});
  using _second = api.acquire(
    { ...wanted, typeNames: [mutation, routerType], isLast: true },
    () => {},
  );
  assert.deepEqual(api.judge(config("x", { typeName: routerType })), [
    `Error: filter config has type URL ${routerType} but expect ${mutation}.`,
  ]);
  assert.deepEqual(api.judge(config("x")), [
    "Error: non-terminal filter named e of type envoy.filters.http.header_mutation is the last filter in a http filter chain.",
  ]);
  assert.deepEqual(api.judge({ ...config("x"), typeName: "other", filters: [] }), [
    `Error: filter config has type URL other but expect ${mutation}.`,
    `Error: filter config has type URL other but expect ${mutation}, ${routerType}.`,
  ]);
  assert.equal(count("config_fail"), 3);
});

test("removed by the server: the default serves; refused or late: the wait ends", () => {
  const { api, states, send, sent, count } = harness();
  let ready = 0;
  using lease = api.acquire(wanted, () => ready++);
  states.next({ kind: "absent", reason: "timeout" });
  assert.deepEqual([ready, lease.isReady, count("config_fail")], [1, true, 1]);
  send(config("one"));
  states.next({ kind: "absent", reason: "removed" });
  assert.deepEqual(sent(), ["one", "removeFilterConfig"]);
  assert.deepEqual(api.views(), []);
  assert.equal(ready, 1);
});

test("one that is not waited for is ready from the start", () => {
  const { api } = harness();
  using lease = api.acquire({ ...wanted, isWaitedFor: false }, assert.fail);
  assert.equal(lease.isReady, true);
});

test("a configuration that needs a secret takes its place when that is there", async () => {
  const { api, needs, send, sent } = harness();
  let ready = 0;
  const lease = api.acquire(wanted, () => ready++);
  needs.isReady = false;
  send(config("one", { dependencies: [token] }));
  assert.deepEqual([sent(), ready, needs.held], [[], 0, 1]);
  const forgotten = needs.onReady;
  send(config("two", { dependencies: [token] }), "2");
  assert.equal(needs.held, 1);
  needs.isReady = true;
  forgotten();
  assert.deepEqual(sent(), []);
  needs.onReady();
  assert.deepEqual([sent(), ready], [["two"], 1]);
  send(config("three"), "3");
  await settled();
  assert.deepEqual([sent(), needs.held], [["three"], 0]);
  send(config("four", { dependencies: [token] }), "4");
  lease[Symbol.dispose]();
  await settled();
  assert.equal(needs.held, 0);
});

/** What is under way on promises has come to rest. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("what a configuration needs is held as long as a worker serves somebody by it", async () => {
  const { api, needs, served, send } = harness();
  const lease = api.acquire(wanted, () => {});
  send(config("one", { dependencies: [token] }));
  assert.equal(needs.provided, 1, "the worker has it before it has the configuration");
  assert.deepEqual(lease.clusterNames, ["routed"]);
  const gone = Promise.withResolvers<void>();
  served.all = gone.promise;
  send(config("two", { dependencies: [token] }), "2");
  await settled();
  assert.equal(needs.held, 2);
  gone.resolve();
  await settled();
  assert.equal(needs.held, 1);
  lease[Symbol.dispose]();
  await settled();
  assert.equal(needs.held, 0);
});

test("a network filter comes with the slots that it counts in, and clusters that it requires are known", async () => {
  const { api, states, stats, posted } = harness();
  const proxied = { ...wanted, category: "network filter", isLast: true } as const;
  const lease = api.acquire(proxied, () => {});
  const tcp = (statPrefix: string, required: readonly string[] = []): DecodedExtensionConfig => {
    const needs = { dependencies: [], requiredClusters: [...required] };
    const filter = { kind: "tcpProxy", config: tcpProxyConfig({ statPrefix }) } as const;
    const type = "envoy.filters.network.tcp_proxy";
    return {
      ...config("x"),
      filters: [
        { category: "network filter", config: filter, type, isTerminal: true, needs } as const,
      ],
    };
  };
  assert.deepEqual(api.judge(tcp("a", ["known", "unknown"])), ["route: unknown cluster 'unknown'"]);
  const resource = { name: "e", version: "1", bytes: new Uint8Array(), value: tcp("a") };
  states.next({ kind: "present", resource });
  const [command] = posted;
  assert(command?.kind === "setFilterConfig" && command.filter.category === "network");
  assert.equal(command.filter.slots.tcp[0]?.[0], "a");
  assert.equal(stats.value("tcp.a.downstream_cx_total"), 0);
  assert.equal(stats.value("extension_config_discovery.network_filter.e.config_reload"), 1);
  assert.deepEqual(lease.clusterNames, [tcpProxyConfig().clusters[0]?.name]);
  lease[Symbol.dispose]();
  await settled();
  assert.deepEqual(stats.prefixes, []);
});
