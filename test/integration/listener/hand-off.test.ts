/**
 * `use_original_dst`: a PROXY header restores the local address as a redirect of the packet filter would, so no such
 * filter is needed to see the connection go to another listener.
 */
import assert from "node:assert/strict";
import path from "node:path";
import { test } from "node:test";
import {
  ListenerFilterStage,
  chain,
  cluster,
  listenerFilter,
} from "../../support/listener-filter-stage.ts";
import { ProxyProcess } from "../../support/proxy-process.ts";
import { TestClient } from "../../support/tcp-peers.ts";
import { until } from "../../support/until.ts";

const proxyProtocol = listenerFilter("proxy_protocol", "ProxyProtocol");

async function reply(stage: ListenerFilterStage, destination: string, port: number) {
  const client = new TestClient(stage.port);
  client.socket.write(`PROXY TCP4 10.0.0.1 ${destination} 1111 ${port}\r\nhello`);
  await client.until(() => client.received.indexOf("hello") > 0 || client.hasClosed);
  client.socket.end();
  await client.ended();
  return client.received.toString("latin1");
}

const other = (name: string, address: string, port: number, more: object = {}) => ({
  name,
  stat_prefix: name,
  address: { socket_address: { address, port_value: port } },
  bind_to_port: false,
  ...more,
});

test("goes to the listener at the restored address, then to that of all addresses, else stays", async () => {
  await using stage = await ListenerFilterStage.start({
    filters: [proxyProtocol],
    chains: [{ name: "first" }],
    listener: { use_original_dst: true },
    others: [
      { listener: other("exact", "192.0.2.1", 8080), chain: "exact" },
      { listener: other("wild", "0.0.0.0", 8080), chain: "wild" },
    ],
  });
  assert.equal(await reply(stage, "192.0.2.1", 8080), "exact:hello");
  assert.equal(await reply(stage, "192.0.2.2", 8080), "wild:hello");
  assert.equal(await reply(stage, "192.0.2.1", 9090), "first:hello");
  const { proxy } = stage;
  assert.equal(await proxy.stat("listener.exact.downstream_cx_total"), 1);
  assert.equal(await proxy.stat("listener.wild.downstream_cx_total"), 1);
  assert.equal(await proxy.stat("listener.l.downstream_cx_total"), 1);
  assert.equal(await proxy.stat("listener.l.downstream_pre_cx_active"), 0);
  const line = /LOG exact remote=10\.0\.0\.1:1111 local=192\.0\.2\.1:8080 /;
  await until(() => line.test(proxy.log), "it is logged with the addresses of the header");
});

test("the other listener's filters look at it as well, and its own hand-off does not apply", async () => {
  const second = listenerFilter("http_inspector", "HttpInspector");
  await using stage = await ListenerFilterStage.start({
    filters: [proxyProtocol],
    chains: [{ name: "first" }],
    listener: { use_original_dst: true },
    others: [
      {
        listener: other("inner", "192.0.2.1", 8080, {
          use_original_dst: true,
          listener_filters: [second],
          listener_filters_timeout: "0.2s",
          continue_on_listener_filters_timeout: true,
        }),
        chain: "inner",
      },
    ],
  });
  assert.equal(await reply(stage, "192.0.2.1", 8080), "inner:hello");
  assert.equal(await stage.stat("downstream_pre_cx_timeout"), 0);
  assert.equal(await stage.proxy.stat("listener.inner.downstream_pre_cx_timeout"), 1);
});

test("without use_original_dst it stays", async () => {
  await using stage = await ListenerFilterStage.start({
    filters: [proxyProtocol],
    chains: [{ name: "first" }],
    others: [{ listener: other("exact", "192.0.2.1", 8080), chain: "exact" }],
  });
  assert.equal(await reply(stage, "192.0.2.1", 8080), "first:hello");
});

for (const filters of [[listenerFilter("original_dst", "OriginalDst")], []])
  test(`the node reactor refuses what only redirects can tell [${filters.length === 0 ? "use_original_dst" : "original_dst"}]`, async () => {
    const listener = {
      name: "l",
      address: { socket_address: { address: "127.0.0.1", port_value: 0 } },
      listener_filters: filters,
      use_original_dst: filters.length === 0,
      filter_chains: [chain({ name: "c" })],
    };
    const bootstrap = {
      admin: { address: { socket_address: { address: "127.0.0.1", port_value: 0 } } },
      static_resources: { listeners: [listener], clusters: [cluster("c", 1)] },
    };
    const started = ProxyProcess.start(bootstrap, [], path.resolve("bin/sluice"), {
      SLUICE_REACTOR: "node",
    });
    await assert.rejects(started, /envoy\.filters\.listener\.original_dst needs the epoll reactor/);
  });
