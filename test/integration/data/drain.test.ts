import assert from "node:assert/strict";
import type { ListenerConfig } from "../../../src/shared/config/listener-config.ts";
import { clusterConfig, hostConfig } from "../../support/cluster-fixture.ts";
import { listenerConfig, matchAnything, tcpChain } from "../../support/listener-fixture.ts";
import { startUpstream, TestClient } from "../../support/tcp-peers.ts";
import { forEachWorkerKind, type TestWorkers } from "../../support/test-workers.ts";
import { type DrainStart, drainPolicyDefaults } from "../../../src/shared/drain/drain.ts";
import type { ServerDrainScope } from "../../../src/shared/drain/server-drain-scope.ts";
import { drainId } from "../../../src/shared/common/brand.ts";
import { listenerStats, tcpStats } from "../../../src/shared/stats/stat-names.ts";
import { type WorkerCommand, blockOf } from "../../../src/shared/protocol/worker-command.ts";
import type { WorkerAnswer } from "../../../src/shared/protocol/worker-event.ts";

async function echoClients(port: number, count: number): Promise<TestClient[]> {
  const clients = Array.from({ length: count }, () => new TestClient(port));
  await Promise.all(clients.map((client) => client.echo("hello")));
  return clients;
}

async function withUpstream(workers: TestWorkers, body: () => Promise<void>): Promise<void> {
  await using upstream = await startUpstream();
  workers.setCluster(clusterConfig(), [hostConfig(upstream.port)]);
  await body();
}

forEachWorkerKind(
  "a removed listener drains alone, and is cut at its deadline",
  { isShared: true },
  (workers) =>
    withUpstream(workers, async () => {
      const [removed, other] = [
        await workers.addListener(listenerConfig({ name: "removed" })),
        await workers.addListener(listenerConfig({ name: "other" })),
      ];
      const draining = await echoClients(removed.port, 10);
      const untouched = await echoClients(other.port, 10);
      await workers.stopListener(removed);
      const drain = workers.startDrain(removed, { durationMs: 400 });
      await workers.untilTrue(() => workers.drainCounts(drain)?.notified === 10);
      // Told, and still there: TCP keeps on until the deadline.
      await Promise.all(draining.map((client) => client.echo("still here")));
      await draining[0]?.until(() => draining[0]?.hasEnded === true);
      assert(performance.now() >= drain.deadlineMs, "nothing is cut before the deadline");
      await workers.untilTrue(() => workers.drainCounts(drain)?.remaining === 0);
      assert.deepEqual(workers.drainCounts(drain), {
        atStart: 10,
        notified: 10,
        finished: 0,
        closedByPeer: 0,
        forced: 10,
        remaining: 0,
      });
      await workers.removeListener(removed);
      const tcp = blockOf(removed.slots.tcp, "t");
      assert.equal(workers.stat(tcpStats, tcp, "downstream_cx_drain_close"), 10);
      await Promise.all(untouched.map((client) => client.echo("never noticed")));
      for (const client of untouched) client.socket.destroy();
    }),
);

forEachWorkerKind(
  "with check_drain_close the next bytes, delivered, are the last",
  { isShared: true },
  (workers) =>
    withUpstream(workers, async () => {
      const chain = tcpChain("checked", { checkDrainClose: true });
      const listener = await workers.addListener(listenerConfig({ filterChains: [chain] }));
      const clients = await echoClients(listener.port, 4);
      const [busy, ...silent] = clients;
      const drain = workers.startDrain(listener, { durationMs: 60_000 });
      await workers.untilTrue(() => workers.drainCounts(drain)?.notified === 4);
      busy?.socket.write("last words");
      await busy?.ended();
      await workers.untilTrue(() => workers.drainCounts(drain)?.finished === 1);
      const tcp = blockOf(listener.slots.tcp, "t");
      assert.equal(workers.stat(tcpStats, tcp, "downstream_cx_drain_close"), 1);
      assert.equal(workers.stat(tcpStats, tcp, "downstream_cx_rx_bytes_total"), 4 * 5 + 10);
      assert.equal(workers.drainCounts(drain)?.remaining, 3, "who is silent stays");
      for (const client of silent) assert.equal(client.hasEnded, false);
      for (const client of clients) client.socket.destroy();
    }),
);

forEachWorkerKind("a drain ends early when the peers have gone", { isShared: true }, (workers) =>
  withUpstream(workers, async () => {
    const listener = await workers.addListener(listenerConfig());
    const clients = await echoClients(listener.port, 6);
    await workers.stopListener(listener);
    const drain = workers.startDrain(listener, {
      durationMs: 60_000,
      start: { strategy: "gradual" },
    });
    await workers.untilTrue(() => workers.drainCounts(drain)?.atStart === 6);
    for (const client of clients) client.socket.end();
    await workers.untilTrue(() => workers.drainCounts(drain)?.remaining === 0);
    assert.equal(workers.drainCounts(drain)?.closedByPeer, 6);
    assert.equal(workers.drainCounts(drain)?.forced, 0);
    await workers.removeListener(listener);
  }),
);

forEachWorkerKind(
  "a drain of nothing is reported as empty at once",
  { isShared: true },
  (workers) =>
    withUpstream(workers, async () => {
      const listener = await workers.addListener(listenerConfig());
      const drain = workers.startDrain(listener, { durationMs: 60_000 });
      await workers.untilTrue(() => workers.drainCounts(drain)?.remaining === 0);
      assert.equal(workers.drainCounts(drain)?.atStart, 0);
    }),
);

forEachWorkerKind(
  "a policy of keeping lets connections pass the deadline, removal cuts them",
  { isShared: true },
  (workers) =>
    withUpstream(workers, async () => {
      const listener = await workers.addListener(listenerConfig());
      const [client] = await echoClients(listener.port, 1);
      assert(client);
      const drain = workers.startDrain(listener, { durationMs: 50, start: { tcp: "keep" } });
      while (performance.now() < drain.deadlineMs + 100) await client.echo("kept");
      // Both workers have reported by then, or do so soon.
      await workers.untilTrue(() => workers.drainCounts(drain)?.remaining === 1);
      await workers.removeListener(listener);
      await client.ended();
      await workers.untilTrue(() => workers.drainCounts(drain)?.forced === 1);
    }),
);

// Not on node: a net.Server cannot be asked to empty the kernel's queue.
forEachWorkerKind(
  "no connection in an accept queue is reset when its listener goes",
  { only: "epoll" },
  (workers) =>
    withUpstream(workers, async () => {
      for (let round = 0; round < 10; round++) {
        const listener = await workers.addListener(listenerConfig());
        const clients = Array.from({ length: 50 }, () => new TestClient(listener.port));
        await Promise.all(clients.map((client) => client.connected()));
        // Some are accepted, some wait in the queue, some are on their way to the other worker.
        await workers.stopListener(listener);
        const drain = workers.startDrain(listener, { durationMs: 60_000 });
        await Promise.all(clients.map((client) => client.echo("served")));
        for (const client of clients) client.socket.end();
        await workers.untilTrue(() => {
          const counts = workers.drainCounts(drain);
          return counts?.remaining === 0 && counts.atStart > 0;
        });
        await workers.removeListener(listener);
        assert.deepEqual(
          clients.flatMap((client) => client.error ?? []),
          [],
        );
        assert.equal(
          workers.stat(listenerStats, listener.slots.listener, "downstream_cx_total"),
          50,
        );
      }
    }),
);

forEachWorkerKind(
  "an in-place update keeps connections of unchanged chains and drains the others",
  { isShared: true },
  (workers) =>
    withUpstream(workers, async () => {
      // Both ports of the loopback are local, so the source port tells the chains apart: none matches
      // `changed` by source type, which is the more specific one.
      const kept = {
        ...tcpChain("kept"),
        match: { ...matchAnything, sourcePrefixRanges: [{ ip: "127.0.0.1", prefixLength: 32 }] },
      };
      const before = tcpChain("before");
      const listener = await workers.addListener(
        listenerConfig({ filterChains: [kept], defaultFilterChain: before }),
      );
      const clients = await echoClients(listener.port, 6);
      const update = (reply: number) =>
        ({
          kind: "updateFilterChains",
          tag: listener.tag,
          config: listenerConfig({ filterChains: [kept], defaultFilterChain: tcpChain("after") }),
          slots: listener.slots,
          reply,
        }) as const;
      await workers.request(update);
      const drain = workers.startDrain(listener, { durationMs: 50, filterChains: ["before"] });
      await workers.untilTrue(() => workers.drainCounts(drain)?.remaining === 0);
      assert.equal(workers.drainCounts(drain)?.atStart, 0);
      await Promise.all(clients.map((client) => client.echo("kept")));

      // Now the chain that serves them goes.
      await workers.request((reply) => ({
        ...update(reply),
        config: listenerConfig({ filterChains: [tcpChain("new")] }),
      }));
      const second = workers.startDrain(listener, { durationMs: 300, filterChains: ["kept"] });
      const late = await echoClients(listener.port, 4);
      await workers.untilTrue(() => workers.drainCounts(second)?.forced === 6);
      assert.equal(workers.drainCounts(second)?.remaining, 0);
      await Promise.all(late.map((client) => client.echo("on the new chain")));
      for (const client of late) client.socket.destroy();
    }),
);

forEachWorkerKind(
  "another matcher tree chooses for new connections, and those there are drain by their chain",
  { isShared: true },
  (workers) =>
    withUpstream(workers, async () => {
      const chains = [tcpChain("one"), tcpChain("two")];
      const naming = (name: string, filterChains = chains) =>
        listenerConfig({
          filterChains,
          chainMatcher: {
            branch: { kind: "empty" },
            onNoMatch: { keepsMatching: false, leadsTo: { kind: "action", action: name } },
          },
        });
      const listener = await workers.addListener(naming("one"));
      const update = (config: ListenerConfig) =>
        workers.request((reply) => ({
          kind: "updateFilterChains",
          tag: listener.tag,
          config,
          slots: listener.slots,
          reply,
        }));
      const early = await echoClients(listener.port, 3);
      await update(naming("two"));
      const late = await echoClients(listener.port, 2);
      await Promise.all(early.map((client) => client.echo("kept")));
      await update(naming("two", [tcpChain("two")]));
      const drain = workers.startDrain(listener, { durationMs: 50, filterChains: ["one"] });
      await workers.untilTrue(() => workers.drainCounts(drain)?.forced === 3);
      await Promise.all(late.map((client) => client.echo("kept")));
      for (const client of late) client.socket.destroy();
    }),
);

forEachWorkerKind(
  "a server-wide drain tells listeners of its direction and cuts nothing",
  {},
  (workers) =>
    withUpstream(workers, async () => {
      const inbound = await workers.addListener(listenerConfig({ trafficDirection: "inbound" }));
      const outbound = await workers.addListener(listenerConfig({ trafficDirection: "outbound" }));
      const clients = [
        ...(await echoClients(inbound.port, 3)),
        ...(await echoClients(outbound.port, 2)),
      ];
      const startMs = performance.now();
      const start = (id: number, scope: ServerDrainScope) => {
        const drain = {
          id: drainId(id),
          cause: "admin",
          startMs,
          deadlineMs: startMs + 50,
          strategy: "immediate",
          ...drainPolicyDefaults,
          idleGraceMs: 0,
          cutsAtDeadline: false,
        } as const;
        workers.post({ kind: "startServerDrain", scope, drain });
        return drain;
      };
      const narrow = start(1_001, "inbound");
      await workers.untilTrue(() => workers.drainCounts(narrow)?.notified === 3);
      const wide = start(1_002, "all");
      await workers.untilTrue(() => workers.drainCounts(wide)?.notified === 5);
      // Those accepted from now on are told as well.
      clients.push(...(await echoClients(outbound.port, 1)));
      await workers.untilTrue(() => workers.drainCounts(wide)?.notified === 6);
      while (performance.now() < startMs + 200) await clients[0]?.echo("x");
      await Promise.all(clients.map((client) => client.echo("all here")));
      assert.equal(workers.drainCounts(wide)?.remaining, 6);
      for (const client of clients) client.socket.destroy();
      await workers.untilTrue(() => workers.drainCounts(wide)?.remaining === 0);
    }),
);

/** What every worker answered to a question. */
async function answersTo(
  workers: TestWorkers,
  build: (question: number) => WorkerCommand,
): Promise<readonly WorkerAnswer[]> {
  const question = 1 + workers.events.length;
  workers.post(build(question));
  const answers = (): readonly WorkerAnswer[] =>
    workers.events.flatMap(({ event }) =>
      event.kind === "answer" && event.question === question ? [event.answer] : [],
    );
  await workers.untilTrue(() => answers().length === workers.concurrency);
  return answers();
}

forEachWorkerKind(
  "what remains in a drain is listed, and cut when it is ended by order",
  { isShared: true },
  (workers) =>
    withUpstream(workers, async () => {
      const listener = await workers.addListener(listenerConfig());
      const other = await workers.addListener(listenerConfig({ name: "other" }));
      const clients = await echoClients(listener.port, 6);
      const [untouched] = await echoClients(other.port, 1);
      const drain = workers.startDrain(listener, { durationMs: 60_000, start: { tcp: "keep" } });
      await workers.untilTrue(() => workers.drainCounts(drain)?.notified === 6);
      const answers = await answersTo(workers, (question) => ({
        kind: "listRemaining",
        drain: drain.id,
        limit: 1_000,
        question,
      }));
      const rows = answers.flatMap((each) => (each.kind === "remaining" ? each.connections : []));
      assert.equal(rows.length, 6);
      assert.deepEqual(
        rows.map(({ peer }) => peer).toSorted(),
        clients.map(({ socket }) => `127.0.0.1:${socket.localPort}`).toSorted(),
      );
      for (const { local, protocol, isTold, ageMs, progress } of rows) {
        assert.equal(local, `127.0.0.1:${listener.port}`);
        assert.deepEqual([protocol, isTold, progress.streams], ["tcp", true, 1]);
        assert.deepEqual([progress.bytesReceived, progress.bytesSent], [5, 5]);
        assert(ageMs >= 0);
      }
      await workers.request((reply) => ({ kind: "endDrain", drain: drain.id, reply }));
      // The counts come before the answer.
      assert.deepEqual(
        [workers.drainCounts(drain)?.forced, workers.drainCounts(drain)?.remaining],
        [6, 0],
      );
      await Promise.all(clients.map((client) => client.ended()));
      await untouched?.echo("never noticed");
      await workers.removeListener(listener);
    }),
);

forEachWorkerKind(
  "a cancelled drain cuts nobody, and who comes later is not in it",
  { isShared: true },
  (workers) =>
    withUpstream(workers, async () => {
      const listener = await workers.addListener(listenerConfig());
      const clients = await echoClients(listener.port, 4);
      // Long enough for the order to come before the deadline, also on a machine that is busy.
      const drain = workers.startDrain(listener, { durationMs: 1_000 });
      await workers.untilTrue(() => workers.drainCounts(drain)?.notified === 4);
      const answers = await answersTo(workers, (question) => ({
        kind: "cancelDrain",
        drain: drain.id,
        question,
      }));
      const told = answers.reduce(
        (sum, each) => sum + (each.kind === "drainCancelled" ? each.told : 0),
        0,
      );
      assert.equal(told, 0, "TCP was told nothing that cannot be taken back");
      const all = [...clients, ...(await echoClients(listener.port, 1))];
      while (performance.now() < drain.deadlineMs + 100)
        await Promise.all(all.map((client) => client.echo("still here")));
      const counts = workers.drainCounts(drain);
      assert.deepEqual([counts?.atStart, counts?.remaining, counts?.forced], [4, 4, 0]);
      await workers.removeListener(listener);
    }),
);

forEachWorkerKind(
  "a moved deadline is the one at which connections are cut",
  { isShared: true },
  (workers) =>
    withUpstream(workers, async () => {
      const listener = await workers.addListener(listenerConfig());
      const [client] = await echoClients(listener.port, 1);
      assert(client);
      const drain = workers.startDrain(listener, { durationMs: 60_000 });
      await workers.untilTrue(() => workers.drainCounts(drain)?.notified === 1);
      const deadlineMs = performance.now() + 100;
      workers.post({ kind: "moveDrainDeadline", drain: drain.id, deadlineMs, tellsNow: true });
      await client.ended();
      assert(performance.now() >= deadlineMs);
      await workers.untilTrue(() => workers.drainCounts(drain)?.forced === 1);
      await workers.removeListener(listener);
    }),
);

forEachWorkerKind(
  "connections of one filter chain drain, those of no other",
  { isShared: true },
  (workers) =>
    withUpstream(workers, async () => {
      const config = listenerConfig();
      const listener = await workers.addListener(config);
      const clients = await echoClients(listener.port, 4);
      const { tag } = listener;
      const drainChains = (id: number, filterChains: readonly string[]): DrainStart => {
        const startMs = performance.now();
        const drain: DrainStart = {
          ...drainPolicyDefaults,
          id: drainId(id),
          cause: "admin",
          startMs,
          deadlineMs: startMs + 60_000,
          strategy: "immediate",
          cutsAtDeadline: true,
        };
        workers.post({ kind: "drainConnections", tag, filterChains, share: 1, drain });
        return drain;
      };
      const ofNone = drainChains(101, ["nobody's"]);
      const ofThis = drainChains(
        102,
        config.filterChains.map(({ id }) => id),
      );
      await workers.untilTrue(() => workers.drainCounts(ofThis)?.atStart === 4);
      assert.equal(workers.drainCounts(ofNone)?.atStart, 0);
      for (const client of clients) client.socket.destroy();
      await workers.removeListener(listener);
    }),
);
