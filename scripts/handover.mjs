/**
 * Many listeners handed over at once: how long from the start of the new process until it serves all of them, beside
 * Envoy's hot restart on the same machine. `npm run handover -- 10000 [path of an envoy]`.
 *
 * What a newcomer would get wrong: listeners differ by address, not by port (127.0.0.0/8 is all loopback), so that none is
 * taken by another program.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";

const [count = "10000", envoy] = process.argv.slice(2);
const listeners = Number(count);
const folder = mkdtempSync(path.join(tmpdir(), "sluice-handover-"));
const running = new Set();

try {
  const port = await freePort();
  const config = path.join(folder, "proxy.json");
  writeFileSync(config, JSON.stringify(bootstrap(port, await freePort())));
  const common = ["-c", config, "-l", "info", "--concurrency", "1"];
  const byDirectory = [...common, "--handover-dir", path.join(folder, "dir")];
  await measure(
    "sluice --handover-dir",
    () => start(path.resolve("bin/sluice"), byDirectory),
    port,
  );
  const epoch = (number) => [
    ...common,
    "--restart-epoch",
    number,
    "--base-id",
    String(port),
    "--parent-shutdown-time-s",
    "5",
    "--drain-time-s",
    "2",
  ];
  await measure("sluice --restart-epoch", (n) => start(path.resolve("bin/sluice"), epoch(n)), port);
  if (envoy) await measure("envoy --restart-epoch", (n) => start(envoy, epoch(n)), port);
} finally {
  for (const child of running) child.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
}

async function measure(what, launch, port) {
  const first = await launch("0");
  const second = await launch("1");
  const answered = await answers(port);
  const perListener = (second.tookMs * 1000) / listeners;
  const line = [
    what.padEnd(24),
    `alone ${first.tookMs} ms`,
    `restart ${second.tookMs} ms`,
    `${perListener.toFixed(0)} µs a listener`,
    `${answered} of 100 answer`,
  ];
  process.stdout.write(`${line.join("  ")}\n`);
  const sockets = /\d+ sockets of process \d+ in \d+ ms/.exec(second.log())?.[0];
  if (sockets) process.stdout.write(`${"".padEnd(24)}  ${sockets}\n`);
  await first.exit;
  second.child.kill("SIGTERM");
  await second.exit;
}

/** Resolves when it serves. */
async function start(program, args) {
  const startedMs = performance.now();
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
  running.add(child);
  const exit = once(child, "exit").then(() => running.delete(child));
  let log = "";
  await new Promise((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (bytes) => {
        log += bytes;
        if (log.includes("starting main dispatch loop")) resolve();
      });
    exit.then(() => reject(new Error(`it has ended:\n${log.slice(-2000)}`)), reject);
  });
  return { child, exit, log: () => log, tookMs: Math.round(performance.now() - startedMs) };
}

async function answers(port) {
  let ok = 0;
  for (let i = 0; i < 100; i++) {
    const at = Math.floor((i * listeners) / 100);
    const response = await fetch(`http://${hostOf(at)}:${port}/`).catch(() => undefined);
    if (response?.status === 200) ok++;
    await response?.arrayBuffer();
  }
  return ok;
}

function hostOf(i) {
  return `127.77.${i >> 8}.${i & 255}`;
}

function bootstrap(port, adminPort) {
  const address = (host, value) => ({ socket_address: { address: host, port_value: value } });
  const manager = {
    "@type":
      "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
    stat_prefix: "web",
    http_filters: [
      {
        name: "envoy.filters.http.router",
        typed_config: {
          "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
        },
      },
    ],
    route_config: {
      virtual_hosts: [
        {
          name: "all",
          domains: ["*"],
          routes: [
            {
              match: { prefix: "/" },
              direct_response: { status: 200, body: { inline_string: "." } },
            },
          ],
        },
      ],
    },
  };
  const filters = [
    { name: "envoy.filters.network.http_connection_manager", typed_config: manager },
  ];
  return {
    admin: { address: address("127.0.0.1", adminPort) },
    static_resources: {
      listeners: Array.from({ length: listeners }, (_, i) => ({
        name: `l${i}`,
        address: address(hostOf(i), port),
        filter_chains: [{ filters }],
      })),
    },
  };
}

async function freePort() {
  const server = net.createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  return port;
}
