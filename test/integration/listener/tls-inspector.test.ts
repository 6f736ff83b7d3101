import assert from "node:assert/strict";
import { test } from "node:test";
import { clientHello } from "../../support/client-hello-bytes.ts";
import { ListenerFilterStage, listenerFilter } from "../../support/listener-filter-stage.ts";
import { TestClient } from "../../support/tcp-peers.ts";
import { until } from "../../support/until.ts";

const inspector = (fields: object = {}) => listenerFilter("tls_inspector", "TlsInspector", fields);
const chains = [
  { name: "one", match: { server_names: ["one.example.com"] } },
  { name: "wild", match: { server_names: ["*.example.com"] } },
  { name: "alpn", match: { transport_protocol: "tls", application_protocols: ["special"] } },
  { name: "tls", match: { transport_protocol: "tls" } },
  { name: "plain", match: { transport_protocol: "raw_buffer" } },
];

/** What came back: the chain's name and all that was sent. */
async function exchange(stage: Pick<ListenerFilterStage, "port">, bytes: Buffer): Promise<string> {
  const client = new TestClient(stage.port);
  client.socket.write(bytes);
  await client.until(
    () => client.received.indexOf(":") > 0 && client.receivedBytes > bytes.length + 3,
  );
  const at = client.received.indexOf(":");
  await client.until(() => client.receivedBytes >= at + 1 + bytes.length);
  assert.deepEqual(client.received.subarray(at + 1), bytes);
  client.socket.destroy();
  return client.received.toString("latin1", 0, at);
}

test("a ClientHello leads to the chain of its name, and not a byte of it is lost", async () => {
  await using stage = await ListenerFilterStage.start({ filters: [inspector()], chains });
  assert.equal(await exchange(stage, clientHello({ serverName: "One.example.com" })), "one");
  assert.equal(await exchange(stage, clientHello({ serverName: "a.b.example.com" })), "wild");
  assert.equal(await exchange(stage, clientHello({ serverName: "x.org" })), "tls");
  assert.equal(await exchange(stage, clientHello({ alpn: ["h2", "special"] })), "alpn");
  assert.equal(await exchange(stage, Buffer.from("GET / HTTP/1.1\r\n\r\n")), "plain");
  const long = clientHello({ serverName: "one.example.com", padding: 9_000, recordBytes: 700 });
  assert.equal(await exchange(stage, Buffer.concat([long, Buffer.alloc(100_000, 5)])), "one");
  const { proxy } = stage;
  assert.equal(await proxy.stat("tls_inspector.tls_found"), 5);
  assert.equal(await proxy.stat("tls_inspector.tls_not_found"), 1);
  assert.equal(await proxy.stat("tls_inspector.sni_found"), 4);
  assert.equal(await proxy.stat("tls_inspector.sni_not_found"), 1);
  assert.equal(await proxy.stat("tls_inspector.alpn_found"), 1);
  assert.equal(await proxy.stat("tls_inspector.alpn_not_found"), 4);
  await until(async () => (await stage.stat("downstream_pre_cx_active")) === 0, "none is pending");
  assert.equal(await stage.stat("downstream_cx_total"), 6);
});

test("a ClientHello that comes byte by byte is waited for", async () => {
  await using stage = await ListenerFilterStage.start({ filters: [inspector()], chains });
  const hello = clientHello({ serverName: "one.example.com" });
  const client = new TestClient(stage.port);
  await client.connected();
  for (const byte of hello) {
    client.socket.write(Buffer.from([byte]));
    await new Promise(setImmediate);
  }
  await client.until(() => client.receivedBytes === "one:".length + hello.length);
  assert.deepEqual(client.received.subarray(4), hello);
});

test("who sends no whole ClientHello is closed at the timeout", async () => {
  await using stage = await ListenerFilterStage.start({
    filters: [inspector()],
    chains,
    listener: { listener_filters_timeout: "0.2s" },
  });
  const silent = new TestClient(stage.port);
  const half = new TestClient(stage.port);
  half.socket.write(clientHello({ serverName: "one.example.com" }).subarray(0, 50));
  await Promise.all([silent.ended(), half.ended()]);
  assert.equal(await stage.stat("downstream_pre_cx_timeout"), 2);
  assert.equal(await stage.stat("downstream_pre_cx_active"), 0);
  assert.equal(await stage.stat("downstream_cx_total"), 0);
});

test("or goes on without what was to be learned", async () => {
  await using stage = await ListenerFilterStage.start({
    filters: [inspector()],
    chains,
    listener: { listener_filters_timeout: "0.2s", continue_on_listener_filters_timeout: true },
  });
  const half = clientHello({ serverName: "one.example.com" }).subarray(0, 50);
  assert.equal(await exchange(stage, half), "plain");
  assert.equal(await stage.stat("downstream_pre_cx_timeout"), 1);
});

test("who leaves before is counted as that", async () => {
  await using stage = await ListenerFilterStage.start({ filters: [inspector()], chains });
  const client = new TestClient(stage.port);
  await client.connected();
  await until(async () => (await stage.stat("downstream_pre_cx_active")) === 1, "it is looked at");
  client.socket.end();
  await client.ended();
  await until(
    async () => (await stage.stat("downstream_listener_filter_remote_close")) === 1,
    "it is counted",
  );
  assert.equal(await stage.stat("downstream_pre_cx_active"), 0);
});

test("who has left when the next filter has its turn is not waited for", async () => {
  const proxyProtocol = listenerFilter("proxy_protocol", "ProxyProtocol", {
    allow_requests_without_proxy_protocol: true,
  });
  await using stage = await ListenerFilterStage.start({
    filters: [proxyProtocol, inspector()],
    chains,
    listener: { listener_filters_timeout: "0s" },
  });
  const client = new TestClient(stage.port);
  await client.connected();
  client.socket.end(clientHello({ serverName: "one.example.com" }).subarray(0, 50));
  await client.ended();
  assert.equal(await stage.stat("downstream_listener_filter_remote_close"), 1);
  assert.equal(await stage.stat("downstream_pre_cx_active"), 0);
});

test("a ClientHello beyond the bound is closed", async () => {
  await using stage = await ListenerFilterStage.start({
    filters: [inspector({ max_client_hello_size: 1024, initial_read_buffer_size: 256 })],
    chains,
  });
  const client = new TestClient(stage.port);
  client.socket.write(clientHello({ serverName: "one.example.com", padding: 3_000 }));
  await client.ended();
  assert.equal(await stage.proxy.stat("tls_inspector.client_hello_too_large"), 1);
  assert.equal(
    await exchange(stage, clientHello({ serverName: "one.example.com", padding: 600 })),
    "one",
  );
});

test("a server name that is none makes it no ClientHello", async () => {
  await using stage = await ListenerFilterStage.start({ filters: [inspector()], chains });
  const label = "a".repeat(60);
  const name = (length: number): string =>
    `${label}.${label}.${label}.${label}`.padEnd(length, "b");
  assert.equal(await exchange(stage, clientHello({ serverName: name(255) })), "tls");
  for (const serverName of [name(256), name(4_000), "", "a\0b"])
    assert.equal(await exchange(stage, clientHello({ serverName })), "plain");
  assert.equal(await stage.proxy.stat("tls_inspector.tls_found"), 1);
  assert.equal(await stage.proxy.stat("tls_inspector.sni_found"), 1);
  assert.equal(await stage.proxy.stat("tls_inspector.tls_not_found"), 4);
});

test("what is no ClientHello is closed where that is asked for", async () => {
  await using stage = await ListenerFilterStage.start({
    filters: [inspector({ close_connection_on_client_hello_parsing_errors: true })],
    chains,
  });
  const client = new TestClient(stage.port);
  client.socket.write("GET / HTTP/1.1\r\n\r\n");
  await client.ended();
  assert.equal(client.receivedBytes, 0);
  assert.equal(await stage.proxy.stat("tls_inspector.tls_not_found"), 1);
});

test("logs name what the hello asked for, though others speak TLS", async () => {
  const fingerprints = { enable_ja3_fingerprinting: true, enable_ja4_fingerprinting: true };
  await using stage = await ListenerFilterStage.start({
    filters: [inspector(fingerprints)],
    chains,
  });
  await exchange(stage, clientHello({ serverName: "One.example.com", alpn: ["h2"] }));
  const line =
    /LOG one .* sni=one\.example\.com ja3=[0-9a-f]{32} ja4=t12d0\d+h2_[0-9a-f]{12}_[0-9a-f]{12} END/;
  await until(() => line.test(stage.proxy.log), "it is logged");
});

test("a filter that is disabled for an address does not look", async () => {
  const rules = [
    [{ any_match: true }, "plain"],
    [{ destination_port_range: { start: 1, end: 65_536 } }, "plain"],
    [{ destination_port_range: { start: 1, end: 2 } }, "one"],
    [{ not_match: { any_match: true } }, "one"],
    [{ and_match: { rules: [{ any_match: true }, { not_match: { any_match: true } }] } }, "one"],
    [{ or_match: { rules: [{ any_match: true }, { not_match: { any_match: true } }] } }, "plain"],
  ] as const;
  await using stage = await ListenerFilterStage.start({
    filters: [],
    chains,
    variants: rules.map(([rule]) => [{ ...inspector(), filter_disabled: rule }]),
  });
  const ports = await stage.proxy.listenerPorts();
  let found = 0;
  for (const [i, [rule, chain]] of rules.entries()) {
    const port = ports.get(`l${i}`) ?? 0;
    const hello = clientHello({ serverName: "one.example.com" });
    assert.equal(await exchange({ port }, hello), chain, JSON.stringify(rule));
    if (chain === "one") found++;
    assert.equal(await stage.proxy.stat("tls_inspector.tls_found"), found, JSON.stringify(rule));
  }
});
