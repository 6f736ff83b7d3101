import assert from "node:assert/strict";
import { once } from "node:events";
import { type Server, type Socket, connect, createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { after, before, suite, test } from "node:test";
import { ProxyProcess } from "../../support/proxy-process.ts";
import { SluiceProgram, tcpBootstrap } from "../../support/sluice-program.ts";
import { until } from "../../support/until.ts";

interface Drain {
  readonly id: number;
  readonly state: string;
  readonly connections: { readonly at_start: number; readonly remaining: number };
}

suite("sluice drains", () => {
  const open = new AsyncDisposableStack();
  const clients = new Set<Socket>();
  let proxy: ProxyProcess;
  let port: number;

  before(async () => {
    const echo: Server = createServer((socket) => socket.on("error", () => {}).pipe(socket));
    open.defer(() => void echo.close());
    await once(echo.listen(0, "127.0.0.1"), "listening");
    const bootstrap = tcpBootstrap((echo.address() as AddressInfo).port);
    proxy = open.use(await ProxyProcess.start(bootstrap));
    open.defer(() => clients.forEach((client) => client.destroy()));
    port = await until(async () => (await proxy.listenerPorts()).get("tcp"), "it listens");
  });

  after(() => open.disposeAsync());

  async function client(): Promise<Socket> {
    const socket = connect(port, "127.0.0.1").on("error", () => {});
    clients.add(socket);
    socket.on("close", () => clients.delete(socket));
    socket.write("ping");
    await once(socket, "data");
    return socket;
  }

  function program(...args: string[]): SluiceProgram {
    return new SluiceProgram(["drains", "--admin", proxy.adminAddress, ...args]);
  }

  async function startDrain(query: string): Promise<Drain> {
    return JSON.parse(await proxy.admin(`/drain_listeners?${query}`, "POST")) as Drain;
  }

  async function remaining(id: number): Promise<Drain> {
    const { drains } = JSON.parse(await proxy.admin("/drains")) as { drains: readonly Drain[] };
    const drain = drains.find((each) => each.id === id);
    assert(drain);
    return drain;
  }

  test("half of a listener's connections drain; it goes on serving the others", async () => {
    const all = [];
    for (let count = 0; count < 8; count++) all.push(await client());
    const { id } = await startDrain("name=tcp&percent=50&time=0");
    await until(async () => (await remaining(id)).state !== "draining", "it has ended");
    assert.equal((await remaining(id)).connections.at_start, 4);
    await until(() => clients.size === 4, "four were cut");
    const late = await client();
    assert.equal(clients.size, 5);
    late.destroy();
    for (const socket of all) socket.destroy();
    await until(() => clients.size === 0, "all are gone");
  });

  test("--wait ends with code 0 when the last connection has gone", async () => {
    const socket = await client();
    const { id } = await startDrain("name=tcp&time=600");
    await using waiting = program("--wait");
    await until(() => /connections left, until/.test(waiting.stdout), "it shows the drain");
    assert.match(waiting.stdout, new RegExp(`^drain ${id} of tcp \\(admin\\)`));
    assert.equal(waiting.child.exitCode, null);
    socket.destroy();
    assert.equal(await waiting.exit, 0);
    assert.match(waiting.stdout, new RegExp(`drain ${id} of tcp \\(admin\\) ended, complete`));
  });

  test("GET /drains?wait answers when the drain has ended", async () => {
    const socket = await client();
    const { id } = await startDrain("name=tcp&time=600");
    const waiting = proxy.admin("/drains?wait=60");
    await until(async () => (await proxy.stat("sluice.drain.watchers")) === 1, "it waits");
    socket.destroy();
    const { drains } = JSON.parse(await waiting) as { drains: readonly Drain[] };
    assert.equal(drains.find((drain) => drain.id === id)?.state, "complete");
    await until(async () => (await proxy.stat("sluice.drain.watchers")) === 0, "it is forgotten");
  });

  test("a table once, JSON on request, and one line where nobody listens", async () => {
    await using table = program();
    assert.equal(await table.exit, 0);
    assert.match(table.stdout, /^ID +OF +CAUSE +STATE +LEFT/);
    await using json = program("--json");
    assert.equal(await json.exit, 0);
    assert(Array.isArray((JSON.parse(json.stdout) as { drains: unknown }).drains));
    await using lost = new SluiceProgram(["drains", "--wait", "--admin", "127.0.0.1:1"]);
    assert.equal(await lost.exit, 1);
    assert.match(
      lost.stderr,
      /^sluice drains: cannot reach the admin at 127\.0\.0\.1:1: [^\n]+\n$/,
    );
  });

  test("what makes no sense is refused and drains nothing", async () => {
    const before = await proxy.stat("sluice.drain.started");
    await assert.rejects(startDrain("name=nobody"), /404 no active listener 'nobody'/);
    await assert.rejects(startDrain("name=tcp&percent=0"), /400 percent must be/);
    assert.equal(await proxy.stat("sluice.drain.started"), before);
  });
});
