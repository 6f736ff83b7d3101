import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import path from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { get, isRefused } from "../../support/http-client.ts";
import { HttpUpstream } from "../../support/http-upstream.ts";
import { httpProxy, staticCluster, tcpProxy } from "../../support/report-bootstrap.ts";
import { adminOnPortZero, SluiceProgram } from "../../support/sluice-program.ts";
import { until } from "../../support/until.ts";

const fault = pathToFileURL(path.resolve("test/support/fault.mjs")).href;
/** The node reactor's worker is on the main thread. */
const options = { skip: process.env["SLUICE_REACTOR"] === "node", timeout: 60_000 };

async function start(upstreamPort: number, watchdogs: object, ...flags: string[]) {
  const routes = [{ match: { prefix: "/" }, route: { cluster: "up", timeout: "0s" } }];
  const bootstrap = {
    admin: adminOnPortZero,
    watchdogs,
    enableDispatcherStats: true,
    staticResources: {
      listeners: [httpProxy("http", routes), tcpProxy("tcp", "up")],
      clusters: [staticCluster("up", [{ zone: "", ports: [upstreamPort] }])],
    },
  };
  const sluice = new SluiceProgram(
    ["-c", "b.yaml", "--concurrency", "2", "--admin-address-path", "admin", ...flags],
    {
      files: { "b.yaml": JSON.stringify(bootstrap) },
      env: { NODE_OPTIONS: `--import ${fault}`, SLUICE_FAULT_FILE: "fault" },
    },
  );
  const url = await sluice.live();
  const portOf = async (listener: string): Promise<number> => {
    const text = await (await fetch(`${url}/listeners`)).text();
    return Number(new RegExp(`^${listener}::127\\.0\\.0\\.1:(\\d+)$`, "m").exec(text)?.[1]);
  };
  const stats = async (filter: string): Promise<Map<string, string>> => {
    const text = await (await fetch(`${url}/stats?filter=${filter}`)).text();
    return new Map(
      text
        .trim()
        .split("\n")
        .map((line) => line.split(": ") as [string, string]),
    );
  };
  const plant = (what: string): void => writeFileSync(path.join(sluice.folder, "fault"), what);
  return {
    sluice,
    portOf,
    stats,
    plant,
    [Symbol.asyncDispose]: () => sluice[Symbol.asyncDispose](),
  };
}

async function tunnel(port: number): Promise<Socket> {
  const socket = connect(port, "127.0.0.1").on("error", () => {});
  socket.write("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
  await once(socket, "data");
  return socket;
}

test("a worker that is silent for a while is counted, and serves on", options, async () => {
  using upstream = await HttpUpstream.start("up");
  await using proxy = await start(upstream.port, { worker_watchdog: { miss_timeout: "0.1s" } });
  proxy.plant("worker_0 hang 1500");
  const misses = async (): Promise<string | undefined> =>
    (await proxy.stats("watchdog")).get("server.worker_0.watchdog_mega_miss");
  await until(async () => (await misses()) === "1", "the mega miss is counted");
  const stats = await proxy.stats("watchdog");
  assert.equal(stats.get("server.worker_0.watchdog_miss"), stats.get("workers.watchdog_miss"));
  assert.deepEqual(
    [...stats.keys()],
    [
      "main_thread.watchdog_mega_miss",
      "main_thread.watchdog_miss",
      "server.main_thread.watchdog_mega_miss",
      "server.main_thread.watchdog_miss",
      "server.worker_0.watchdog_mega_miss",
      "server.worker_0.watchdog_miss",
      "server.worker_1.watchdog_mega_miss",
      "server.worker_1.watchdog_miss",
      "workers.watchdog_mega_miss",
      "workers.watchdog_miss",
    ],
  );
  const port = await proxy.portOf("http");
  for (let i = 0; i < 4; i++) assert.equal((await get(port, "/")).body, "up");
  proxy.sluice.child.kill("SIGTERM");
  assert.equal(await proxy.sluice.exit, 0);
});

test("main's own silence is counted when it is over", options, async () => {
  using upstream = await HttpUpstream.start("up");
  await using proxy = await start(upstream.port, {
    main_thread_watchdog: { miss_timeout: "0.1s", megamiss_timeout: "0.3s" },
  });
  proxy.plant("main hang 600");
  await until(async () => {
    const stats = await proxy.stats("main_thread.watchdog");
    return stats.get("server.main_thread.watchdog_mega_miss") === "1";
  }, "main's mega miss is counted");
});

test("loops are measured where enable_dispatcher_stats asks for it", options, async () => {
  using upstream = await HttpUpstream.start("up");
  await using proxy = await start(upstream.port, {});
  const names = ["server", "listener_manager.worker_0", "listener_manager.worker_1"].flatMap(
    (thread) => [`${thread}.dispatcher.loop_duration_us`, `${thread}.dispatcher.poll_delay_us`],
  );
  await until(async () => {
    const stats = await proxy.stats("dispatcher");
    return names.every((name) => /P0\(/.test(stats.get(name) ?? ""));
  }, "every thread's loops are recorded");
});

for (const how of ["hang", "throw", "exit"])
  test(
    `a worker's ${how}: the others finish what they have, and the code is not 0`,
    options,
    async () => {
      using upstream = await HttpUpstream.start("up");
      await using proxy = await start(
        upstream.port,
        { worker_watchdog: { kill_timeout: "1s" } },
        "--shutdown-drain-s",
        "600",
      );
      const tcp = await proxy.portOf("tcp");
      // Connections alternate between the workers: one of each.
      const clients = [await tunnel(tcp), await tunnel(tcp)];
      proxy.plant(`worker_0 ${how}`);
      await until(() => /worker 0 is lost/.test(proxy.sluice.stderr), "it is reported");
      const url = await proxy.sluice.adminUrl();
      assert.equal((await fetch(`${url}/ready`)).status, 503);
      await until(async () => (await remaining(url)) === 1, "what the other worker has drains");
      for (const port of [tcp, await proxy.portOf("http")])
        await until(() => isRefused(port), "nobody waits in an accept queue");
      const answered = Promise.withResolvers<Socket>();
      for (const client of clients) {
        client.once("data", () => answered.resolve(client));
        client.write("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
      }
      (await answered.promise).destroy();
      assert.equal(await proxy.sluice.exit, 70, proxy.sluice.stderr);
      await until(() => clients.every((client) => client.destroyed), "nobody is left waiting");
      assert.match(proxy.sluice.stderr, /critical.*worker 0 is lost: .*; the others drain/);
    },
  );

/** Of the one drain that there is. */
async function remaining(adminUrl: string): Promise<number | undefined> {
  const { drains } = (await (await fetch(`${adminUrl}/drains`)).json()) as {
    drains: { cause: string; connections: { remaining: number } }[];
  };
  assert.deepEqual(
    drains.map((drain) => drain.cause),
    ["shutdown"],
  );
  return drains[0]?.connections.remaining;
}

test("a main thread that never comes back is ended by SIGABRT, as Envoy's", options, async () => {
  using upstream = await HttpUpstream.start("up");
  await using proxy = await start(upstream.port, {
    main_thread_watchdog: { miss_timeout: "0.1s", kill_timeout: "1s" },
  });
  const ended = once(proxy.sluice.child, "exit");
  proxy.plant("main hang");
  assert.deepEqual(await ended, [null, "SIGABRT"]);
  assert.match(proxy.sluice.stderr, /GuardDog: main thread stuck for more than watchdog_kill_time/);
});
