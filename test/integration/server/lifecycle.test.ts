import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, renameSync } from "node:fs";
import { type Server, type Socket, connect, createServer } from "node:net";
import path from "node:path";
import { test } from "node:test";
import { SluiceProgram, adminOnPortZero, tcpBootstrap } from "../../support/sluice-program.ts";
import { until } from "../../support/until.ts";

/** Sends back what it gets; `mute`: takes it and says nothing. */
async function startEcho(how?: "mute") {
  const server: Server = createServer((socket) => {
    socket.on("error", () => {});
    if (how !== "mute") socket.pipe(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  assert(typeof address === "object" && address !== null);
  return {
    port: address.port,
    [Symbol.asyncDispose]: async () => {
      server.close();
    },
  };
}

function start(bootstrap: object, ...flags: string[]): SluiceProgram {
  return new SluiceProgram(
    ["-c", "b.yaml", "--concurrency", "2", "--admin-address-path", "admin", ...flags],
    { files: { "b.yaml": JSON.stringify(bootstrap) } },
  );
}

async function listenerPort(adminUrl: string): Promise<number> {
  const text = await (await fetch(`${adminUrl}/listeners`)).text();
  return Number(/^tcp::127\.0\.0\.1:(\d+)$/m.exec(text)?.[1]);
}

async function roundTrip(port: number): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  socket.write("ping");
  const [reply] = (await once(socket, "data")) as [Buffer];
  assert.equal(reply.toString(), "ping");
  return socket;
}

/** What it waits for first, and what it says meanwhile. */
const waits = [
  ["CDS", "PRE_INITIALIZING", 2],
  ["LDS", "INITIALIZING", 3],
] as const;

for (const [type, state, number] of waits)
  test(`a start that waits for ${type} says so, and SIGTERM ends it at once with code 0`, async () => {
    await using silent = await startEcho("mute");
    const { static_resources: resources } = tcpBootstrap(silent.port) as {
      static_resources: object;
    };
    await using sluice = start({
      admin: adminOnPortZero,
      node: { id: "n", cluster: "c" },
      static_resources: resources,
      dynamic_resources: {
        ads_config: {
          api_type: "GRPC",
          transport_api_version: "V3",
          grpc_services: [{ envoy_grpc: { cluster_name: "upstream" } }],
        },
        [`${type.toLowerCase()}_config`]: { ads: {}, resource_api_version: "V3" },
      },
    });
    const url = await sluice.adminUrl();
    const text = async (target: string) => (await fetch(url + target)).text();
    await until(
      async () => new RegExp(`"${type}"`).test(await text("/init_dump?mask=server")),
      `it waits for ${type}`,
    );
    const ready = await fetch(`${url}/ready`);
    assert.deepEqual([ready.status, await ready.text()], [503, `${state}\n`]);
    assert.equal(JSON.parse(await text("/server_info")).state, state);
    assert.equal(await text("/stats?filter=^server.state$"), `server.state: ${number}\n`);
    sluice.child.kill("SIGTERM");
    assert.equal(await sluice.exit, 0);
    assert.doesNotMatch(sluice.stderr, /draining|starting main dispatch loop|uncaught|bug/);
  });

test("/quitquitquit ends it with code 0", async () => {
  await using sluice = start({ admin: { address: tcpAddress() } });
  const response = await fetch(`${await sluice.live()}/quitquitquit`, { method: "POST" });
  assert.equal(await response.text(), "OK\n");
  assert.equal(await sluice.exit, 0);
});

test("--mode init_only initializes and ends with code 0", async () => {
  await using echo = await startEcho();
  await using sluice = start(tcpBootstrap(echo.port), "--mode", "init_only");
  assert.equal(await sluice.exit, 0);
});

test("SIGHUP is ignored, SIGUSR1 reopens the log", async () => {
  await using sluice = start({ admin: { address: tcpAddress() } }, "--log-path", "log");
  await sluice.live();
  const log = path.join(sluice.folder, "log");
  renameSync(log, `${log}.1`);
  sluice.child.kill("SIGHUP");
  sluice.child.kill("SIGUSR1");
  await until(() => existsSync(log), "the log is reopened");
  sluice.child.kill("SIGTERM");
  assert.equal(await sluice.exit, 0);
  assert.match(sluice.file("log.1"), /admin address: 127\.0\.0\.1:\d+/);
  assert.match(sluice.file("log"), /exiting/);
  assert.doesNotMatch(sluice.file("log.1"), /exiting/);
});

test("an address in use is one message that names it, and code 1", async () => {
  await using echo = await startEcho();
  await using sluice = start(tcpBootstrap(1, echo.port));
  assert.equal(await sluice.exit, 1);
  assert.match(
    sluice.stderr,
    new RegExp(`'tcp'.*cannot bind '127.0.0.1:${echo.port}': Address already in use`),
  );
  assert.doesNotMatch(sluice.stderr, /^\s+at /m);
});

test("an admin address in use is refused likewise", async () => {
  await using echo = await startEcho();
  await using sluice = start({ admin: { address: tcpAddress(echo.port) } });
  assert.equal(await sluice.exit, 1);
  assert.match(sluice.stderr, /admin: cannot bind '127.0.0.1:\d+': Address already in use/);
});

test("the admin tells what serves", async () => {
  await using echo = await startEcho();
  await using sluice = start(tcpBootstrap(echo.port), "--service-node", "node-1");
  const url = await sluice.live();
  const client = await roundTrip(await listenerPort(url));
  const json = async (target: string) => JSON.parse(await (await fetch(url + target)).text());
  const info = await json("/server_info");
  assert.equal(info.state, "LIVE");
  const workers = process.env["SLUICE_REACTOR"] === "node" ? 1 : 2;
  assert.equal(info.command_line_options.concurrency, workers);
  assert.equal(info.node.id, "node-1");
  const stats = await (await fetch(`${url}/stats?filter=^listener\\.127`)).text();
  assert.match(stats, /^listener\.127\.0\.0\.1_0\.downstream_cx_active: 1$/m);
  assert.match(stats, /^listener\.127\.0\.0\.1_0\.downstream_cx_total: 1$/m);
  const dump = await json("/config_dump?resource=static_listeners");
  assert.equal(dump.configs[0].listener.name, "tcp");
  const clusters = await (await fetch(`${url}/clusters`)).text();
  assert.match(clusters, new RegExp(`^upstream::127\\.0\\.0\\.1:${echo.port}::weight::1$`, "m"));
  assert.deepEqual(await json("/drains"), { drains: [] });
  client.destroy();
});

test("/drain_listeners closes the listening socket and leaves connections", async () => {
  await using echo = await startEcho();
  await using sluice = start(tcpBootstrap(echo.port));
  const url = await sluice.live();
  const port = await listenerPort(url);
  const client = await roundTrip(port);
  assert.equal((await fetch(`${url}/drain_listeners`, { method: "POST" })).status, 200);
  await until(() => isRefused(port), "new connections are refused");
  client.write("ping");
  const [reply] = (await once(client, "data")) as [Buffer];
  assert.equal(reply.toString(), "ping");
  assert.equal((await fetch(`${url}/ready`)).status, 200);
  client.destroy();
});

test("/healthcheck/fail makes /ready 503 until /healthcheck/ok", async () => {
  await using sluice = start({ admin: { address: tcpAddress() } });
  const url = await sluice.live();
  const ready = async () => {
    const response = await fetch(`${url}/ready`);
    return [response.status, await response.text()];
  };
  await fetch(`${url}/healthcheck/fail`, { method: "POST" });
  assert.deepEqual(await ready(), [503, "DRAINING\n"]);
  await fetch(`${url}/healthcheck/ok`, { method: "POST" });
  assert.deepEqual(await ready(), [200, "LIVE\n"]);
});

function tcpAddress(port = 0): object {
  return { socket_address: { address: "127.0.0.1", port_value: port } };
}

function isRefused(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.on("connect", () => {
      socket.destroy();
      resolve(false);
    });
    socket.on("error", () => resolve(true));
  });
}
