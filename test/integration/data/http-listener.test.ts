import assert from "node:assert/strict";
import { once } from "node:events";
import { Agent, createServer, type IncomingMessage, request } from "node:http";
import type { AddressInfo } from "node:net";
import { clusterConfig, hostConfig } from "../../support/cluster-fixture.ts";
import { httpChain, listenerConfig, routeToCluster } from "../../support/listener-fixture.ts";
import { forEachWorkerKind, type TestWorkers } from "../../support/test-workers.ts";
import { httpStats } from "../../../src/shared/stats/stat-names.ts";
import { blockOf } from "../../../src/shared/protocol/worker-command.ts";

interface Answer {
  readonly status: number | undefined;
  readonly body: string;
  readonly connection: string | undefined;
}

async function get(port: number, agent: Agent, path = "/"): Promise<Answer> {
  const sent = request({ port, host: "127.0.0.1", agent, path }).end();
  const [message] = (await once(sent, "response")) as [IncomingMessage];
  let body = "";
  for await (const chunk of message) body += String(chunk);
  return { status: message.statusCode, body, connection: message.headers.connection };
}

async function withHttpUpstream(workers: TestWorkers, body: () => Promise<void>): Promise<void> {
  const server = createServer((incoming, response) => response.end(`you asked ${incoming.url}`));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  workers.setCluster(clusterConfig(), [hostConfig((server.address() as AddressInfo).port)]);
  try {
    await body();
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

forEachWorkerKind(
  "an HTTP listener serves, and hears of new routes on open connections",
  {},
  (workers) =>
    withHttpUpstream(workers, async () => {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      const slots = workers.slots({ http: ["h"] });
      const routes = { kind: "rds", name: "r" } as const;
      const listener = await workers.addListener(
        listenerConfig({ filterChains: [httpChain("http", { routes })] }),
        { slots },
      );
      assert.equal((await get(listener.port, agent)).status, 404);
      workers.post({ kind: "setRoutes", config: routeToCluster("c") });
      await workers.request((reply) => ({ kind: "ping", reply }));
      assert.equal((await get(listener.port, agent, "/a")).body, "you asked /a");
      workers.post({ kind: "setRoutes", config: routeToCluster("missing") });
      await workers.request((reply) => ({ kind: "ping", reply }));
      assert.equal((await get(listener.port, agent)).status, 503);
      assert.equal(workers.stat(httpStats, blockOf(slots.http, "h"), "downstream_cx_total"), 1);
      agent.destroy();
    }),
);

forEachWorkerKind(
  "a drained HTTP connection is told by its next response and ends early",
  {},
  (workers) =>
    withHttpUpstream(workers, async () => {
      const agents = Array.from({ length: 4 }, () => new Agent({ keepAlive: true, maxSockets: 1 }));
      const slots = workers.slots({ http: ["h"] });
      const listener = await workers.addListener(
        listenerConfig({ filterChains: [httpChain("http")] }),
        { slots },
      );
      const ask = () => Promise.all(agents.map((agent) => get(listener.port, agent)));
      for (const answer of await ask()) assert.equal(answer.connection, undefined);
      await workers.stopListener(listener);
      const drain = workers.startDrain(listener, {
        durationMs: 30_000,
        start: { idleGraceMs: 20_000 },
      });
      await workers.untilTrue(() => workers.drainCounts(drain)?.notified === 4);
      for (const answer of await ask())
        assert.deepEqual([answer.status, answer.connection], [200, "close"]);
      await workers.untilTrue(() => workers.drainCounts(drain)?.remaining === 0);
      assert.equal(workers.drainCounts(drain)?.forced, 0);
      assert(performance.now() < drain.deadlineMs);
      for (const agent of agents) agent.destroy();
    }),
);

forEachWorkerKind(
  "an idle HTTP connection that was told is closed after its grace",
  {},
  (workers) =>
    withHttpUpstream(workers, async () => {
      const agent = new Agent({ keepAlive: true });
      const slots = workers.slots({ http: ["h"] });
      const listener = await workers.addListener(
        listenerConfig({ filterChains: [httpChain("http")] }),
        { slots },
      );
      await get(listener.port, agent);
      const drain = workers.startDrain(listener, {
        durationMs: 30_000,
        start: { idleGraceMs: 50 },
      });
      await workers.untilTrue(() => {
        const counts = workers.drainCounts(drain);
        return counts?.atStart === 1 && counts.remaining === 0;
      });
      assert.equal(workers.drainCounts(drain)?.forced, 0);
      agent.destroy();
    }),
);

forEachWorkerKind(
  "/healthcheck/fail asks listeners of drain type default alone to close",
  {},
  (workers) =>
    withHttpUpstream(workers, async () => {
      const agent = new Agent({ keepAlive: true });
      const ports: number[] = [];
      for (const drainType of ["default", "modifyOnly"] as const) {
        const config = listenerConfig({ drainType, filterChains: [httpChain("http")] });
        ports.push(
          (await workers.addListener(config, { slots: workers.slots({ http: ["h"] }) })).port,
        );
      }
      const ask = async () => {
        const answers = await Promise.all(ports.map((port) => get(port, agent)));
        return answers.map((answer) => answer.connection);
      };
      workers.post({ kind: "setHealthCheckFailed", failed: true });
      await workers.request((reply) => ({ kind: "ping", reply }));
      assert.deepEqual(await ask(), ["close", undefined]);
      workers.post({ kind: "setHealthCheckFailed", failed: false });
      await workers.request((reply) => ({ kind: "ping", reply }));
      assert.deepEqual(await ask(), [undefined, undefined]);
      agent.destroy();
    }),
);
