/** Envoy and Sluice under `sluice restarter`: restarts under load, and the configuration that Envoy's own restarter dies of. */
import assert from "node:assert/strict";
import { renameSync, statSync } from "node:fs";
import path from "node:path";
import { suite, test } from "node:test";
import { installedEnvoy } from "../../bench/programs.ts";
import { freePort } from "../support/free-port.ts";
import { get } from "../support/http-client.ts";
import { SluiceProgram, adminOnPortZero } from "../support/sluice-program.ts";
import { SteadyClients } from "../support/steady-clients.ts";
import { until } from "../support/until.ts";

const programs = { Envoy: installedEnvoy(), Sluice: path.resolve("bin/sluice") };

/** Answers by itself, on a port that each epoch must find again. */
function bootstrap(port: number): string {
  const route = {
    match: { prefix: "/" },
    direct_response: { status: 200, body: { inline_string: "hello" } },
  };
  const manager = {
    "@type":
      "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
    stat_prefix: "http",
    access_log: [
      {
        name: "envoy.access_loggers.file",
        typed_config: {
          "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
          path: "access.log",
        },
      },
    ],
    route_config: { virtual_hosts: [{ name: "all", domains: ["*"], routes: [route] }] },
    http_filters: [
      {
        name: "router",
        typed_config: {
          "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
        },
      },
    ],
  };
  const listener = {
    name: "http",
    address: { socket_address: { address: "127.0.0.1", port_value: port } },
    filter_chains: [{ filters: [{ name: "http", typed_config: manager }] }],
  };
  return JSON.stringify({ admin: adminOnPortZero, static_resources: { listeners: [listener] } });
}

async function started(open: AsyncDisposableStack, proxy: string) {
  const port = await freePort();
  const own = ["--concurrency", "1", "-l", "error", "--admin-address-path", "admin"];
  const logs = ["--file-flush-interval-msec", "50"];
  // What Envoys of one base id share is not for those of another test.
  const times = ["--base-id", String(port), "--drain-time-s", "1", "--parent-shutdown-time-s", "2"];
  const command = [proxy, "-c", "bootstrap.json", ...own, ...logs, ...times];
  const program = new SluiceProgram(["restarter", "--", ...command], {
    files: { "bootstrap.json": bootstrap(port) },
  });
  open.defer(async () => {
    program.child.kill("SIGTERM");
    await program.exit;
    await program[Symbol.asyncDispose]();
  });
  const reports = (text: string): Promise<boolean> =>
    until(
      () => program.stderr.includes(`[restarter] ${text}`),
      `the restarter says '${text}'`,
    ).catch((error: unknown) => assert.fail(`${String(error)}\n${program.stderr}`));
  await reports("epoch 0 serves");
  return { port, program, reports };
}

for (const [name, proxy = ""] of Object.entries(programs))
  suite(
    `${name} under sluice restarter`,
    { skip: proxy === "" && `${name} is not installed` },
    () => {
      test("restarts under load, and no request fails", { timeout: 120_000 }, async () => {
        await using open = new AsyncDisposableStack();
        const { port, program, reports } = await started(open, proxy);
        const steady = open.use(new SteadyClients(port, 4, { keepAlive: true, gapMs: 1 }));
        const short = open.use(
          new SteadyClients(port, 2, { keepAlive: false, gapMs: 1, mayBeRefused: false }),
        );
        for (const epoch of [1, 2, 3]) {
          program.child.kill("SIGHUP");
          await reports(`epoch ${epoch} serves`);
          await reports(`epoch ${epoch - 1} has ended`);
        }
        assert.deepEqual([...(await steady.stop()), ...(await short.stop())], []);
        assert(steady.completed > 100 && short.completed > 100);
        program.child.kill("SIGTERM");
        assert.equal(await program.exit, 0);
      });

      test(
        "serves on when a new configuration is bad, and its log is opened anew",
        { timeout: 120_000 },
        async () => {
          await using open = new AsyncDisposableStack();
          const { port, program, reports } = await started(open, proxy);
          const steady = open.use(new SteadyClients(port, 2, { keepAlive: true, gapMs: 1 }));
          program.write("bootstrap.json", '{"nonsense": 1}');
          program.child.kill("SIGHUP");
          await reports("epoch 1 is refused, and epoch 0 goes on serving");
          assert.match(program.stderr, /no\s+such\s+field:\s+'nonsense'/);

          program.write("bootstrap.json", bootstrap(port));
          program.child.kill("SIGHUP");
          await reports("epoch 1 serves");

          const log = path.join(program.folder, "access.log");
          await until(() => sizeOf(log) > 0, "it is written");
          renameSync(log, `${log}.1`);
          program.child.kill("SIGUSR1");
          await until(() => sizeOf(log) > 0, "SIGUSR1 opens it anew");
          assert.deepEqual(await steady.stop(), []);
          assert.equal((await get(port)).status, 200);
        },
      );
    },
  );

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}
