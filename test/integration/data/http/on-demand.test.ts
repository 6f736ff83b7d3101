import assert from "node:assert/strict";
import { sluiceWorkerStats } from "../../../../src/shared/stats/stat-names.ts";
import { httpChain, route } from "../../../support/http-fixture.ts";
import { startHttpUpstream } from "../../../support/http-peers.ts";
import { startProxy } from "../../../support/http-proxy.ts";
import { listenerConfig } from "../../../support/listener-fixture.ts";
import { forEachWorkerKind } from "../../../support/test-workers.ts";
import {
  answer,
  onDemand,
  pinged,
  scoped,
  setScope,
  unloaded,
  want,
  wanted,
} from "../../../support/waiting-scope.ts";

const direct = route("/", { action: { kind: "directResponse", status: 200, body: "here" } });
const head = (fields: readonly string[]): string =>
  ["POST / HTTP/1.1", "Host: test", "x-scope: a", ...fields, "", ""].join("\r\n");

forEachWorkerKind("requests wait for the routes of their scope", {}, async (workers) => {
  await using upstream = await startHttpUpstream();
  const proxy = await startProxy(workers, upstream.port, { manager: scoped });
  setScope(workers, unloaded);
  const clients = Array.from({ length: 20 }, () => proxy.connect());
  const answers = clients.map((client) => client.get("/", ["x-scope: a"]));
  assert.equal((await proxy.connect().get("/", ["x-scope: other"])).status, 404);
  assert.equal((await proxy.connect().get("/")).status, 404);
  await wanted(workers);
  answer(workers, [route("/")]);
  for (const { status } of await Promise.all(answers)) assert.equal(status, 200);
  assert.equal(proxy.http("downstream_rq_total"), 22);
  const [first] = clients;
  assert(first);
  // The connection goes on, and nobody waits any more.
  assert.equal((await first.get("/", ["x-scope: a"])).status, 200);
  assert.equal(workers.stat(sluiceWorkerStats, workers.sluice, "on_demand_waiting"), 0);
});

forEachWorkerKind("who waits has what came meanwhile", {}, async (workers) => {
  await using upstream = await startHttpUpstream();
  const proxy = await startProxy(workers, upstream.port, { manager: scoped });
  setScope(workers, unloaded);
  const client = proxy.connect();
  const waiting = client.get("/", ["x-scope: a"]);
  await wanted(workers);
  const chain = httpChain([], { ...scoped, serverName: "later" });
  await workers.request((reply) => ({
    kind: "updateFilterChains",
    tag: proxy.listener.tag,
    config: listenerConfig({ filterChains: [{ ...chain, revision: "2" }] }),
    slots: proxy.listener.slots,
    reply,
  }));
  answer(workers, [route("/")]);
  const { status, headers } = await waiting;
  assert.deepEqual([status, headers["server"]], [200, "later"]);
  assert.equal((await client.get("/", ["x-scope: a"])).headers["server"], "later");
  await workers.untilCounted(() => proxy.http("downstream_rq_active") === 0);
  assert.equal(proxy.http("downstream_rq_total"), 2);
});

forEachWorkerKind("bodies are whole after a wait, however they came", {}, async (workers) => {
  await using upstream = await startHttpUpstream();
  const proxy = await startProxy(workers, upstream.port, { manager: scoped });
  setScope(workers, unloaded);
  const big = "x".repeat(300_000);
  const sent: readonly (readonly [fields: readonly string[], parts: readonly string[]])[] = [
    [["content-length: 4"], ["body"]],
    [["content-length: 4"], ["bo", "dy"]],
    [["transfer-encoding: chunked"], ["4\r\nbody\r\n0\r\n\r\n"]],
    [["transfer-encoding: chunked"], ["2\r\nbo\r\n", "2\r\ndy\r\n0\r\n\r\n"]],
    [[`content-length: ${big.length}`], [big]],
    [
      ["content-length: 4", "expect: 100-continue"],
      ["", "body"],
    ],
  ];
  const clients = sent.map(([fields, [first = ""]]) => {
    const client = proxy.connect();
    client.send(head(fields) + first);
    return client;
  });
  await workers.untilTrue(() => workers.events.length > 0);
  await workers.untilCounted(() => proxy.http("downstream_rq_total") === sent.length);
  answer(workers, [route("/")]);
  await pinged(workers);
  for (const [index, [, [, ...rest]]] of sent.entries()) clients[index]?.send(rest.join(""));
  for (const [index, [fields]] of sent.entries()) {
    if (fields.includes("expect: 100-continue"))
      assert.equal((await clients[index]?.response())?.status, 100);
    const body = (await clients[index]?.response())?.body;
    assert.equal(body?.length, index === 4 ? big.length : 4, fields.join());
    assert.match(body ?? "", index === 4 ? /^x+$/ : /^body$/);
  }
});

forEachWorkerKind("what a client sends ahead waits behind it", {}, async (workers) => {
  await using upstream = await startHttpUpstream();
  const proxy = await startProxy(workers, upstream.port, { manager: scoped });
  setScope(workers, unloaded);
  const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: test\r\nx-scope: a\r\n\r\n`;
  const together = proxy.connect();
  together.send(get("/1") + get("/2") + get("/3"));
  const apart = proxy.connect();
  apart.send(get("/1"));
  await wanted(workers);
  apart.send(get("/2") + get("/3"));
  await pinged(workers);
  answer(workers, [direct]);
  for (const client of [together, apart])
    for (let i = 0; i < 3; i++) assert.equal((await client.response()).body, "here");
});

forEachWorkerKind("an answer that brings nothing is a 404", {}, async (workers) => {
  await using upstream = await startHttpUpstream();
  const proxy = await startProxy(workers, upstream.port, { manager: scoped });
  setScope(workers, unloaded);
  const client = proxy.connect();
  const response = client.get("/", ["x-scope: a"]);
  await wanted(workers);
  workers.post({ kind: "answered", want, outcome: "answered" });
  assert.equal((await response).status, 404);
  assert.equal(proxy.http("no_route"), 1);
  // The next one asks anew.
  const next = client.get("/", ["x-scope: a"]);
  await workers.until((event) => event.kind === "wanted", 2);
  answer(workers, [direct]);
  assert.equal((await next).body, "here");
});

forEachWorkerKind("clients that leave are forgotten, and main is told", {}, async (workers) => {
  await using upstream = await startHttpUpstream();
  const proxy = await startProxy(workers, upstream.port, { manager: scoped });
  setScope(workers, unloaded);
  const [fin, reset] = [proxy.connect(), proxy.connect()];
  for (const client of [fin, reset]) client.send(head(["content-length: 0"]));
  await workers.untilCounted(() => proxy.http("downstream_rq_total") === 2);
  fin.socket.end();
  reset.socket.resetAndDestroy();
  await proxy.settled();
  await workers.until((event) => event.kind === "unwanted");
  assert.equal(workers.stat(sluiceWorkerStats, workers.sluice, "on_demand_waiting"), 0);
  answer(workers, [direct]);
  await pinged(workers);
});

forEachWorkerKind("a wait ends with the stream's own timeouts", {}, async (workers) => {
  await using upstream = await startHttpUpstream();
  const manager = { ...scoped, streamIdleTimeoutMs: 50 };
  const proxy = await startProxy(workers, upstream.port, { manager });
  setScope(workers, unloaded);
  const client = proxy.connect();
  const response = await client.get("/", ["x-scope: a"]);
  assert.deepEqual([response.status, response.body], [504, "stream timeout"]);
  await workers.until((event) => event.kind === "unwanted");
  assert.equal(proxy.http("downstream_rq_idle_timeout"), 1);
  answer(workers, [direct]);
  assert.equal((await client.get("/", ["x-scope: a"])).body, "here");
});

forEachWorkerKind("without the filter nobody waits", {}, async (workers) => {
  await using upstream = await startHttpUpstream();
  const manager = {
    ...scoped,
    filters: [{ kind: "router", suppressEnvoyHeaders: false }],
  } as const;
  const proxy = await startProxy(workers, upstream.port, { manager });
  setScope(workers, unloaded);
  assert.equal((await proxy.connect().get("/", ["x-scope: a"])).status, 404);
});

forEachWorkerKind(
  "filters see a request once, when it has waited; the filter that lets it wait may come by ECDS",
  {},
  async (workers) => {
    await using upstream = await startHttpUpstream();
    const seen = { name: "x-seen", value: "yes", action: "append" } as const;
    const proxy = await startProxy(workers, upstream.port, {
      manager: {
        ...scoped,
        filters: [
          { kind: "headerMutation", request: [{ add: [seen], remove: [] }], response: [] },
          {
            kind: "discovered",
            id: "e",
            mayInjectCredentials: false,
            fallback: onDemand,
          },
          { kind: "router", suppressEnvoyHeaders: false },
        ],
      },
    });
    setScope(workers, unloaded);
    const answered = proxy.connect().get("/", ["x-scope: a"]);
    await wanted(workers);
    answer(workers, [route("/")]);
    assert.equal((await answered).status, 200);
    assert.equal(upstream.requests[0]?.headers["x-seen"], "yes");
  },
);
