import assert from "node:assert/strict";
import { test } from "node:test";
import { noHeaderMutations, type RouteConfig } from "../../../src/shared/config/route-config.ts";
import { WorkerRouteTable } from "../../../src/data/connection-handler/route-table.ts";

const routes = (name: string): RouteConfig => ({
  name,
  virtualHosts: [],
  requestHeaders: noHeaderMutations,
  responseHeaders: noHeaderMutations,
  ignorePortInHostMatching: false,
});

test("watch() hears of every change of its name, and of no other", () => {
  const table = new WorkerRouteTable();
  const heard: (RouteConfig | undefined)[] = [];
  const watch = table.watch("a", (config) => heard.push(config));
  const [first, second] = [routes("a"), routes("a")];
  table.set(first);
  table.set(routes("b"));
  table.set(second);
  table.remove("a");
  table.remove("a");
  assert.deepEqual(heard, [first, second, undefined]);
  watch[Symbol.dispose]();
  table.set(first);
  assert.equal(heard.length, 3);
  assert.equal(table.get("a"), first);
});

test("watch() may be ended from within a change", () => {
  const table = new WorkerRouteTable();
  let calls = 0;
  const first = table.watch("a", () => {
    calls++;
    first[Symbol.dispose]();
  });
  table.watch("a", () => calls++);
  table.set(routes("a"));
  table.set(routes("a"));
  assert.equal(calls, 3);
});
