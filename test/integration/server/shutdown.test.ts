import assert from "node:assert/strict";
import { once } from "node:events";
import { Agent } from "node:http";
import { connect, type Socket } from "node:net";
import { test } from "node:test";
import { get, isRefused } from "../../support/http-client.ts";
import { HttpUpstream } from "../../support/http-upstream.ts";
import { httpProxy, staticCluster, tcpProxy } from "../../support/report-bootstrap.ts";
import { adminOnPortZero, SluiceProgram } from "../../support/sluice-program.ts";
import { until } from "../../support/until.ts";

/** `http` and `tcp` carry traffic; `probe` is left out of the process's limits, as bootstraps do for probes. */
function start(upstreamPort: number, ...flags: string[]): SluiceProgram {
  const routes = [{ match: { prefix: "/" }, route: { cluster: "up", timeout: "0s" } }];
  const bootstrap = {
    admin: adminOnPortZero,
    staticResources: {
      listeners: [
        httpProxy("http", routes),
        tcpProxy("tcp", "up"),
        tcpProxy("probe", "up", {}, { bypassOverloadManager: true }),
      ],
      clusters: [staticCluster("up", [{ zone: "", ports: [upstreamPort] }])],
    },
  };
  return new SluiceProgram(
    ["-c", "b.yaml", "--concurrency", "2", "--admin-address-path", "admin", ...flags],
    { files: { "b.yaml": JSON.stringify(bootstrap) } },
  );
}

async function portOf(adminUrl: string, listener: string): Promise<number> {
  const text = await (await fetch(`${adminUrl}/listeners`)).text();
  return Number(new RegExp(`^${listener}::127\\.0\\.0\\.1:(\\d+)$`, "m").exec(text)?.[1]);
}

/** Through the TCP proxy; open until it is cut. */
async function tunnel(port: number): Promise<Socket> {
  const socket = connect(port, "127.0.0.1").on("error", () => {});
  socket.write("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
  await once(socket, "data");
  return socket;
}

interface Drain {
  readonly cause: string;
  readonly state: string;
  readonly strategy: string;
  readonly connections: { readonly remaining: number };
}

async function drains(adminUrl: string): Promise<readonly Drain[]> {
  return ((await (await fetch(`${adminUrl}/drains`)).json()) as { drains: Drain[] }).drains;
}

for (const signal of ["SIGTERM", "SIGINT"] as const)
  test(`${signal}: not ready, accepts nothing, lets the request in flight finish, and ends`, async () => {
    using upstream = await HttpUpstream.start("up");
    await using sluice = start(upstream.port, "--shutdown-drain-s", "600");
    const url = await sluice.live();
    const port = await portOf(url, "http");
    const held = upstream.hold();
    const agent = new Agent({ keepAlive: true });
    const slow = get(port, "/slow", agent);
    await held.arrived;
    sluice.child.kill(signal);
    const ready = async () => {
      const response = await fetch(`${url}/ready`);
      return [response.status, await response.text()];
    };
    await until(async () => (await ready())[0] === 503, "it is not ready");
    assert.deepEqual(await ready(), [503, "DRAINING\n"]);
    await until(() => isRefused(port), "nothing is accepted");
    const [drain] = await drains(url);
    assert.equal(drain?.cause, "shutdown");
    assert.equal(drain.strategy, "immediate");
    assert.equal(drain.state, "draining");
    held.release();
    const answered = await slow;
    assert.equal(answered.body, "up");
    assert.equal(answered.headers.connection, "close");
    assert.equal(await sluice.exit, 0);
    assert.match(sluice.stderr, new RegExp(`caught ${signal}: draining for 600 s at most`));
    assert.match(
      sluice.stderr,
      /drain 1 ends: complete by empty .*shutdown of the server; .*; 1 connections, 1 told, 1 finished/,
    );
    agent.destroy();
  });

test("what is still there when the time is up is cut, and the code is 0 all the same", async () => {
  using upstream = await HttpUpstream.start("up");
  await using sluice = start(upstream.port, "--shutdown-drain-s", "1");
  const client = await tunnel(await portOf(await sluice.live(), "tcp"));
  sluice.child.kill("SIGTERM");
  await once(client, "close");
  assert.equal(await sluice.exit, 0);
  assert.match(
    sluice.stderr,
    /drain 1 ends: forced by deadline .*; 1 connections, .* 1 cut, 0 remain/,
  );
});

test("a second signal ends it at once", async () => {
  using upstream = await HttpUpstream.start("up");
  await using sluice = start(upstream.port, "--shutdown-drain-s", "600");
  const url = await sluice.live();
  const client = await tunnel(await portOf(url, "tcp"));
  sluice.child.kill("SIGTERM");
  await until(async () => (await drains(url))[0]?.connections.remaining === 1, "it drains");
  sluice.child.kill("SIGTERM");
  assert.equal(await sluice.exit, 0);
  assert.match(sluice.stderr, /caught SIGTERM: shutting down server instance/);
  client.destroy();
});

test("/quitquitquit ends it at once in the middle of a drain, as does a signal with --shutdown-drain-s 0", async () => {
  using upstream = await HttpUpstream.start("up");
  await using drained = start(upstream.port, "--shutdown-drain-s", "600");
  const url = await drained.live();
  const client = await tunnel(await portOf(url, "tcp"));
  drained.child.kill("SIGTERM");
  await until(async () => (await drains(url)).length === 1, "it drains");
  await fetch(`${url}/quitquitquit`, { method: "POST" });
  assert.equal(await drained.exit, 0);
  client.destroy();
  await using immediate = start(upstream.port, "--shutdown-drain-s", "0");
  const other = await tunnel(await portOf(await immediate.live(), "tcp"));
  immediate.child.kill("SIGTERM");
  assert.equal(await immediate.exit, 0);
  assert.doesNotMatch(immediate.stderr, /drain 1|draining/);
  other.destroy();
});

test("a probe's connection and one of the admin do not keep it", async () => {
  using upstream = await HttpUpstream.start("up");
  await using sluice = start(upstream.port, "--shutdown-drain-s", "600");
  const url = await sluice.live();
  const probe = await tunnel(await portOf(url, "probe"));
  const watching = await fetch(`${url}/drains?stream`);
  sluice.child.kill("SIGTERM");
  assert.equal(await sluice.exit, 0);
  assert.match(sluice.stderr, /drain 1 ends: complete .*; 0 connections/);
  probe.destroy();
  await watching.text().catch(() => {});
});

test("it drains after an order of the admin's to drain, too", async () => {
  using upstream = await HttpUpstream.start("up");
  await using sluice = start(upstream.port, "--shutdown-drain-s", "1", "--drain-time-s", "0");
  const url = await sluice.live();
  const client = await tunnel(await portOf(url, "tcp"));
  await fetch(`${url}/drain_listeners?graceful`, { method: "POST" });
  await until(async () => (await drains(url))[0]?.state === "expired", "the first has ended");
  sluice.child.kill("SIGTERM");
  assert.equal(await sluice.exit, 0);
  assert.match(sluice.stderr, /drain 2 ends: forced by deadline .*shutdown of the server/);
  client.destroy();
});
