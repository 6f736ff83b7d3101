import assert from "node:assert/strict";
import { once } from "node:events";
import {
  Agent,
  createServer,
  type IncomingMessage,
  request,
  type Server,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { after, before, suite, test } from "node:test";
import { findGo, GoControlPlane } from "../../src/cli/go-control-plane.ts";
import { ProxyProcess } from "../support/proxy-process.ts";
import { until } from "../support/until.ts";
import { adsBootstrap, cluster, endpoints, httpListener, routes } from "./resources.ts";

/**
 * A proxy under go-control-plane's own server, cache and protobuf output. One proxy lives through
 * the whole suite, as in production: each test starts from what the one before it has left.
 */
const node = "interop";
const go = await findGo();
if (go === undefined) console.error("interop: go-control-plane is skipped, Go is not installed");

suite("under go-control-plane", { skip: go === undefined && "Go is not installed" }, () => {
  let controlPlane: GoControlPlane;
  let proxy: ProxyProcess;
  let blue: Upstream;
  let green: Upstream;

  before(async () => {
    blue = await Upstream.start("blue");
    green = await Upstream.start("green");
    controlPlane = await GoControlPlane.start(
      path.join(import.meta.dirname, "go-control-plane"),
      node,
    );
    await controlPlane.push({ clusters: [], listeners: [] });
    const bootstrap = adsBootstrap(node, controlPlane.xdsAddress);
    proxy = await ProxyProcess.start(bootstrap, ["--drain-time-s", "60"]);
  });

  after(async () => {
    await proxy[Symbol.asyncDispose]();
    await controlPlane[Symbol.asyncDispose]();
    blue.stop();
    green.stop();
  });

  test("a push of all four kinds is accepted and serves", async () => {
    const versions = await controlPlane.push({
      clusters: [cluster("web")],
      endpoints: [endpoints("web", blue.port)],
      listeners: [httpListener("front", "front-routes"), httpListener("other", "front-routes")],
      routes: [routes("front-routes", "web", "v1")],
    });
    for (const kind of ["clusters", "endpoints", "listeners", "routes"] as const) {
      const answer = await controlPlane.answered(kind, versions[kind]);
      assert.equal(answer.acked, versions[kind], `${kind}: ${answer.nacked?.error}`);
    }
    assert.deepEqual([...(await proxy.listenerPorts()).keys()].sort(), ["front", "other"]);
    assert.equal(await proxy.stat("listener_manager.total_listeners_active"), 2);
    const { status, body, tag } = await get(await portOf("front"));
    assert.deepEqual({ status, body, tag }, { status: 200, body: "blue", tag: "v1" });
  });

  test("a change of routes sends routes alone, and opens no listener anew", async () => {
    const before = await proxy.stat("listener_manager.listener_modified");
    const earlier = await controlPlane.status();
    const versions = await controlPlane.push({ routes: [routes("front-routes", "web", "v2")] });
    await controlPlane.answered("routes", versions.routes);
    await until(
      async () => (await get(await portOf("front"))).tag === "v2",
      "the new route answers",
    );
    assert.equal(versions.listeners, earlier.nodes[node]?.listeners?.sent);
    assert.equal(await proxy.stat("listener_manager.listener_modified"), before);
  });

  test("an upstream is moved by its endpoints", async () => {
    const versions = await controlPlane.push({ endpoints: [endpoints("web", green.port)] });
    assert.equal((await controlPlane.answered("endpoints", versions.endpoints)).acked, "2");
    await until(async () => (await get(await portOf("front"))).body === "green", "green answers");
  });

  test("a bad listener is refused by name, the good one beside it applies", async () => {
    const bad = { ...httpListener("bad", "front-routes"), filterChains: [] };
    const good = ["front", "other", "good"].map((name) => httpListener(name, "front-routes"));
    const versions = await controlPlane.push({ listeners: [...good, bad] });
    const answer = await controlPlane.answered("listeners", versions.listeners);
    assert.equal(answer.nacked?.version, versions.listeners);
    assert.match(answer.nacked.error, /bad.*no filter chains specified/);
    assert.notEqual(answer.acked, versions.listeners);
    // More than one: go-control-plane sends again at once to whoever refuses.
    assert((await proxy.stat("listener_manager.lds.update_rejected")) >= 1);
    for (const name of ["front", "other", "good"])
      assert.equal((await get(await portOf(name))).status, 200, name);
    assert(!(await proxy.listenerPorts()).has("bad"));
  });

  test("a repaired push is accepted", async () => {
    const listeners = ["front", "other"].map((name) => httpListener(name, "front-routes"));
    const versions = await controlPlane.push({ listeners });
    assert.equal(
      (await controlPlane.answered("listeners", versions.listeners)).acked,
      versions.listeners,
    );
  });

  test("a removed listener drains alone: its request ends whole, the other is not touched", async () => {
    const port = await portOf("front");
    const otherPort = await portOf("other");
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    await get(otherPort, "/", agent);
    const finish = green.hold();
    const slow = get(port, "/slow");
    await finish.arrived;

    const versions = await controlPlane.remove("listeners", "front");
    await controlPlane.answered("listeners", versions.listeners);
    await until(() => isRefused(port), "new connections are refused");
    assert.deepEqual([...(await proxy.listenerPorts()).keys()], ["other"]);
    // Envoy also counts `good`, removed before: it keeps a drained listener for the whole drain time.
    assert((await proxy.stat("listener_manager.total_listeners_draining")) >= 1);
    const kept = await get(otherPort, "/", agent);
    assert.equal(kept.status, 200);
    assert(kept.isReused, "the kept connection was closed");

    finish.release();
    assert.equal((await slow).body, "green");
    agent.destroy();
  });

  async function portOf(name: string): Promise<number> {
    return until(async () => (await proxy.listenerPorts()).get(name), `${name} listens`);
  }
});

interface Answered {
  readonly status: number;
  readonly body: string;
  /** What the route adds, to tell one version of it from the next. */
  readonly tag: string | undefined;
  /** Whether it went over a connection that had served before. */
  readonly isReused: boolean;
}

async function get(port: number, target = "/", agent: Agent | false = false): Promise<Answered> {
  const sent = request({ host: "127.0.0.1", port, path: target, agent }).end();
  const [response] = (await once(sent, "response")) as [IncomingMessage];
  let body = "";
  for await (const chunk of response) body += String(chunk);
  const tag = response.headers["x-route"];
  return {
    status: response.statusCode ?? 0,
    body,
    tag: Array.isArray(tag) ? tag[0] : tag,
    isReused: sent.reusedSocket,
  };
}

async function isRefused(port: number): Promise<boolean> {
  return get(port).then(
    () => false,
    (error: NodeJS.ErrnoException) => error.code === "ECONNREFUSED",
  );
}

/** Answers with its name; one request may be held, to have something in flight. */
class Upstream {
  readonly #server: Server;
  readonly #name: string;
  #held: { readonly arrived: () => void; readonly released: Promise<void> } | undefined;

  private constructor(name: string) {
    this.#name = name;
    this.#server = createServer((incoming, response) => {
      if (incoming.url === "/slow" && this.#held) void this.#answerLater(response, this.#held);
      else response.end(this.#name);
    });
  }

  static async start(name: string): Promise<Upstream> {
    const upstream = new Upstream(name);
    upstream.#server.listen(0, "127.0.0.1");
    await once(upstream.#server, "listening");
    return upstream;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  hold(): { readonly arrived: Promise<void>; release(): void } {
    const arrived = Promise.withResolvers<void>();
    const released = Promise.withResolvers<void>();
    this.#held = { arrived: arrived.resolve, released: released.promise };
    return { arrived: arrived.promise, release: released.resolve };
  }

  stop(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async #answerLater(
    response: ServerResponse,
    held: { readonly arrived: () => void; readonly released: Promise<void> },
  ): Promise<void> {
    held.arrived();
    await held.released;
    response.end(this.#name);
  }
}
