/**
 * ORIGINAL_DST clusters: a PROXY header restores the destination as a redirect would, or a request's header names it. The
 * same against Envoy, by SLUICE_TEST_PROXY.
 */
import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { once } from "node:events";
import { type StartProxy, forEachProxy } from "../../support/each-proxy.ts";
import { echo, listenerFilter } from "../../support/listener-filter-stage.ts";
import { TestClient, startUpstream } from "../../support/tcp-peers.ts";
import { until } from "../../support/until.ts";

const types = "type.googleapis.com/envoy.extensions";
const loopback = { socket_address: { address: "127.0.0.1", port_value: 0 } };
const proxyProtocol = listenerFilter("proxy_protocol", "ProxyProtocol", {
  allow_requests_without_proxy_protocol: true,
});

const clusterOf = (name: string, fields: object = {}): object => ({
  name,
  type: "ORIGINAL_DST",
  lb_policy: "CLUSTER_PROVIDED",
  connect_timeout: "5s",
  ...fields,
});

const listenerOf = (name: string, filter: object): object => ({
  name,
  address: loopback,
  listener_filters: [proxyProtocol],
  filter_chains: [{ filters: [filter] }],
});

const tcpTo = (cluster: string): object => ({
  name: "tcp",
  typed_config: {
    "@type": `${types}.filters.network.tcp_proxy.v3.TcpProxy`,
    stat_prefix: cluster,
    cluster,
  },
});

const httpTo = (cluster: string): object => ({
  name: "http",
  typed_config: {
    "@type": `${types}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: cluster,
    route_config: {
      virtual_hosts: [
        { name: "v", domains: ["*"], routes: [{ match: { prefix: "/" }, route: { cluster } }] },
      ],
    },
    http_filters: [
      {
        name: "envoy.filters.http.router",
        typed_config: { "@type": `${types}.filters.http.router.v3.Router` },
      },
    ],
  },
});

const start = (startProxy: StartProxy, clusters: readonly object[], listeners: readonly object[]) =>
  startProxy({ admin: { address: loopback }, static_resources: { clusters, listeners } });

/** What comes back of a connection that was going to the port. */
async function sent(port: number, header: string, text: string): Promise<string> {
  const client = new TestClient(port);
  client.socket.write(`${header}${text}`);
  await Promise.race([client.until(() => client.received.includes(text)), client.ended()]);
  client.socket.end();
  await client.ended();
  return client.received.toString("latin1");
}

const headerTo = (port: number, ip = "127.0.0.1"): string =>
  `PROXY TCP4 10.0.0.1 ${ip} 1111 ${port}\r\n`;

forEachProxy("a connection goes where it was going", async (startProxy, open) => {
  const [one, two] = [
    open.use(await startUpstream(echo("one"))),
    open.use(await startUpstream(echo("two"))),
  ];
  const proxy = await start(
    startProxy,
    [
      clusterOf("plain", { cleanup_interval: "0.2s" }),
      clusterOf("moved", { original_dst_lb_config: { upstream_port_override: two.port } }),
    ],
    [listenerOf("plain", tcpTo("plain")), listenerOf("moved", tcpTo("moved"))],
  );
  const ports = await proxy.listenerPorts();
  const [plain, moved] = [ports.get("plain") ?? 0, ports.get("moved") ?? 0];
  assert.equal(await sent(plain, headerTo(one.port), "hello"), "one:hello");
  assert.equal(await sent(plain, headerTo(two.port), "hello"), "two:hello");
  assert.equal(await sent(moved, headerTo(one.port), "hello"), "two:hello");
  // Nobody said where to.
  assert.equal(await sent(plain, "", "hello without a header"), "");
  assert.equal(await proxy.stat("cluster.plain.upstream_cx_none_healthy"), 1);

  const held = new TestClient(plain);
  held.socket.write(`${headerTo(one.port)}held`);
  await held.until(() => held.received.includes("held"));
  const members = (count: number) =>
    until(
      async () => (await proxy.stat("cluster.plain.membership_total")) === count,
      `the cluster has ${count} hosts`,
    );
  await members(1);
  held.socket.end();
  await held.ended();
  await members(0);
});

forEachProxy(
  "a request goes where its header says, else where its connection was going",
  async (startProxy, open) => {
    const servers = ["one", "two"].map((name) => {
      const server = createServer((request, response) => response.end(`${name} ${request.url}`));
      open.defer(() => {
        server.closeAllConnections();
        server.close();
      });
      return server.listen(0, "127.0.0.1");
    });
    await Promise.all(servers.map((server) => once(server, "listening")));
    const [one = 0, two = 0] = servers.map((server) => (server.address() as AddressInfo).port);
    const proxy = await start(
      startProxy,
      [
        clusterOf("named", { original_dst_lb_config: { use_http_header: true } }),
        clusterOf("own", {
          original_dst_lb_config: { use_http_header: true, http_header_name: "X-To" },
        }),
        clusterOf("plain"),
      ],
      ["named", "own", "plain"].map((name) => listenerOf(name, httpTo(name))),
    );
    const ports = await proxy.listenerPorts();
    const asked = async (
      listener: string,
      headers: string,
      destination?: number,
    ): Promise<string> => {
      const client = new TestClient(ports.get(listener) ?? 0);
      const proxyHeader = destination === undefined ? "" : headerTo(destination);
      client.socket.write(
        `${proxyHeader}GET /x HTTP/1.1\r\nhost: h\r\nconnection: close\r\n${headers}\r\n`,
      );
      await client.ended();
      client.socket.destroy();
      const text = client.received.toString("latin1");
      return /(?:one|two) \/x/.exec(text)?.[0] ?? text.split("\r\n")[0] ?? "";
    };
    const by = (port: number, name = "x-envoy-original-dst-host") =>
      `${name}: 127.0.0.1:${port}\r\n`;
    const unavailable = "HTTP/1.1 503 Service Unavailable";
    assert.equal(await asked("named", by(one)), "one /x");
    assert.equal(await asked("named", by(two), one), "two /x");
    assert.equal(await asked("named", "", one), "one /x");
    assert.equal(await asked("named", ""), unavailable);
    assert.equal(await proxy.stat("cluster.named.original_dst_host_invalid"), 0);
    assert.equal(
      await asked("named", "x-envoy-original-dst-host: localhost:80\r\n", one),
      "one /x",
    );
    assert.equal(await asked("named", "x-envoy-original-dst-host: 127.0.0.1\r\n"), unavailable);
    assert.equal(await proxy.stat("cluster.named.original_dst_host_invalid"), 2);
    assert.equal(await asked("own", by(two, "x-to"), one), "two /x");
    assert.equal(await asked("plain", by(two), one), "one /x");
  },
);
