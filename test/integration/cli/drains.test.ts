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
  readonly deadline: string;
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

  test("--wait ends with 2 when connections had to be cut, with 1 when the proxy has gone", async () => {
    const held = await client();
    await using cut = program("start", "--listener", "tcp", "--time", "0.2", "--wait");
    assert.equal(await cut.exit, 2);
    assert.match(cut.stdout, /ended, forced: 1 connections, .* 1 cut, 0 remain/);
    held.destroy();
    await using other = await ProxyProcess.start(tcpBootstrap(1));
    await other.admin("/drain_listeners?graceful&skip_exit&time=600", "POST");
    await using waiting = new SluiceProgram(["drains", "--admin", other.adminAddress, "--wait"]);
    await until(() => /of the server \(admin\)/.test(waiting.stdout), "it waits");
    await other.admin("/quitquitquit", "POST");
    assert.equal(await waiting.exit, 1);
    assert.equal(waiting.stderr, "sluice drains: the proxy has gone\n");
  });

  test("a drain is started, shown with its connections, extended, and ended", async () => {
    const socket = await client();
    const { localPort } = socket;
    await using start = program("start", "--listener", "tcp", "--time", "600", "--json");
    assert.equal(await start.exit, 0);
    const { id } = JSON.parse(start.stdout) as Drain;
    await until(async () => (await remaining(id)).connections.remaining === 1, "it is counted");
    await using one = program(String(id));
    assert.equal(await one.exit, 0);
    assert.match(one.stdout, new RegExp(`^drain ${id} of tcp: draining\n`));
    assert.match(one.stdout, new RegExp(`127\\.0\\.0\\.1:${localPort} .* tcp .* upstream$`, "m"));
    const before = Date.parse((await remaining(id)).deadline);
    await using extend = program("extend", String(id), "--time", "60");
    assert.equal(await extend.exit, 0);
    assert.equal(Date.parse((await remaining(id)).deadline), before + 60_000);
    await using watching = program(String(id), "--watch", "--json");
    await until(() => watching.stdout !== "", "it is told at first");
    await using end = program("end", String(id));
    assert.equal(await end.exit, 0);
    assert.match(end.stdout, new RegExp(`^drain ${id} of tcp \\(admin\\) ended, forced`));
    await until(() => watching.stdout.includes('"state":"forced"'), "it is told the end");
    for (const line of watching.stdout.trim().split("\n")) JSON.parse(line);
    await using again = program("end", String(id));
    assert.equal(await again.exit, 1);
    assert.match(again.stderr, /^sluice drains: drain \d+ ended already at [^\n]+\n$/);
  });

  test("a drain is taken back, and its connections live on", async () => {
    const socket = await client();
    const { id } = await startDrain("name=tcp&time=600&strategy=immediate");
    await until(async () => (await remaining(id)).connections.remaining === 1, "it is counted");
    await using cancel = program("cancel", String(id));
    assert.equal(await cancel.exit, 0);
    assert.match(cancel.stdout, /ended, cancelled/);
    assert.equal(cancel.stderr, "", "TCP was told nothing that cannot be taken back");
    socket.write("ping");
    await once(socket, "data");
    await using waiting = program(String(id), "--wait");
    assert.equal(await waiting.exit, 2);
    socket.destroy();
  });

  test("a refusal is one line that says what to do next", async () => {
    const refused: readonly (readonly [string, RegExp])[] = [
      ["start --listener nobody", /no active listener 'nobody': sluice status lists what there is/],
      ["start --listener tcp --percent 101", /percent must be above 0 and at most 100/],
      ["cancel 999", /there has been no drain 999: sluice drains lists those that can be named/],
      ["999", /there has been no drain 999: sluice drains lists/],
      ["999 --wait", /there has been no drain 999: sluice drains lists/],
      ["extend 999 --time 5", /there has been no drain 999/],
      ["stop 1", /one drain at a time: '1' is too much|'stop' is no id/],
    ];
    for (const [args, message] of refused) {
      await using run = program(...args.split(" "));
      assert.equal(await run.exit, 1, args);
      assert.match(run.stderr, message);
      assert.match(run.stderr, /^sluice drains: [^\n]+\n$/);
      assert.equal(run.stdout, "");
    }
  });

  test("what makes no sense is refused and drains nothing", async () => {
    const before = await proxy.stat("sluice.drain.started");
    await assert.rejects(startDrain("name=nobody"), /404 no active listener 'nobody'/);
    await assert.rejects(startDrain("name=tcp&percent=0"), /400 percent must be/);
    assert.equal(await proxy.stat("sluice.drain.started"), before);
  });
});
