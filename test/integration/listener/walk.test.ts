/**
 * One listener walks through all that can happen to it, and after each step everything under
 * `listener_manager.` and `listener.` is what it should be: not a number more, not one less.
 * `SLUICE_TEST_PROXY=envoy` walks Envoy through the same steps.
 */
import assert from "node:assert/strict";
import { createServer } from "node:net";
import { once } from "node:events";
import { isDeepStrictEqual } from "node:util";
import { suite, test } from "node:test";
import { freePort } from "../../support/free-port.ts";
import { FakeManagementServer, type Resources } from "../../support/fake-management-server.ts";
import { ProxyProcess } from "../../support/proxy-process.ts";
import { startUpstream, TestClient } from "../../support/tcp-peers.ts";
import { until } from "../../support/until.ts";

const fromAds = { ads: {}, resource_api_version: "V3" };
const typeOf = (name: string): string => `type.googleapis.com/envoy.${name}`;
const tcpProxyType = typeOf("extensions.filters.network.tcp_proxy.v3.TcpProxy");
const managerType = typeOf(
  "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
);
const routerType = typeOf("extensions.filters.http.router.v3.Router");

const socketAddress = (port: number): object => ({
  socket_address: { address: "127.0.0.1", port_value: port },
});

function tcpChain(name: string, idleTimeout = "3600s"): object {
  const proxy = {
    "@type": tcpProxyType,
    stat_prefix: "t",
    cluster: "echo",
    idle_timeout: idleTimeout,
  };
  return { name, filters: [{ name: "tcp", typed_config: proxy }] };
}

/** Its routes come by RDS: it warms until they do. */
function httpChain(): object {
  const manager = {
    "@type": managerType,
    stat_prefix: "h",
    rds: { route_config_name: "routes", config_source: fromAds },
    http_filters: [{ name: "router", typed_config: { "@type": routerType } }],
  };
  return { name: "http", filters: [{ name: "hcm", typed_config: manager }] };
}

function listener(name: string, port = 0, overrides: object = {}): object {
  return {
    name,
    stat_prefix: name,
    address: socketAddress(port),
    filter_chains: [tcpChain("first")],
    // Envoy's default would be a socket a worker.
    enable_reuse_port: false,
    ...overrides,
  };
}

function bootstrap(xdsPort: number, echoPort: number): object {
  const cluster = (name: string, port: number, rest: object = {}): object => ({
    name,
    connect_timeout: "1s",
    load_assignment: {
      cluster_name: name,
      endpoints: [{ lb_endpoints: [{ endpoint: { address: socketAddress(port) } }] }],
    },
    ...rest,
  });
  const http2 = {
    typed_extension_protocol_options: {
      "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": typeOf("extensions.upstreams.http.v3.HttpProtocolOptions"),
        explicit_http_config: { http2_protocol_options: {} },
      },
    },
  };
  return {
    node: { id: "walk", cluster: "test" },
    admin: { address: socketAddress(0) },
    static_resources: {
      clusters: [cluster("control_plane", xdsPort, http2), cluster("echo", echoPort)],
      listeners: [listener("static")],
    },
    dynamic_resources: {
      ads_config: {
        api_type: "GRPC",
        transport_api_version: "V3",
        grpc_services: [{ envoy_grpc: { cluster_name: "control_plane" } }],
      },
      lds_config: fromAds,
    },
  };
}

type Table = Readonly<Record<string, number>>;

/** A control plane, a proxy, what it serves, and the numbers that it should show. */
class Walk implements AsyncDisposable {
  readonly proxy: ProxyProcess;
  readonly #controlPlane: FakeManagementServer;
  readonly #upstream: AsyncDisposable;
  #expected: Table = {};

  private constructor(
    proxy: ProxyProcess,
    controlPlane: FakeManagementServer,
    upstream: AsyncDisposable,
  ) {
    this.proxy = proxy;
    this.#controlPlane = controlPlane;
    this.#upstream = upstream;
  }

  static async start(drainTimeS: number): Promise<Walk> {
    const upstream = await startUpstream();
    const controlPlane = await FakeManagementServer.start();
    controlPlane.offer({ listeners: [] });
    const flags = ["--drain-time-s", String(drainTimeS), "--drain-strategy", "immediate"];
    const proxy = await ProxyProcess.start(bootstrap(controlPlane.port, upstream.port), flags);
    return new Walk(proxy, controlPlane, upstream);
  }

  /** What has changed since the last step; all else must not have. */
  async shows(step: string, changes: Table): Promise<void> {
    this.#expected = withoutZeros({ ...this.#expected, ...changes });
    const isShown = async (): Promise<boolean> =>
      isDeepStrictEqual(await this.#table(), this.#expected);
    await until(isShown, step).catch(async () => {
      assert.deepEqual(await this.#table(), this.#expected, step);
    });
  }

  async accepts(resources: Resources): Promise<void> {
    for (const [kind, verdict] of Object.entries(await this.#controlPlane.push(resources)))
      assert.equal(verdict.kind, "acked", `${kind}: ${JSON.stringify(verdict)}`);
  }

  async refuses(listeners: readonly object[], reason: RegExp): Promise<void> {
    const { listeners: verdict } = await this.#controlPlane.push({ listeners });
    assert(verdict?.kind === "nacked", "it was accepted");
    assert.match(verdict.error, reason);
  }

  async port(name: string): Promise<number> {
    return until(async () => (await this.proxy.listenerPorts()).get(name), `${name} is active`);
  }

  /** One that was served, and stays. */
  async client(name: string): Promise<TestClient> {
    const client = new TestClient(await this.port(name));
    await client.echo("hello");
    return client;
  }

  async names(): Promise<readonly string[]> {
    return [...(await this.#stats()).keys()].sort();
  }

  async #table(): Promise<Table> {
    return withoutZeros(Object.fromEntries(await this.#stats()));
  }

  /** Without the admin's own listener and the subscription, which are other tests'. */
  async #stats(): Promise<ReadonlyMap<string, number>> {
    const filter = encodeURIComponent("^listener(_manager)?\\.");
    const types = ["Counters", "Gauges"];
    const pages = types.map((type) => this.proxy.admin(`/stats?type=${type}&filter=${filter}`));
    const lines = (await Promise.all(pages)).flatMap((page) => page.trim().split("\n"));
    const pairs = lines.map((line) => line.split(": ") as [string, string]);
    return new Map(
      pairs
        .filter(([name]) => !/^(listener\.admin|listener_manager\.lds)\./.test(name))
        .map(([name, value]) => [name, Number(value)]),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.proxy[Symbol.asyncDispose]();
    await this.#controlPlane[Symbol.asyncDispose]();
    await this.#upstream[Symbol.asyncDispose]();
  }
}

function withoutZeros(table: Table): Table {
  return Object.fromEntries(Object.entries(table).filter(([, value]) => value !== 0));
}

/** `listener_manager.`, in few letters. */
function manager(changes: Table): Table {
  return Object.fromEntries(
    Object.entries(changes).map(([name, value]) => [`listener_manager.${name}`, value]),
  );
}

/** Of all generations of one `stat_prefix`, on the one worker. */
function connections(prefix: string, total: number, active: number): Table {
  return {
    [`listener.${prefix}.downstream_cx_total`]: total,
    [`listener.${prefix}.downstream_cx_active`]: active,
    [`listener.${prefix}.downstream_cx_destroy`]: total - active,
    [`listener.${prefix}.worker_0.downstream_cx_total`]: total,
    [`listener.${prefix}.worker_0.downstream_cx_active`]: active,
  };
}

function withoutConnections(prefix: string): Table {
  return connections(prefix, 0, 0);
}

suite("a listener walks", { timeout: 120_000 }, () => {
  test("through additions, updates of every class, reverts and removals", async () => {
    await using walk = await Walk.start(600);
    await walk.shows("started, with the bootstrap's listener", {
      ...manager({ workers_started: 1, listener_added: 1, listener_create_success: 1 }),
      ...manager({ total_listeners_active: 1 }),
    });

    const first = listener("a");
    await walk.accepts({ listeners: [first] });
    const oldest = await walk.client("a");
    await walk.shows("added, with a connection", {
      ...manager({ listener_added: 2, listener_create_success: 2, total_listeners_active: 2 }),
      ...connections("a", 1, 1),
    });

    await walk.accepts({ listeners: [first] });
    await walk.accepts({ listeners: [first, listener("static", 0, { transparent: true })] });
    await walk.shows("the same again, and the name of a static one: nothing", {});

    const second = listener("a", 0, { per_connection_buffer_limit_bytes: 4096 });
    await walk.accepts({ listeners: [second] });
    await walk.shows("updated in full: the old generation drains with its connection", {
      ...manager({ listener_modified: 1, listener_create_success: 3, total_listeners_draining: 1 }),
    });
    const younger = await walk.client("a");
    await walk.shows("a connection of each generation", connections("a", 2, 2));

    const third = listener("a", 0, { per_connection_buffer_limit_bytes: 8192 });
    await walk.accepts({ listeners: [third] });
    await walk.shows("updated in full again: two generations drain", {
      ...manager({ listener_modified: 2, listener_create_success: 4, total_listeners_draining: 2 }),
    });
    const youngest = await walk.client("a");
    await walk.shows("three generations, one name", connections("a", 3, 3));

    const inPlace = { ...third, filter_chains: [tcpChain("second")] };
    await walk.accepts({ listeners: [inPlace] });
    await walk.shows("other filter chains: updated in place", {
      ...manager({ listener_modified: 3, listener_in_place_updated: 1 }),
      ...manager({ listener_create_success: 5, total_filter_chains_draining: 1 }),
    });
    const onSecondChain = await walk.client("a");
    await walk.shows("a connection of the new chain", connections("a", 4, 4));

    const moved = { ...inPlace, address: socketAddress(await freePort()) };
    await walk.accepts({ listeners: [moved] });
    await walk.shows("another address is another listener", {
      ...manager({ listener_modified: 4, listener_create_success: 6, total_listeners_draining: 3 }),
    });

    const warming = {
      ...moved,
      filter_chains: [httpChain()],
      per_connection_buffer_limit_bytes: 1,
    };
    await walk.accepts({ listeners: [warming] });
    await walk.shows("waits for its routes", {
      ...manager({ listener_modified: 5, total_listeners_warming: 1 }),
    });
    const rewarming = { ...warming, per_connection_buffer_limit_bytes: 2 };
    await walk.accepts({ listeners: [rewarming] });
    await walk.shows("another one waits in its place", manager({ listener_modified: 6 }));
    await walk.accepts({ listeners: [moved] });
    await walk.shows("back to what serves", {
      ...manager({ listener_modified: 7, total_listeners_warming: 0 }),
    });

    // Without a connection its drain would be over at once, and Envoy's not.
    const onMoved = await walk.client("a");
    await walk.shows("a connection of the one that moved", connections("a", 5, 5));
    const clients = [oldest, younger, youngest, onSecondChain, onMoved];
    for (const client of clients) await client.echo("still");
    await walk.accepts({ listeners: [] });
    await walk.shows("removed", {
      ...manager({ listener_removed: 1, total_listeners_active: 1, total_listeners_draining: 4 }),
    });

    await walk.accepts({ listeners: [moved] });
    await walk.client("a");
    await walk.shows("the same again, on the address that it drains on", {
      ...manager({ listener_added: 3, listener_create_success: 7, total_listeners_active: 2 }),
      ...connections("a", 6, 6),
    });
    const { port_value: port } = (moved.address as { socket_address: { port_value: number } })
      .socket_address;
    await walk.accepts({ listeners: [listener("b", port)] });
    await walk.client("b");
    await walk.shows("another name takes the address of the one that is removed with it", {
      ...manager({ listener_added: 4, listener_create_success: 8, listener_removed: 2 }),
      ...manager({ total_listeners_draining: 5 }),
      ...connections("b", 1, 1),
    });
    for (const client of clients) await client.echo("still");

    const taken = await freePort();
    const blocker = createServer();
    await once(blocker.listen(taken, "127.0.0.1"), "listening");
    await walk.refuses(
      [listener("b", port), listener("c"), listener("d", taken)],
      /Address already in use/,
    );
    blocker.close();
    await walk.shows("an address in use is that listener's error; the other one is added", {
      ...manager({ listener_added: 5, listener_create_success: 9, listener_create_failure: 1 }),
      ...manager({ total_listeners_active: 3 }),
    });

    await walk.refuses(
      [listener("b", port), listener("c"), listener("d", port)],
      /duplicate address/,
    );
    await walk.shows("so is an address that another listener has", {});
    await walk.refuses(
      [listener("b", port, { enable_reuse_port: true }), listener("c")],
      /reuse port cannot be changed during an update/,
    );
    await walk.shows("and a change of enable_reuse_port", {});
    await walk.refuses(
      [listener("b", port), listener("c"), { ...listener("e"), filter_chains: [] }],
      /no filter chains specified/,
    );
    await walk.shows("and one without chains", {});

    await walk.client("c");
    await walk.shows("a connection that outlives the stop", connections("c", 1, 1));
    await walk.proxy.admin("/drain_listeners", "POST");
    await walk.shows("accepts no more", manager({ listener_stopped: 3 }));
    // Stopped ones are still listed where they were.
    assert.deepEqual([...(await walk.proxy.listenerPorts()).keys()].sort(), ["b", "c", "static"]);
    assert.equal(await walk.port("b"), port);
    await walk.accepts({ listeners: [listener("b", port), listener("c"), listener("f")] });
    await walk.shows("additions are skipped from now on", {});
    await walk.accepts({ listeners: [listener("b", port)] });
    await walk.shows("removals are not", {
      ...manager({ listener_removed: 3, total_listeners_active: 2, total_listeners_draining: 6 }),
    });
  });

  test("to the end of its drain", async () => {
    await using walk = await Walk.start(1);
    const added = listener("a");
    await walk.accepts({ listeners: [added] });
    const client = await walk.client("a");
    await walk.accepts({
      listeners: [{ ...added, filter_chains: [tcpChain("second")] }],
    });
    const started = manager({ workers_started: 1, listener_added: 2, total_listeners_active: 2 });
    await client.ended();
    await walk.shows("the connection of the chain that is gone was closed", {
      ...started,
      ...manager({
        listener_create_success: 3,
        listener_modified: 1,
        listener_in_place_updated: 1,
      }),
      ...connections("a", 1, 0),
    });
    const another = await walk.client("a");
    await walk.accepts({ listeners: [] });
    await another.ended();
    // With the last of its generations a listener's own numbers go.
    await walk.shows("and that of the listener", {
      ...manager({ listener_removed: 1, total_listeners_active: 1 }),
      ...withoutConnections("a"),
    });
  });

  test("under the names that Envoy gives", async () => {
    await using walk = await Walk.start(600);
    await walk.accepts({ listeners: [listener("a")] });
    await walk.client("a");
    const shown = (await walk.names()).filter((name) => !name.startsWith("listener.static."));
    assert.deepEqual(
      shown,
      [
        ...ofManager.map((name) => `listener_manager.${name}`),
        ...ofListener.map((name) => `listener.a.${name}`),
      ].sort(),
    );
  });
});

const ofManager = [
  "listener_added",
  "listener_create_failure",
  "listener_create_success",
  "listener_in_place_updated",
  "listener_modified",
  "listener_removed",
  "listener_stopped",
  "total_filter_chains_draining",
  "total_listeners_active",
  "total_listeners_draining",
  "total_listeners_warming",
  "workers_pinned",
  "workers_started",
];

const ofListener = [
  "downstream_cx_active",
  "downstream_cx_destroy",
  "downstream_cx_overflow",
  "downstream_cx_overload_reject",
  "downstream_cx_total",
  "downstream_cx_transport_socket_connect_timeout",
  "downstream_global_cx_overflow",
  "downstream_listener_filter_error",
  "downstream_listener_filter_remote_close",
  "downstream_pre_cx_active",
  "downstream_pre_cx_timeout",
  "extension_config_missing",
  "network_extension_config_missing",
  "no_filter_chain_match",
  "worker_0.downstream_cx_active",
  "worker_0.downstream_cx_total",
];
