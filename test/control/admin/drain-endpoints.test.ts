import assert from "node:assert/strict";
import { test } from "node:test";
import { drainEndpoint } from "../../../src/control/admin/drain-endpoints.ts";
import { drainListenersEndpoint } from "../../../src/control/admin/drain-listeners-endpoint.ts";
import type {
  DrainDesk,
  DrainError,
  DrainExtension,
  DrainRequest,
  DrainResult,
} from "../../../src/control/listener/drain-desk.ts";
import type { DrainDetailView, DrainView } from "../../../src/control/listener/drain-view.ts";

/** A desk that knows drain 7 and notes what it is ordered. */
function desk(error?: DrainError) {
  const requests: DrainRequest[] = [];
  const orders: unknown[] = [];
  const result: DrainResult = error
    ? { ok: false, error }
    : { ok: true, drain: { id: 7 } as DrainView };
  const note = (...order: unknown[]): Promise<DrainResult> => {
    orders.push(order);
    return Promise.resolve(result);
  };
  const fake: DrainDesk = {
    list: () => ({ drains: [] }),
    get: () => result,
    remaining(id, limit) {
      orders.push(["remaining", id, limit]);
      const drain = { id, remaining_listed: 0 } as DrainDetailView;
      return Promise.resolve(error ? { ok: false, error } : { ok: true, drain });
    },
    start(request) {
      requests.push(request);
      return Promise.resolve(result);
    },
    cancel: (id) => note("cancel", id),
    extend: (id, extension: DrainExtension) => note("extend", id, extension),
    end: (id) => note("end", id),
    subscribe: () => ({ [Symbol.dispose]() {} }),
    watchers: 0,
  };
  return { desk: fake, requests, orders };
}

function drainListeners(fake: DrainDesk) {
  const endpoint = drainListenersEndpoint(fake);
  return (query = "") => endpoint.handle({ query: new URLSearchParams(query), method: "POST" });
}

function drain(fake: DrainDesk) {
  const endpoint = drainEndpoint(fake);
  return (method: string, rest: string, query = "") =>
    endpoint.handle({ query: new URLSearchParams(query), method, rest });
}

const unset = { timeMs: undefined, strategy: undefined };

test("/drain_listeners reads its parameters by presence and answers as Envoy does", async () => {
  const { desk: fake, requests } = desk();
  const ask = drainListeners(fake);
  assert.equal((await ask()).body, "OK\n");
  await ask("graceful&inboundonly");
  await ask("skip_exit=0");
  const scope = { kind: "server", mode: "stop", inboundOnly: false } as const;
  assert.deepEqual(requests, [
    { scope, ...unset },
    { scope: { ...scope, mode: "graceful", inboundOnly: true }, ...unset },
    { scope: { ...scope, mode: "keepAccepting" }, ...unset },
  ]);
});

test("a second graceful drain is OK, as in Envoy; one with a time of its own is refused", async () => {
  const { desk: fake } = desk({ kind: "underWay", text: "the server drains already (drain 3)" });
  const ask = drainListeners(fake);
  assert.deepEqual((await ask("graceful")).status, 200);
  const refused = await ask("graceful&time=3");
  assert.equal(refused.status, 409);
  assert.equal(refused.body, "the server drains already (drain 3)\n");
});

test("/drain_listeners?name drains connections of one listener, and refuses nonsense", async () => {
  const { desk: fake, requests } = desk();
  const ask = drainListeners(fake);
  assert.equal((JSON.parse((await ask("name=a")).body) as DrainView).id, 7);
  await ask("name=a&filter_chain=tls&percent=12.5&time=3&strategy=immediate");
  const scope = { kind: "listener", listener: "a" } as const;
  assert.deepEqual(requests, [
    { scope: { ...scope, filterChain: undefined, percent: undefined }, ...unset },
    {
      scope: { ...scope, filterChain: "tls", percent: 12.5 },
      timeMs: 3_000,
      strategy: "immediate",
    },
  ]);
  const bad = [
    "percent=10",
    "filter_chain=a",
    "name=a&percent=0",
    "name=a&percent=101",
    "name=a&percent=",
    "name=a&time=-1",
    "name=a&time=",
    "time=1e9",
    "strategy=slow",
    "name=a&graceful",
  ];
  for (const query of bad) assert.equal((await ask(query)).status, 400, query);
  assert.equal(requests.length, 2);
});

test("/drains/ID carries orders to the desk, by POST alone", async () => {
  const { desk: fake, orders } = desk();
  const ask = drain(fake);
  assert.equal((await ask("GET", "7")).status, 200);
  assert.equal((await ask("GET", "7", "limit=5")).status, 200);
  assert.equal((await ask("POST", "7/cancel")).status, 200);
  assert.equal((await ask("POST", "7/extend", "time=1.5")).status, 200);
  assert.equal((await ask("POST", "7/end")).status, 200);
  const expected = [
    ["remaining", 7, 1_000],
    ["remaining", 7, 5],
    ["cancel", 7],
    ["extend", 7, { byMs: 1_500 }],
    ["end", 7],
  ];
  assert.deepEqual(orders, expected);
  assert.equal((await ask("GET", "7/end")).status, 405);
  assert.equal((await ask("POST", "7/stop")).status, 404);
  assert.equal((await ask("POST", "7/end/now")).status, 404);
  for (const rest of ["", "x", "-1", "1.5", "7x"])
    assert.equal((await ask("GET", rest)).status, 400);
  for (const time of ["", "0", "-3", "soon"])
    assert.equal((await ask("POST", "7/extend", `time=${time}`)).status, 400, time);
  assert.deepEqual(orders, expected);
});

test("what the desk refuses has a status of its own and the desk's sentence", async () => {
  const statuses = {
    unknown: 404,
    gone: 410,
    ended: 409,
    notCancellable: 409,
    outOfRange: 400,
    noSuchListener: 404,
    noSuchFilterChain: 404,
    underWay: 409,
  } as const;
  for (const [kind, status] of Object.entries(statuses)) {
    const { desk: fake } = desk({ kind: kind as DrainError["kind"], text: `it is ${kind}` });
    const { body, ...answer } = await drain(fake)("POST", "7/cancel");
    assert.deepEqual([answer.status, body], [status, `it is ${kind}\n`]);
  }
});
