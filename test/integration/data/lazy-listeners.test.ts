import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { clusterConfig, hostConfig } from "../../support/cluster-fixture.ts";
import { listenerConfig } from "../../support/listener-fixture.ts";
import { startUpstream, TestClient } from "../../support/tcp-peers.ts";
import {
  forEachWorkerKind,
  type TestListener,
  type TestWorkers,
} from "../../support/test-workers.ts";

/** Answers every question for a configuration, as main does: to the worker that asked. */
function answerLater(workers: TestWorkers, answered: { count: number }): void {
  const wanted = workers.events.filter(({ event }) => event.kind === "listenerConfigWanted");
  for (const { worker, event } of wanted.slice(answered.count)) {
    if (event.kind !== "listenerConfigWanted") continue;
    workers.post({ kind: "listenerConfig", tag: event.tag, config: listenerConfig() }, worker);
  }
  answered.count = wanted.length;
}

forEachWorkerKind(
  "a lazy listener asks once, and who came meanwhile is served",
  {},
  async (workers) => {
    await using upstream = await startUpstream();
    workers.setCluster(clusterConfig(), [hostConfig(upstream.port)]);
    const listener = await workers.addListener(listenerConfig(), { isLazy: true });
    const clients = Array.from({ length: 20 }, () => new TestClient(listener.port));
    await Promise.all(clients.map((client) => client.connected()));
    await workers.until((event) => event.kind === "listenerConfigWanted", workers.concurrency);
    assert(clients.every((client) => client.receivedBytes === 0));
    answerLater(workers, { count: 0 });
    await Promise.all(clients.map((client) => client.echo("served")));
    const asked = workers.events.filter(({ event }) => event.kind === "listenerConfigWanted");
    assert.equal(asked.length, workers.concurrency);
    for (const client of clients) client.socket.destroy();
  },
);

forEachWorkerKind(
  "stopping waits for connections that wait for their configuration",
  {},
  async (workers) => {
    await using upstream = await startUpstream();
    workers.setCluster(clusterConfig(), [hostConfig(upstream.port)]);
    const listener = await workers.addListener(listenerConfig(), { isLazy: true });
    const client = new TestClient(listener.port);
    await workers.until((event) => event.kind === "listenerConfigWanted");
    let hasStopped = false;
    const stopped = workers.stopListener(listener).then(() => (hasStopped = true));
    await workers.request((reply) => ({ kind: "ping", reply }));
    assert.equal(hasStopped, false);
    answerLater(workers, { count: 0 });
    await stopped;
    await client.echo("served");
    client.socket.destroy();
  },
);

forEachWorkerKind(
  "10,000 lazy listeners fit into 20,000 descriptors",
  { only: "epoll" },
  async (workers) => {
    await using upstream = await startUpstream();
    workers.setCluster(clusterConfig(), [hostConfig(upstream.port)]);
    const listeners: TestListener[] = [];
    for (let i = 0; i < 10_000; i++) {
      // Over several addresses: the kernel's search for a free port is slow on a crowded one.
      const socket = await workers.openSocket({
        kind: "ip",
        ip: `127.0.0.${1 + (i % 50)}`,
        port: 0,
      });
      const answer = i === 9_999;
      listeners.push(await workers.addListener(listenerConfig(), { isLazy: true, answer, socket }));
    }
    const descriptors = readdirSync("/proc/self/fd").length;
    assert(descriptors < 20_000, `${descriptors} descriptors`);
    const answered = { count: 0 };
    for (const listener of [listeners[0], listeners[5_000], listeners[9_999]]) {
      assert(listener);
      const client = new TestClient(listener.port, hostOf(listener));
      client.socket.write("x");
      await workers.untilTrue(() => workers.events.length > 0);
      while (client.receivedBytes === 0) {
        answerLater(workers, answered);
        await workers.request((reply) => ({ kind: "ping", reply }));
      }
      client.socket.destroy();
    }
  },
);

function hostOf({ socket }: TestListener): string {
  const { localAddress } = socket.ref;
  return localAddress.kind === "ip" ? localAddress.ip : "";
}
