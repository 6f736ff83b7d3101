import assert from "node:assert/strict";
import { Agent } from "node:http";
import { after, before, suite, test } from "node:test";
import { get, isRefused } from "../../support/http-client.ts";
import { HttpUpstream } from "../../support/http-upstream.ts";
import { ProxyProcess } from "../../support/proxy-process.ts";
import { PushingServer } from "../../support/pushing-server.ts";
import { until } from "../../support/until.ts";
import {
  adsBootstrap,
  cluster,
  endpoints,
  httpListener,
  routes,
} from "../../support/xds-resources.ts";

/** Drains seen and steered through the admin of a proxy in a process of its own. */
suite("a drain that is steered", () => {
  const started = new AsyncDisposableStack();
  let controlPlane: PushingServer;
  let proxy: ProxyProcess;
  let upstream: HttpUpstream;
  let port: number;

  before(async () => {
    upstream = started.use(await HttpUpstream.start("up"));
    controlPlane = started.use(await PushingServer.start());
    controlPlane.offer("clusters", [cluster("web")]);
    controlPlane.offer("endpoints", [endpoints("web", upstream.port)]);
    controlPlane.offer("routes", [routes("web", "web", "v1")]);
    controlPlane.offer("listeners", [shop()]);
    const bootstrap = adsBootstrap("steer", controlPlane.address);
    proxy = started.use(await ProxyProcess.start(bootstrap, ["--drain-time-s", "60"]));
    port = await until(async () => (await proxy.listenerPorts()).get("shop"), "shop listens");
  });

  after(() => started.disposeAsync());

  test("shows each connection that it waits for", async () => {
    const held = upstream.hold();
    const agent = new Agent({ keepAlive: true });
    const slow = get(port, "/slow", agent);
    await held.arrived;
    const { id } = await post("/drain_listeners?name=shop&strategy=immediate&time=30");
    const drain = await until(async () => {
      const shown = await one(id);
      return shown.remaining_listed > 0 ? shown : undefined;
    }, "the connection is listed");
    const [connection] = drain.remaining;
    assert(connection);
    assert.match(connection.peer, /^127\.0\.0\.1:\d+$/);
    assert.equal(connection.local, `127.0.0.1:${port}`);
    assert.equal(connection.protocol, "http1");
    assert.equal(connection.streams, 1);
    assert.equal(connection.told, true);
    assert.equal(connection.cluster, "web");
    assert(connection.age_ms >= 0);
    assert.deepEqual(drain.silent_workers, []);
    assert.equal(drain.policy.time, "30s");
    assert.equal(drain.policy.strategy, "immediate");
    held.release();
    assert.equal((await slow).headers.connection, "close");
    const ended = await until(() => whenEnded(id), "it has ended");
    assert.deepEqual([ended.state, ended.ended_by], ["complete", "empty"]);
    assert.deepEqual(ended.remaining, []);
  });

  test("is cancelled, and connections that were not told go on as before", async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    await get(port, "/", agent);
    const { id } = await post("/drain_listeners?graceful&skip_exit&time=3600");
    const cancelled = await post(`/drains/${id}/cancel`);
    assert.deepEqual([cancelled.state, cancelled.ended_by], ["cancelled", "order"]);
    const next = await get(port, "/", agent);
    assert.notEqual(next.headers.connection, "close");
    assert.equal(next.isReused, true);
    // What comes later is in no drain either.
    const later = new Agent({ keepAlive: true });
    assert.notEqual((await get(port, "/", later)).headers.connection, "close");
    later.destroy();
    assert.match(await proxy.admin("/ready"), /LIVE/);
    agent.destroy();
  });

  test("is cancelled too late for those that were told: they are counted, and close", async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    await get(port, "/", agent);
    const { id } = await post("/drain_listeners?name=shop&strategy=immediate");
    await until(async () => (await one(id)).remaining.some(({ told }) => told), "it was told");
    const cancelled = await post(`/drains/${id}/cancel`);
    assert.equal(cancelled.state, "cancelled");
    assert.equal(
      cancelled.note,
      "1 connection was told already and closes after its next response",
    );
    assert.equal((await get(port, "/", agent)).headers.connection, "close");
    agent.destroy();
  });

  test("is extended, and ended at once, with what was under way cut", async () => {
    const held = upstream.hold();
    const slow = get(port, "/slow").catch((error: NodeJS.ErrnoException) => error.code);
    await held.arrived;
    const { id, deadline } = await post("/drain_listeners?name=shop&time=30");
    const extended = await post(`/drains/${id}/extend?time=60`);
    assert.equal(Date.parse(extended.deadline) - Date.parse(deadline), 60_000);
    await until(async () => (await one(id)).remaining_listed > 0, "the connection is in it");
    const ended = await post(`/drains/${id}/end`);
    assert.deepEqual([ended.state, ended.ended_by], ["forced", "order"]);
    assert.equal(ended.connections.forced, 1);
    assert.equal(await slow, "ECONNRESET");
    held.release();
    assert.equal((await get(port)).status, 200, "the listener serves");
  });

  test("of too many versions the oldest is cut", async () => {
    const held = upstream.hold();
    const cut = get(port, "/slow").catch((error: NodeJS.ErrnoException) => error.code);
    await held.arrived;
    await controlPlane.accepted("listeners", [shop(2_000_001)]);
    const first = await until(async () => (await drains()).find(isReplacement), "it drains");
    await until(async () => (await one(first.id)).remaining_listed > 0, "the request is in it");
    const finishing: Promise<number>[] = [];
    const allHeld = [held];
    // Each version has a request of its own, or its drain would be over at once.
    for (const bytes of [2_000_002, 2_000_003]) {
      const later = upstream.hold();
      allHeld.push(later);
      port = await until(async () => (await proxy.listenerPorts()).get("shop"), "shop listens");
      finishing.push(get(port, "/slow").then(({ status }) => status));
      await later.arrived;
      await controlPlane.accepted("listeners", [shop(bytes)]);
    }
    assert.equal(await cut, "ECONNRESET");
    const ended = await until(() => whenEnded(first.id), "it has ended");
    assert.deepEqual([ended.state, ended.ended_by], ["forced", "generations"]);
    assert.equal(await proxy.stat("sluice.drain.generations_forced"), 1);
    for (const each of allHeld) each.release();
    assert.deepEqual(await Promise.all(finishing), [200, 200], "newer versions finish theirs");
    port = await until(async () => (await proxy.listenerPorts()).get("shop"), "shop listens");
  });

  test("that does not exist, or cannot be so, is refused with words", async () => {
    const before = await until(async () => {
      const all = await drains();
      return all.some((drain) => drain.state === "draining") ? undefined : all;
    }, "nothing drains");
    const { id } = before.at(-1) ?? assert.fail("there was a drain");
    const expected = [
      ["GET", "/drains/9999", 404, "there has been no drain 9999"],
      ["POST", "/drains/9999/cancel", 404, "there has been no drain 9999"],
      ["POST", `/drains/${id}/cancel`, 409, `drain ${id} ended already at`],
      ["POST", `/drains/${id}/extend?time=0`, 400, "time must be a number of seconds above 0"],
      ["GET", `/drains/${id}/end`, 405, "Method GET not allowed, POST required."],
      ["GET", "/drains/seven", 400, "'seven' is no id of a drain"],
      ["POST", "/drain_listeners?name=nobody", 404, "no active listener 'nobody'"],
      ["POST", "/drain_listeners?name=shop&filter_chain=x", 404, "has no filter chain 'x'"],
      ["POST", "/drain_listeners?name=shop&percent=101", 400, "percent must be"],
    ] as const;
    for (const [method, target, status, words] of expected) {
      const response = await fetch(`http://${proxy.adminAddress}${target}`, { method });
      assert.equal(response.status, status, target);
      const text = await response.text();
      assert(text.includes(words), `${target}: ${text}`);
    }
    const policy = { time: "30s", max_generations: 0 };
    const verdict = await controlPlane.push("listeners", [shop(1_000_000, policy)]);
    assert(verdict.kind === "nacked");
    assert.match(verdict.error, /metadata 'sluice\.drain': max_generations must be at least 1/);
    assert.deepEqual((await drains()).map(state), before.map(state));
  });

  test("of a server that stops cannot be taken back", async () => {
    const held = upstream.hold();
    const slow = get(port, "/slow");
    await held.arrived;
    await proxy.admin("/drain_listeners", "POST");
    await until(() => isRefused(port), "nobody listens");
    const drain = await until(async () => (await drains()).find(isOfServer), "it drains");
    const url = `http://${proxy.adminAddress}/drains/${drain.id}/cancel`;
    const refused = await fetch(url, { method: "POST" });
    assert.equal(refused.status, 409);
    assert.match(await refused.text(), /listeners have stopped, and do not accept again/);
    held.release();
    assert.equal((await slow).status, 200);
  });

  function shop(
    bufferLimitBytes = 1_000_000,
    policy: object = { max_generations: 2, idle_grace: "0.5s" },
  ): object {
    const metadata = { filterMetadata: { "sluice.drain": policy } };
    return { ...httpListener("shop", "web", { bufferLimitBytes }), metadata };
  }

  async function post(target: string): Promise<Drain> {
    return JSON.parse(await proxy.admin(target, "POST")) as Drain;
  }

  async function one(id: number): Promise<DrainDetail> {
    return JSON.parse(await proxy.admin(`/drains/${id}`)) as DrainDetail;
  }

  async function drains(): Promise<readonly Drain[]> {
    return (JSON.parse(await proxy.admin("/drains")) as { drains: readonly Drain[] }).drains;
  }

  async function whenEnded(id: number): Promise<DrainDetail | undefined> {
    const drain = await one(id);
    return drain.state === "draining" ? undefined : drain;
  }
});

interface Drain {
  readonly id: number;
  readonly cause: string;
  readonly listener: string | null;
  readonly state: string;
  readonly ended_by: string | null;
  readonly deadline: string;
  readonly note?: string;
  readonly policy: { readonly time: string; readonly strategy: string };
  readonly connections: { readonly forced: number };
}

interface DrainDetail extends Drain {
  readonly remaining: readonly {
    readonly peer: string;
    readonly local: string;
    readonly protocol: string;
    readonly streams: number;
    readonly told: boolean;
    readonly cluster: string | null;
    readonly age_ms: number;
  }[];
  readonly remaining_listed: number;
  readonly silent_workers: readonly number[];
}

function state(drain: Drain): readonly unknown[] {
  return [drain.id, drain.state, drain.deadline];
}

function isReplacement({ cause, state: now }: Drain): boolean {
  return cause === "lds-replace" && now === "draining";
}

function isOfServer({ listener, state: now }: Drain): boolean {
  return listener === null && now === "draining";
}
