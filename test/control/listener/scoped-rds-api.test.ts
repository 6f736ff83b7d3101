import assert from "node:assert/strict";
import { test } from "node:test";
import type { DecodedScope } from "../../../src/control/config/decoded-scope.ts";
import type { OnDemandWant } from "../../../src/shared/protocol/on-demand.ts";
import { ListenerHarness } from "../../support/listener-harness.ts";

const scope = (name: string, routes: string, overrides: Partial<DecodedScope> = {}) => ({
  name,
  key: name,
  routeConfigName: routes,
  isOnDemand: false,
  ...overrides,
});
const want = (name: string): OnDemandWant => ({ kind: "scope", scopes: "web", scope: name });

async function startedWithScopes(): Promise<ListenerHarness> {
  const harness = await ListenerHarness.started();
  await harness.push([{ name: "edge", scopedRoutes: ["web"] }]);
  return harness;
}

const routesOf = (harness: ListenerHarness, key: string): string | undefined =>
  harness.worker(1).scopes.find("web", key)?.routes;
const answers = (harness: ListenerHarness): number =>
  harness.worker(0).handled.filter(({ kind }) => kind === "answered").length;
const count = (harness: ListenerHarness, name: string): number =>
  harness.stats.value(`http.http.scoped_rds.web.${name}`);

test("a listener warms on SRDS, then on the routes of the scopes that came first", async () => {
  const harness = await startedWithScopes();
  const awaiting = () => harness.manager.view().listeners[0]?.awaiting;
  assert.deepEqual(awaiting(), ["srds web"]);
  await harness.sendScopes([scope("a", "r1"), scope("lazy", "r2", { isOnDemand: true })]);
  assert.deepEqual(awaiting(), ["srds web"]);
  await harness.sendRoutes("r1");
  assert.deepEqual(harness.names("active"), ["edge"]);
  assert.equal(routesOf(harness, "a"), "r1");
  assert.equal(routesOf(harness, "lazy"), undefined);
  assert.deepEqual(
    ["all_scopes", "active_scopes", "on_demand_scopes", "config_reload"].map((name) =>
      count(harness, name),
    ),
    [2, 1, 1, 1],
  );
  await harness.push([], ["edge"]);
  await harness.clock.advance(60_000);
  harness.assertNothingIsHeld();
});

test("no scope at all makes the listener serve as well", async () => {
  const harness = await startedWithScopes();
  await harness.sendScopes([]);
  assert.deepEqual(harness.names("active"), ["edge"]);
});

test("a conflict refuses the second scope; the other and what worked go on", async () => {
  const harness = await startedWithScopes();
  await harness.sendScopes([scope("a", "r1")]);
  await harness.sendRoutes("r1");
  const refused = await harness.sendScopes([scope("b", "r1", { key: "a" }), scope("c", "r1")]);
  assert.deepEqual(refused, {
    b: "scope key conflict found, first scope is 'a', second scope is 'b'",
  });
  assert.deepEqual([routesOf(harness, "a"), routesOf(harness, "c")], ["r1", "r1"]);
  // Away and back under another name, in one push.
  assert.deepEqual(await harness.sendScopes([scope("d", "r1", { key: "a" })], ["a"]), {});
  assert.equal(harness.worker(0).scopes.find("web", "a")?.name, "d");
  assert.equal(harness.worker(0).routes.size, 1);
});

test("a scope keeps its routes until the ones it is to have are there", async () => {
  const harness = await startedWithScopes();
  await harness.sendScopes([scope("a", "r1")]);
  await harness.sendRoutes("r1");
  await harness.sendScopes([scope("a", "r2", { key: "other" })]);
  assert.equal(routesOf(harness, "other"), "r1");
  assert.deepEqual([...harness.worker(0).routes.keys()], ["r1"]);
  await harness.sendRoutes("r2");
  assert.equal(routesOf(harness, "other"), "r2");
  assert.deepEqual([...harness.worker(0).routes.keys()], ["r2"]);
});

test("the routes of a scope on demand come with the first request, which is then answered", async () => {
  const harness = await startedWithScopes();
  await harness.sendScopes([scope("lazy", "r1", { isOnDemand: true })]);
  assert.equal(harness.routes.size, 0);
  harness.worker(0).say({ kind: "wanted", want: want("lazy") });
  await harness.settle();
  assert.deepEqual([harness.routes.size, answers(harness)], [1, 0]);
  await harness.sendRoutes("r1");
  assert.equal(routesOf(harness, "lazy"), "r1");
  assert.equal(answers(harness), 1);
  // Answered after the routes, or the request would look too early.
  const kinds = harness.worker(0).handled.map(({ kind }) => kind);
  assert(kinds.lastIndexOf("answered") > kinds.lastIndexOf("setRoutes"));
  assert.equal(harness.desk.size, 0);
});

test("who wants a scope that is not there, or goes, is answered too", async () => {
  const harness = await startedWithScopes();
  await harness.sendScopes([scope("lazy", "r1", { isOnDemand: true })]);
  harness.worker(0).say({ kind: "wanted", want: want("unknown") });
  await harness.settle();
  assert.equal(answers(harness), 1);
  harness.worker(0).say({ kind: "wanted", want: want("lazy") });
  await harness.settle();
  await harness.sendScopes([], ["lazy"]);
  assert.equal(answers(harness), 2);
  assert.equal(harness.desk.size, 0);
});

test("what the last worker gave up is not waited for any longer", async () => {
  const harness = await startedWithScopes();
  await harness.sendScopes([scope("lazy", "r1", { isOnDemand: true })]);
  for (const index of [0, 1]) harness.worker(index).say({ kind: "wanted", want: want("lazy") });
  harness.worker(0).say({ kind: "unwanted", want: want("lazy") });
  assert.equal(harness.desk.size, 1);
  harness.worker(1).exit("gone");
  assert.equal(harness.desk.size, 0);
  await harness.sendRoutes("r1");
  assert.equal(answers(harness), 0);
});
