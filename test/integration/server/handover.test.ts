/** Processes that take over from each other by a directory: who serves, and who serves on as if nothing had been. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import net from "node:net";
import { once } from "node:events";
import path from "node:path";
import { test } from "node:test";
import { GenerationStage } from "../../support/generation-stage.ts";
import { until } from "../../support/until.ts";

const isLinux = process.platform === "linux";
const onLinux = { skip: !isLinux && "sockets are handed over on Linux alone", timeout: 180_000 };

function launch(
  stage: GenerationStage,
  number: number,
  config = "good.json",
  flags: readonly string[] = [],
) {
  return stage.launch(number, { handoverDir: path.join(stage.folder, "handover"), config, flags });
}

/** One connection, kept. */
class Client {
  readonly socket: net.Socket;
  hasEnded = false;
  #received = "";

  private constructor(port: number) {
    this.socket = net.connect(port, "127.0.0.1");
    this.socket.on("error", () => {});
    this.socket.on("close", () => (this.hasEnded = true));
    this.socket.on("data", (bytes) => (this.#received += String(bytes)));
  }

  static async connect(port: number): Promise<Client> {
    const client = new Client(port);
    await once(client.socket, "connect");
    return client;
  }

  async request(): Promise<string> {
    this.#received = "";
    this.socket.write("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    await until(() => this.hasEnded || this.#received.endsWith("fine"), "the answer");
    return this.#received;
  }
}

test(
  "three processes take over from each other under load, and not a request is lost",
  onLinux,
  async () => {
    await using stage = await GenerationStage.start();
    const first = launch(stage, 0);
    await stage.serves(first, 0);
    const { kept, short } = stage.load();
    await until(() => kept.completed > 100 && short.completed > 20, "load is on");
    let last = first;
    for (const number of [1, 2]) {
      const next = launch(stage, number);
      await stage.serves(next, number);
      assert.deepEqual(await last.exit, [0, null], last.log);
      assert.match(last.log, /hot-restart of the server/);
      last = next;
    }
    const before = kept.completed;
    await until(() => kept.completed > before + 50, "the third serves");
    assert.deepEqual([...(await kept.stop()), ...(await short.stop())], []);
    assert.deepEqual(readdirSync(path.join(stage.folder, "handover")), ["reconfig.sock"]);
    last.process.kill("SIGTERM");
    assert.deepEqual(await last.exit, [0, null], last.log);
    assert.deepEqual(readdirSync(path.join(stage.folder, "handover")), []);
  },
);

test("idle connections go on in the new process", onLinux, async () => {
  await using stage = await GenerationStage.start();
  const old = launch(stage, 0);
  await stage.serves(old, 0);
  const clients = await Promise.all(Array.from({ length: 20 }, () => Client.connect(stage.port)));
  for (const client of clients.slice(0, 15)) assert.match(await client.request(), /200 OK[^]*fine/);
  const next = launch(stage, 1);
  await stage.serves(next, 1);
  assert.deepEqual(await old.exit, [0, null], old.log);
  assert.equal(await stage.stat("hot_restart.connections_moved"), 20);
  for (const client of clients) {
    assert.match(await client.request(), /200 OK[^]*fine/);
    assert.equal(client.hasEnded, false);
    client.socket.destroy();
  }
  await until(
    async () => (await stage.stat("http.web.downstream_cx_active")) === 0,
    "they are counted where they are",
  );
});

test(
  "a connection stays where the listener is another, or where that is asked for",
  onLinux,
  async () => {
    await using stage = await GenerationStage.start();
    const other = JSON.parse(readFileSync(path.join(stage.folder, "good.json"), "utf8"));
    other.static_resources.listeners[0].per_connection_buffer_limit_bytes = 65_536;
    stage.write("other.json", other);
    let last = launch(stage, 0);
    await stage.serves(last, 0);
    for (const [number, config, flags] of [
      [1, "other.json", []],
      [2, "other.json", ["--keep-connections"]],
    ] as const) {
      const client = await Client.connect(stage.port);
      assert.match(await client.request(), /200 OK/);
      const next = launch(stage, number, config, flags);
      await stage.serves(next, number);
      assert.deepEqual(await last.exit, [0, null], last.log);
      assert.equal(await stage.stat("hot_restart.connections_moved"), 0);
      await until(() => client.hasEnded, "it has drained");
      last = next;
    }
  },
);
