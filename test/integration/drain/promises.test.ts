import assert from "node:assert/strict";
import { after, before, beforeEach, suite, test } from "node:test";
import { freePort } from "../../support/free-port.ts";
import { get, isRefused } from "../../support/http-client.ts";
import { HttpUpstream } from "../../support/http-upstream.ts";
import { ProxyProcess } from "../../support/proxy-process.ts";
import { PushingServer } from "../../support/pushing-server.ts";
import { SteadyClients } from "../../support/steady-clients.ts";
import { until } from "../../support/until.ts";
import {
  adsBootstrap,
  cluster,
  endpoints,
  httpListener,
  routes,
} from "../../support/xds-resources.ts";

/**
 * The promises of the README about drains, on a proxy in a process of its own: `still` is the
 * listener that nothing should happen to, `moving` the one that is changed, removed and added again.
 */
const rounds = 33;

suite("what a drain promises", () => {
  const started = new AsyncDisposableStack();
  let controlPlane: PushingServer;
  let proxy: ProxyProcess;
  let upstream: HttpUpstream;
  let movingPort: number;
  let stillPort: number;

  before(async () => {
    upstream = started.use(await HttpUpstream.start("up"));
    controlPlane = started.use(await PushingServer.start());
    movingPort = await freePort();
    controlPlane.offer("clusters", [cluster("web")]);
    controlPlane.offer("endpoints", [endpoints("web", upstream.port)]);
    controlPlane.offer("routes", [routes("web", "web", "v1")]);
    controlPlane.offer("listeners", [still(), moving()]);
    const bootstrap = adsBootstrap("drain", controlPlane.address);
    proxy = started.use(await ProxyProcess.start(bootstrap, ["--drain-time-s", "60"]));
    stillPort = await until(
      async () => (await proxy.listenerPorts()).get("still"),
      "still listens",
    );
  });

  after(() => started.disposeAsync());

  beforeEach(async () => {
    await controlPlane.accepted("listeners", [still(), moving()]);
    await until(async () => (await proxy.listenerPorts()).has("moving"), "moving listens");
  });

  test("what happens to one listener does not touch the connections of another", async () => {
    await using clients = new SteadyClients(stillPort, 4, { keepAlive: true });
    for (let round = 0; round < rounds; round++) {
      await controlPlane.accepted("listeners", [still(), moving(1_000_000 + round)]);
      await controlPlane.accepted("listeners", [still()]);
      await controlPlane.accepted("listeners", [still(), moving()]);
    }
    await until(() => clients.completed > rounds, "enough requests to show something");
    assert.deepEqual(await clients.stop(), []);
    assert.equal(clients.connections, 4, "a connection was closed");
  });

  test("no request is cut while its listener is changed over and over", async () => {
    await using keepAlive = new SteadyClients(movingPort, 4, { keepAlive: true });
    await using short = new SteadyClients(movingPort, 4, { keepAlive: false });
    for (let round = 0; round < rounds; round++)
      await controlPlane.accepted("listeners", [still(), moving(1_000_000 + round)]);
    // A busy machine may take all pushes before it has served as many requests.
    await until(() => Math.min(keepAlive.completed, short.completed) > rounds, "enough requests");
    assert.deepEqual(await keepAlive.stop(), []);
    assert.deepEqual(await short.stop(), []);
  });

  test("no request is cut by a removal, and no connection that was waiting to be accepted", async () => {
    await using clients = new SteadyClients(movingPort, 8, { keepAlive: false });
    // Fewer: whoever dials into a removal hears of it a second later (docs/DRAINING.md, limits).
    for (let round = 0; round < 10; round++) {
      const before = clients.completed;
      await until(() => clients.completed > before, "traffic flows");
      await controlPlane.accepted("listeners", [still()]);
      await controlPlane.accepted("listeners", [still(), moving()]);
    }
    assert.deepEqual(await clients.stop(), []);
  });

  test("a request that was in flight at the removal is answered whole", async () => {
    const held = upstream.hold();
    const slow = get(movingPort, "/slow");
    await held.arrived;
    await controlPlane.accepted("listeners", [still()]);
    await until(() => isRefused(movingPort), "new connections are refused");
    held.release();
    const { status, body } = await slow;
    assert.deepEqual({ status, body }, { status: 200, body: "up" });
  });

  test("a bad push disturbs nothing, applies what is good and tells every error at once", async () => {
    await using clients = new SteadyClients(stillPort, 2, { keepAlive: true });
    const bad = (name: string): object => ({ ...httpListener(name, "web"), filterChains: [] });
    const good = httpListener("good", "web");
    const verdict = await controlPlane.push("listeners", [
      still(),
      bad("bad-1"),
      good,
      bad("bad-2"),
    ]);
    assert(verdict.kind === "nacked");
    assert.match(verdict.error, /bad-1.*no filter chains specified/);
    assert.match(verdict.error, /bad-2.*no filter chains specified/);
    const port = await until(async () => (await proxy.listenerPorts()).get("good"), "good listens");
    assert.equal((await get(port)).status, 200);
    assert.deepEqual(await clients.stop(), []);
  });

  test("a drain can be watched from its cause to its end", async () => {
    const held = upstream.hold();
    const slow = get(movingPort, "/slow");
    await held.arrived;
    await controlPlane.accepted("listeners", [still()]);
    const drain = await until(newestDrain, "the drain is there");
    assert.equal(drain.listener, "moving");
    assert.equal(drain.cause, "lds-remove");
    assert.equal(drain.state, "draining");
    assert.equal(drain.connections.remaining, 1);
    assert.equal(Date.parse(drain.deadline) - Date.parse(drain.started_at), 60_000);

    held.release();
    await slow;
    const ended = await until(async () => {
      const found = (await drains()).find(({ id }) => id === drain.id);
      return found?.state === "draining" ? undefined : found;
    }, "the drain has ended");
    assert.equal(ended.state, "complete");
    assert.equal(ended.connections.at_start, 1);
    assert.equal(ended.connections.forced, 0);
    assert.equal(ended.connections.remaining, 0);
  });

  function still(): object {
    return httpListener("still", "web");
  }

  function moving(bufferLimitBytes = 1_000_000): object {
    return httpListener("moving", "web", { port: movingPort, bufferLimitBytes });
  }

  async function drains(): Promise<readonly Drain[]> {
    return (JSON.parse(await proxy.admin("/drains")) as { drains: readonly Drain[] }).drains;
  }

  async function newestDrain(): Promise<Drain | undefined> {
    // The last one under way. Workers count for themselves: one that has just begun has counted nobody yet.
    return (await drains()).findLast(
      ({ state, connections }) => state === "draining" && connections.at_start > 0,
    );
  }
});

interface Drain {
  readonly id: number;
  readonly listener: string | null;
  readonly cause: string;
  readonly state: string;
  readonly started_at: string;
  readonly deadline: string;
  readonly connections: {
    readonly at_start: number;
    readonly forced: number;
    readonly remaining: number;
  };
}
