import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, test } from "node:test";
import { ProxyProcess } from "../../support/proxy-process.ts";
import { httpProxy } from "../../support/report-bootstrap.ts";
import { adminOnPortZero } from "../../support/sluice-program.ts";
import { until } from "../../support/until.ts";

/** Runs against Envoy with SLUICE_TEST_PROXY=envoy, too: the pressure is what a file says. */
class Overloaded implements AsyncDisposable {
  readonly #folder: string;
  readonly #proxy: ProxyProcess;
  readonly #ports: ReadonlyMap<string, number>;
  readonly #sockets: Socket[] = [];

  private constructor(folder: string, proxy: ProxyProcess, ports: ReadonlyMap<string, number>) {
    this.#folder = folder;
    this.#proxy = proxy;
    this.#ports = ports;
  }

  /** `manager`: of the overload manager, all but its monitors. */
  static async start(manager: object, monitors: readonly object[] = []): Promise<Overloaded> {
    const folder = mkdtempSync(path.join(tmpdir(), "sluice-overload-"));
    const file = path.join(folder, "pressure");
    writeFileSync(file, "0");
    const routes = [
      { match: { prefix: "/" }, direct_response: { status: 200, body: { inline_string: "ok" } } },
    ];
    const bypass = { ...httpProxy("bypass", routes), bypass_overload_manager: true };
    const proxy = await ProxyProcess.start({
      admin: adminOnPortZero,
      overload_manager: {
        refresh_interval: "0.01s",
        resource_monitors: [monitor("injected_resource", { filename: file }), ...monitors],
        ...manager,
      },
      static_resources: { listeners: [httpProxy("web", routes), bypass] },
    });
    return new Overloaded(folder, proxy, await proxy.listenerPorts());
  }

  /** Moved into place, as Envoy watches for it. */
  write(text: string): void {
    const file = path.join(this.#folder, "pressure");
    writeFileSync(`${file}.new`, text);
    renameSync(`${file}.new`, file);
  }

  async setPressure(pressure: string): Promise<void> {
    this.write(pressure);
    const name = "overload.injected_resource.pressure";
    const wanted = Math.floor(Number(pressure) * 100 + 1e-9);
    await until(async () => (await this.#proxy.stat(name)) === wanted, "the pressure is seen");
  }

  stat(name: string): Promise<number> {
    return this.#proxy.stat(name);
  }

  /** Both listeners have port 0 in their names, so they share them; nothing of this kind happens to the other. */
  listenerStat(name: string): Promise<number> {
    return this.#proxy.stat(`listener.127.0.0.1_0.${name}`);
  }

  async open(listener = "web"): Promise<Client> {
    const socket = connect(this.#ports.get(listener) ?? 0, "127.0.0.1").on("error", () => {});
    this.#sockets.push(socket);
    await once(socket, "connect");
    return new Client(socket);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await this.#proxy[Symbol.asyncDispose]();
    rmSync(this.#folder, { recursive: true });
  }
}

class Client {
  readonly #socket: Socket;
  #text = "";
  #hasEnded = false;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding("latin1");
    socket.on("data", (text) => (this.#text += String(text)));
    socket.on("close", () => (this.#hasEnded = true));
  }

  send(): void {
    this.#socket.write("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
  }

  get text(): string {
    return this.#text;
  }

  /** The whole answer; empty: the connection ended without one. */
  async answer(): Promise<string> {
    this.#text = "";
    this.send();
    return until(() => {
      const isWhole = /\r\n\r\n(?:ok|envoy overloaded)$/.test(this.#text);
      return isWhole || this.#hasEnded ? { text: this.#text } : undefined;
    }, "an answer").then(({ text }) => text);
  }

  ended(): Promise<boolean> {
    return until(() => this.#hasEnded, "the connection ends");
  }
}

function monitor(type: string, settings: object): object {
  const message = { injected_resource: "InjectedResourceConfig", fixed_heap: "FixedHeapConfig" }[
    type
  ];
  return {
    name: type,
    typed_config: {
      "@type": `type.googleapis.com/envoy.extensions.resource_monitors.${type}.v3.${message}`,
      ...settings,
    },
  };
}

const triggers = [{ name: "injected_resource", threshold: { value: 0.9 } }];
const scaled = [
  { name: "injected_resource", scaled: { scaling_threshold: 0.5, saturation_threshold: 0.9 } },
];
const action = (name: string, by: readonly object[] = triggers) => ({
  actions: [{ name: `envoy.overload_actions.${name}`, triggers: by }],
});

describe("an overload", () => {
  test("stop_accepting_requests: 503 on a connection that stays, from the threshold on", async () => {
    await using proxy = await Overloaded.start(action("stop_accepting_requests"));
    const client = await proxy.open();
    await proxy.setPressure("0.89");
    assert.match(await client.answer(), /^HTTP\/1.1 200 /);
    await proxy.setPressure("0.9");
    const name = "overload.envoy.overload_actions.stop_accepting_requests";
    await until(async () => (await proxy.stat(`${name}.active`)) === 1, "it is active");
    assert.equal(await proxy.stat(`${name}.scale_percent`), 100);
    const refused = await client.answer();
    assert.match(refused, /^HTTP\/1.1 503 Service Unavailable\r\n/);
    assert.match(refused, /\r\n\r\nenvoy overloaded$/);
    assert.doesNotMatch(refused, /connection: close/);
    assert.match(await (await proxy.open("bypass")).answer(), /^HTTP\/1.1 200 /);
    await proxy.setPressure("0.1");
    await until(async () => (await proxy.stat(`${name}.active`)) === 0, "it is over");
    assert.match(await client.answer(), /^HTTP\/1.1 200 /);
    assert.equal(await proxy.stat("http.web.downstream_rq_overload_close"), 1);
    assert.equal(await proxy.stat("http.web.downstream_rq_5xx"), 1);
  });

  test("stop_accepting_connections: who connects waits, who is there is served", async () => {
    await using proxy = await Overloaded.start(action("stop_accepting_connections"));
    const before = await proxy.open();
    assert.match(await before.answer(), /^HTTP\/1.1 200 /);
    await proxy.setPressure("0.95");
    const name = "overload.envoy.overload_actions.stop_accepting_connections.active";
    await until(async () => (await proxy.stat(name)) === 1, "it is active");
    assert.match(await before.answer(), /^HTTP\/1.1 200 /);
    // Workers have heard of it by the time that they answer on another listener.
    assert.match(await (await proxy.open("bypass")).answer(), /^HTTP\/1.1 200 /);
    const waiting = await proxy.open();
    waiting.send();
    assert.match(await (await proxy.open("bypass")).answer(), /^HTTP\/1.1 200 /);
    assert.equal(waiting.text, "");
    await proxy.setPressure("0.1");
    await until(() => /200 OK/.test(waiting.text), "it was served at last");
  });

  test("reject_incoming_connections: closed at once, and counted", async () => {
    await using proxy = await Overloaded.start(action("reject_incoming_connections"));
    await proxy.setPressure("1");
    const name = "overload.envoy.overload_actions.reject_incoming_connections.active";
    await until(async () => (await proxy.stat(name)) === 1, "it is active");
    await (await proxy.open()).ended();
    assert.equal(await proxy.listenerStat("downstream_cx_overload_reject"), 1);
    assert.equal(await proxy.listenerStat("downstream_cx_total"), 0);
  });

  test("disable_http_keepalive: the next response is a connection's last", async () => {
    await using proxy = await Overloaded.start(action("disable_http_keepalive"));
    const client = await proxy.open();
    await proxy.setPressure("0.95");
    const name = "overload.envoy.overload_actions.disable_http_keepalive.active";
    await until(async () => (await proxy.stat(name)) === 1, "it is active");
    assert.match(await client.answer(), /\r\nconnection: close\r\n/);
    await client.ended();
    assert.equal(await proxy.stat("http.web.downstream_cx_overload_disable_keepalive"), 1);
    assert.equal(await proxy.stat("http.web.downstream_cx_drain_close"), 1);
  });

  test("a scaled trigger: on for a share", async () => {
    await using proxy = await Overloaded.start(action("stop_accepting_requests", scaled));
    await proxy.setPressure("0.7");
    const name = "overload.envoy.overload_actions.stop_accepting_requests";
    await until(async () => (await proxy.stat(`${name}.scale_percent`)) > 0, "it is on in part");
    assert.equal(await proxy.stat(`${name}.active`), 0);
    const client = await proxy.open();
    const answers = [];
    for (let i = 0; i < 60; i++) answers.push((await client.answer()).slice(9, 12));
    // A fair coin shows one face 60 times in a row once in 10^18 runs.
    assert.deepEqual([...new Set(answers)].toSorted(), ["200", "503"]);
  });

  test("load shed points: of connections and of requests", async () => {
    const point = (name: string) => ({ name: `envoy.load_shed_points.${name}`, triggers });
    const requests = { loadshed_points: [point("http_connection_manager_decode_headers")] };
    {
      await using proxy = await Overloaded.start(requests);
      await proxy.setPressure("0.95");
      const name = "overload.envoy.load_shed_points.http_connection_manager_decode_headers";
      await until(async () => (await proxy.stat(`${name}.scale_percent`)) === 100, "it is on");
      assert.match(await (await proxy.open()).answer(), /^HTTP\/1.1 503 .*envoy overloaded$/s);
      assert.equal(await proxy.stat(`${name}.shed_load_count`), 1);
      assert.equal(await proxy.stat("http.web.downstream_rq_overload_close"), 1);
    }
    await using proxy = await Overloaded.start({ loadshed_points: [point("tcp_listener_accept")] });
    await proxy.setPressure("0.95");
    const name = "overload.envoy.load_shed_points.tcp_listener_accept";
    await until(async () => (await proxy.stat(`${name}.scale_percent`)) === 100, "it is on");
    await (await proxy.open()).ended();
    assert.equal(await proxy.stat(`${name}.shed_load_count`), 1);
    assert.equal(await proxy.listenerStat("downstream_cx_overload_reject"), 1);
  });

  test("a resource that cannot be measured keeps its pressure, and counts", async () => {
    await using proxy = await Overloaded.start(action("disable_http_keepalive"));
    await proxy.setPressure("0.95");
    proxy.write("banana");
    const failed = "overload.injected_resource.failed_updates";
    await until(async () => (await proxy.stat(failed)) > 0, "it is counted");
    assert.equal(await proxy.stat("overload.injected_resource.pressure"), 95);
    assert.equal(await proxy.stat("overload.injected_resource.skipped_updates"), 0);
  });

  test("the heap, and connections of the process", async () => {
    const connections = {
      name: "envoy.resource_monitors.global_downstream_max_connections",
      typed_config: {
        "@type":
          "type.googleapis.com/envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
        max_active_downstream_connections: 2,
      },
    };
    const heap = monitor("fixed_heap", { max_heap_size_bytes: 1_000 });
    const byHeap = [{ name: "fixed_heap", threshold: { value: 0.9 } }];
    const actions = action("disable_http_keepalive", byHeap);
    await using proxy = await Overloaded.start(actions, [heap, connections]);
    const name = "overload.envoy.overload_actions.disable_http_keepalive.active";
    await until(async () => (await proxy.stat(name)) === 1, "the heap is full");
    assert((await proxy.stat("overload.fixed_heap.pressure")) >= 90);
    const open = [await proxy.open(), await proxy.open()];
    await (await proxy.open()).ended();
    assert.equal(open.length, 2);
    assert.equal(await proxy.listenerStat("downstream_global_cx_overflow"), 1);
    const monitored = "overload.envoy.resource_monitors.global_downstream_max_connections";
    assert.equal(await proxy.stat(`${monitored}.failed_updates`), 1);
    assert.equal(await proxy.stat(`${monitored}.pressure`), 0);
  });
});
