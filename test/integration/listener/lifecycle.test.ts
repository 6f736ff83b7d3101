import assert from "node:assert/strict";
import { test } from "node:test";
import { drainPolicyDefaults } from "../../../src/shared/drain/drain.ts";
import { type RealListeners, startListeners } from "../../support/real-listeners.ts";
import { startUpstream, TestClient } from "../../support/tcp-peers.ts";
import { until } from "../../support/until.ts";

const wanted = process.env["SLUICE_REACTOR"];
const drain = {
  timeMs: 60_000,
  strategy: "gradual",
  ...drainPolicyDefaults,
  idleGraceMs: 1_000,
  // A connection is held over fifty updates, each a generation that may still be draining when the next comes.
  maxGenerations: 100,
} as const;

function forEachReactor(
  name: string,
  timeMs: number,
  body: (listeners: RealListeners) => Promise<void>,
): void {
  for (const reactor of ["epoll", "node"] as const) {
    if (wanted !== undefined && wanted !== reactor) continue;
    if (reactor === "epoll" && process.platform !== "linux") continue;
    test(`${name} [${reactor}]`, { timeout: 120_000 }, async () => {
      await using upstream = await startUpstream();
      await using listeners = await startListeners({
        reactor,
        concurrency: reactor === "epoll" ? 2 : 1,
        drain: { ...drain, timeMs },
        upstreamPort: upstream.port,
      });
      await body(listeners);
    });
  }
}

/** Clients that connect, are echoed and leave, as fast as it goes, until they are stopped. */
function hammer(port: number, clients: number) {
  const failures: string[] = [];
  let exchanges = 0;
  let isStopped = false;
  const run = async (): Promise<void> => {
    while (!isStopped) {
      const client = new TestClient(port);
      client.socket.write("hello");
      await client.until(() => client.receivedBytes === 5 || client.hasClosed || client.hasEnded);
      if (client.receivedBytes === 5) exchanges++;
      else failures.push(client.error ?? "closed without an answer");
      client.socket.destroy();
    }
  };
  const running = Array.from({ length: clients }, run);
  return {
    failures,
    get exchanges() {
      return exchanges;
    },
    async stop() {
      isStopped = true;
      await Promise.all(running);
    },
  };
}

forEachReactor(
  "full and in-place updates lose no connection, here or elsewhere",
  60_000,
  async (listeners) => {
    const [here, there] = [
      { name: "here", address: "127.0.0.1:0", chains: ["a"] },
      { name: "there", address: "127.0.0.1:0" },
    ];
    assert.deepEqual(await listeners.push([here, there]), {});
    const long = new TestClient(listeners.port("here"));
    await long.echo("before");
    const traffic = [hammer(listeners.port("here"), 8), hammer(listeners.port("there"), 8)];
    for (let i = 0; i < 50; i++) {
      const statPrefix = i % 2 === 0 ? `full_${i}` : `full_${i - 1}`;
      const chains = [`chain_${i}`];
      assert.deepEqual(await listeners.push([{ ...here, chains, config: { statPrefix } }]), {});
      const before = traffic.map((each) => each.exchanges);
      await until(
        () => traffic.every((each, index) => each.exchanges > (before[index] ?? 0) + 2),
        "traffic goes on",
      );
    }
    await Promise.all(traffic.map((each) => each.stop()));
    for (const { failures } of traffic) assert.deepEqual(failures, []);
    await long.echo("after fifty updates");
    assert.equal(listeners.sockets.size, 2);
    long.socket.destroy();
    await until(
      () => listeners.drains.active.length === 0,
      "every drain ends with its last connection",
    );
  },
);

forEachReactor(
  "removing and adding again disturbs no other listener",
  60_000,
  async (listeners) => {
    const there = { name: "there", address: "127.0.0.1:0" };
    await listeners.push([there]);
    const traffic = hammer(listeners.port("there"), 8);
    for (let i = 0; i < 50; i++) {
      await listeners.push([{ name: "here", address: "127.0.0.1:0" }]);
      const client = new TestClient(listeners.port("here"));
      await client.echo("hello");
      await listeners.push([], ["here"]);
      await client.echo("still there while it drains");
      client.socket.destroy();
    }
    await traffic.stop();
    assert.deepEqual(traffic.failures, []);
    assert(traffic.exchanges > 0);
    await until(
      () => listeners.drains.active.length === 0,
      "every drain ends with its last connection",
    );
    assert.equal(listeners.sockets.size, 1);
    assert.equal(listeners.manager.view().listeners.length, 1);
    const outcomes = listeners.drains.view().drains.map((each) => each.state);
    assert.deepEqual(new Set(outcomes), new Set(["complete"]));
  },
);

// The node reactor leaves the closing to main, a message later, and resets whoever came meanwhile.
if (process.platform === "linux" && wanted !== "node") {
  test(
    "removing under load empties the accept queue, resets less than one a time",
    { timeout: 120_000 },
    async () => {
      await using upstream = await startUpstream();
      const reactor = "epoll";
      await using listeners = await startListeners({
        reactor,
        concurrency: 2,
        drain,
        upstreamPort: upstream.port,
      });
      const stopped: Promise<readonly string[]>[] = [];
      for (let i = 0; i < 25; i++) {
        await listeners.push([{ name: "a", address: "127.0.0.1:0" }]);
        const traffic = hammer(listeners.port("a"), 32);
        await until(() => traffic.exchanges > 50, "traffic flows");
        await listeners.push([], ["a"]);
        // The next round need not wait for whoever dialled in the last moment: that one dials again a second later.
        stopped.push(traffic.stop().then(() => traffic.failures));
      }
      const failures = (await Promise.all(stopped)).flat();
      assert.deepEqual(
        failures.filter((each) => each !== "ECONNREFUSED"),
        [],
      );
    },
  );
}

forEachReactor("what is left at the deadline is cut and counted", 300, async (listeners) => {
  await listeners.push([{ name: "a", address: "127.0.0.1:0" }]);
  const client = new TestClient(listeners.port("a"));
  await client.echo("hello");
  await listeners.push([], ["a"]);
  await client.ended();
  await until(() => listeners.drains.active.length === 0, "the drain ends");
  const [ended] = listeners.drains.view().drains;
  assert.equal(ended?.state, "forced");
  assert.equal(ended.connections.at_start, 1);
  assert.equal(ended.connections.forced, 1);
  assert.equal(listeners.sockets.size, 0);
});
