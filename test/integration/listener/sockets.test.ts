/** What a listener's sockets are, seen from outside; the same with SLUICE_TEST_PROXY=envoy. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import http from "node:http";
import { connect } from "node:net";
import { networkInterfaces, tmpdir } from "node:os";
import path from "node:path";
import { describe, test } from "node:test";
import { ProxyProcess } from "../../support/proxy-process.ts";
import { adminOnPortZero } from "../../support/sluice-program.ts";
import { until } from "../../support/until.ts";

const addresses = Object.values(networkInterfaces()).flatMap((all) => all ?? []);
const withoutIpv6 = !addresses.some(({ address }) => address === "::1");
const withoutOptions = process.env["SLUICE_REACTOR"] === "node";

/** Answers with the addresses of the connection. */
function listener(address: object, settings: object = {}): object {
  const header = (key: string, value: string) => ({ header: { key, value } });
  const manager = {
    "@type":
      "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
    stat_prefix: "web",
    route_config: {
      response_headers_to_add: [
        header("x-local", "%DOWNSTREAM_LOCAL_ADDRESS%"),
        header("x-peer", "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%"),
      ],
      virtual_hosts: [
        {
          name: "all",
          domains: ["*"],
          routes: [{ match: { prefix: "/" }, direct_response: { status: 200 } }],
        },
      ],
    },
    http_filters: [
      {
        name: "router",
        typed_config: {
          "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
        },
      },
    ],
  };
  return {
    name: "web",
    address,
    filter_chains: [{ filters: [{ name: "hcm", typed_config: manager }] }],
    ...settings,
  };
}

const socketAddress = (address: string, settings: object = {}) => ({
  socket_address: { address, port_value: 0, ...settings },
});

function start(...listeners: object[]): Promise<ProxyProcess> {
  return ProxyProcess.start({ admin: adminOnPortZero, static_resources: { listeners } });
}

async function portOf(proxy: ProxyProcess): Promise<number> {
  return (await proxy.listenerPorts()).get("web") ?? 0;
}

/** The addresses that the proxy sees; undefined: nobody takes the connection. */
async function seen(to: http.RequestOptions): Promise<{ local: string; peer: string } | undefined> {
  const request = http.get({ ...to, agent: false });
  try {
    const [response] = (await once(request, "response")) as [http.IncomingMessage];
    response.resume();
    const text = (name: string) => String(response.headers[name]);
    return { local: text("x-local"), peer: text("x-peer") };
  } catch (error) {
    assert.equal((error as NodeJS.ErrnoException).code, "ECONNREFUSED");
    return undefined;
  }
}

describe("a listener's sockets", () => {
  test("on any address: a connection's local address is the one it came to", async () => {
    await using proxy = await start(listener(socketAddress("0.0.0.0")));
    const port = await portOf(proxy);
    for (const host of ["127.0.0.1", "127.0.0.2"])
      assert.equal((await seen({ host, port }))?.local, `${host}:${port}`);
  });

  test("IPv6 alone, and with ipv4_compat both", { skip: withoutIpv6 }, async () => {
    {
      await using proxy = await start(listener(socketAddress("::")));
      const port = await portOf(proxy);
      assert.deepEqual(await seen({ host: "::1", port }), { local: `[::1]:${port}`, peer: "::1" });
      assert.equal(await seen({ host: "127.0.0.1", port }), undefined);
    }
    await using proxy = await start(listener(socketAddress("::", { ipv4_compat: true })));
    const port = await portOf(proxy);
    const host = "127.0.0.1";
    assert.deepEqual(await seen({ host: "::1", port }), { local: `[::1]:${port}`, peer: "::1" });
    assert.deepEqual(await seen({ host, port }), { local: `${host}:${port}`, peer: host });
  });

  test("a Unix socket takes the place of what is there, with its mode; an abstract one has no file", async () => {
    const folder = mkdtempSync(path.join(tmpdir(), "sluice-sockets-"));
    const file = path.join(folder, "socket");
    writeFileSync(file, "left behind");
    const name = `@sluice-${process.pid}-${folder.slice(-6)}`;
    await using _proxy = await start(
      listener({ pipe: { path: file, mode: 0o620 } }),
      listener({ pipe: { path: name } }, { name: "abstract" }),
    );
    assert.equal(statSync(file).mode & 0o777, 0o620);
    assert(statSync(file).isSocket());
    assert.equal((await seen({ socketPath: file }))?.local, file);
    assert.equal((await seen({ socketPath: `\0${name.slice(1)}` }))?.local, name);
    rmSync(folder, { recursive: true });
  });

  test("options at each state, and TCP fast open", { skip: withoutOptions }, async (context) => {
    if (!mayAdministerNetwork())
      return context.skip("SO_MARK is for who may administer the network");
    const options = [
      { level: 1, name: 36, int_value: 0x51, state: "STATE_PREBIND" },
      { level: 6, name: 9, int_value: 5, state: "STATE_LISTENING" },
      { level: 6, name: 2, int_value: 1_000, state: "STATE_BOUND" },
    ];
    const settings = { socket_options: options, tcp_fast_open_queue_length: 7 };
    await using proxy = await start(listener(socketAddress("127.0.0.1"), settings));
    const port = await portOf(proxy);
    // SO_MARK: told to those who may see it.
    const told = spawnSync("ss", ["-tlneH", `sport = ${port}`], { encoding: "utf8" });
    if (told.error === undefined) assert.match(told.stdout, /fwmark:0x51/);
    // TCP_DEFER_ACCEPT: nobody is accepted before its first bytes are there.
    const silent = connect(port, "127.0.0.1");
    await once(silent, "connect");
    assert(await seen({ host: "127.0.0.1", port }));
    const total = "http.web.downstream_cx_total";
    assert.equal(await proxy.stat(total), 1);
    silent.write("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    await until(async () => (await proxy.stat(total)) === 2, "it is accepted");
    silent.destroy();
  });

  test("a balance that is exact, and a bound on what one event accepts", async () => {
    const settings = {
      connection_balance_config: { exact_balance: {} },
      max_connections_to_accept_per_socket_event: 1,
    };
    await using proxy = await start(listener(socketAddress("127.0.0.1"), settings));
    const port = await portOf(proxy);
    const clients = Array.from({ length: 20 }, () => connect(port, "127.0.0.1"));
    for (const client of clients) client.on("error", () => {});
    await until(
      async () => (await proxy.stat("http.web.downstream_cx_total")) === clients.length,
      "all are accepted",
    );
    for (const client of clients) client.destroy();
  });
});

/** CAP_NET_ADMIN, bit 12 of the effective set (capabilities(7)). */
function mayAdministerNetwork(): boolean {
  const effective = /^CapEff:\s*([0-9a-f]+)/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1];
  return ((BigInt(`0x${effective ?? "0"}`) >> 12n) & 1n) === 1n;
}
