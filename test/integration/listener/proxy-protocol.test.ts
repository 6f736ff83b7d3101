import assert from "node:assert/strict";
import { test } from "node:test";
import { clientHello } from "../../support/client-hello-bytes.ts";
import { ListenerFilterStage, listenerFilter } from "../../support/listener-filter-stage.ts";
import { version2 } from "../../support/proxy-header-bytes.ts";
import { TestClient } from "../../support/tcp-peers.ts";
import { until } from "../../support/until.ts";

const proxyProtocol = (fields: object = {}) =>
  listenerFilter("proxy_protocol", "ProxyProtocol", fields);
const inspector = listenerFilter("tls_inspector", "TlsInspector");

/** Sends; what came back, once `reply` is there. */
async function exchange(
  stage: ListenerFilterStage,
  bytes: Buffer | string,
  reply: string,
): Promise<void> {
  const client = new TestClient(stage.port);
  client.socket.write(bytes);
  await Promise.race([client.until(() => client.receivedBytes >= reply.length), client.ended()]);
  assert.equal(client.received.toString("latin1"), reply);
  client.socket.end();
  await client.ended();
}

/** It is closed, and nothing comes back. */
async function refused(stage: ListenerFilterStage, bytes: Buffer | string): Promise<void> {
  const client = new TestClient(stage.port);
  client.socket.write(bytes);
  await client.ended();
  assert.equal(client.receivedBytes, 0);
}

const counts = async (stage: ListenerFilterStage, prefix: string, names: readonly string[]) =>
  Object.fromEntries(
    await Promise.all(
      names.map(async (name) => [name, await stage.proxy.stat(`${prefix}.${name}`)] as const),
    ),
  );

const bySource = [
  { name: "ten", match: { source_prefix_ranges: [{ address_prefix: "10.0.0.0", prefix_len: 8 }] } },
  {
    name: "six",
    match: { source_prefix_ranges: [{ address_prefix: "2001:db8::", prefix_len: 32 }] },
  },
  { name: "port", match: { destination_port: 4433 } },
  { name: "rest" },
];

test("the addresses of the header hold for the match and the log, those of the socket stay the direct ones", async () => {
  await using stage = await ListenerFilterStage.start({
    filters: [proxyProtocol({ stat_prefix: "pp" })],
    chains: bySource,
  });
  await exchange(stage, "PROXY TCP4 10.1.2.3 192.0.2.9 1111 80\r\nhello", "ten:hello");
  await exchange(stage, "PROXY TCP6 2001:db8::1 ::1 1112 80\r\nhello", "six:hello");
  await exchange(stage, "PROXY TCP4 192.0.2.1 192.0.2.9 1113 4433\r\nhello", "port:hello");
  await exchange(stage, "PROXY UNKNOWN whatever it says\r\nhello", "rest:hello");
  const four = version2({ source: "10.1.2.4", destination: "192.0.2.9", ports: [1114, 80] });
  await exchange(stage, Buffer.concat([four, Buffer.from("hello")]), "ten:hello");
  const six = version2({ source: "2001:db8::2", destination: "::1", ports: [1115, 80] });
  await exchange(stage, Buffer.concat([six, Buffer.from("hello")]), "six:hello");
  const local = version2({ source: "10.1.2.4", destination: "192.0.2.9", command: 0 });
  await exchange(stage, Buffer.concat([local, Buffer.from("hello")]), "rest:hello");
  const log = () => stage.proxy.log;
  await until(() => (log().match(/LOG .* END/g) ?? []).length === 7, "all are logged");
  assert.match(log(), /LOG ten remote=10\.1\.2\.3:1111 local=192\.0\.2\.9:80 direct=127\.0\.0\.1 /);
  assert.match(log(), /LOG six remote=\[2001:db8::1\]:1112 local=\[::1\]:80 direct=127\.0\.0\.1 /);
  assert.match(log(), /LOG ten remote=10\.1\.2\.4:1114 local=192\.0\.2\.9:80 /);
  assert.match(log(), /LOG rest remote=127\.0\.0\.1:\d+ local=127\.0\.0\.1:\d+ /);
  const names = ["versions.v1.found", "versions.v2.found", "versions.v1.error"];
  assert.deepEqual(await counts(stage, "proxy_proto.pp", names), {
    "versions.v1.found": 4,
    "versions.v2.found": 3,
    "versions.v1.error": 0,
  });
});

test("extensions are passed over, however long they are, and what follows goes on to the next filter", async () => {
  await using stage = await ListenerFilterStage.start({
    filters: [proxyProtocol(), inspector],
    chains: [{ name: "named", match: { server_names: ["a.test"] } }, { name: "plain" }],
  });
  const tlvs = Buffer.concat([
    Buffer.from([0xea, 0, 3, 1, 2, 3]),
    Buffer.from([4, 0xea, 0x60]),
    Buffer.alloc(60_000),
  ]);
  const header = version2({ source: "10.1.2.3", destination: "10.1.2.4", tlvs });
  const hello = clientHello({ serverName: "a.test" });
  await exchange(stage, Buffer.concat([header, hello]), `named:${hello.toString("latin1")}`);
  await exchange(stage, Buffer.concat([header, Buffer.from("plain text")]), "plain:plain text");
});

const illegal: readonly (readonly [name: string, bytes: Buffer | string])[] = [
  ["no header", "GET / HTTP/1.1\r\nhost: a\r\n\r\n"],
  ["a short line that is none", "GET /\r\n"],
  ["no family", "PROXY \r\n12345678901234567890"],
  ["an unknown family", "PROXY TCP5 10.1.2.3 10.1.2.4 1 2\r\n"],
  ["no ports", "PROXY TCP4 10.1.2.3 10.1.2.4\r\n"],
  ["a port too many", "PROXY TCP4 10.1.2.3 10.1.2.4 1 2 3\r\n"],
  ["two spaces", "PROXY TCP4  10.1.2.3 10.1.2.4 1 2\r\n"],
  ["a port beyond all", "PROXY TCP4 10.1.2.3 10.1.2.4 70000 2\r\n"],
  ["a negative port", "PROXY TCP4 10.1.2.3 10.1.2.4 -1 2\r\n"],
  ["a name for an address", "PROXY TCP4 localhost 10.1.2.4 1 2\r\n"],
  ["an address of the other family", "PROXY TCP4 ::1 ::1 1 2\r\n"],
  ["a group's address", "PROXY TCP4 224.0.0.1 10.1.2.4 1 2\r\n"],
  ["no address", "PROXY TCP4 0.0.0.0 10.1.2.4 1 2\r\n"],
  ["a line without an end", `PROXY TCP4 10.1.2.3 10.1.2.4 1 ${"2".repeat(120)}`],
  [
    "version 3 of the binary form",
    version2({ source: "10.1.2.3", destination: "10.1.2.4", version: 3 }),
  ],
  ["an unknown command", version2({ source: "10.1.2.3", destination: "10.1.2.4", command: 2 })],
  ["an unknown transport", version2({ source: "10.1.2.3", destination: "10.1.2.4", transport: 5 })],
  [
    "an unknown binary family",
    version2({ source: "10.1.2.3", destination: "10.1.2.4", family: 3 }),
  ],
  ["too short a length", version2({ source: "10.1.2.3", destination: "10.1.2.4", length: 4 })],
  [
    "a broken extension",
    version2({ source: "10.1.2.3", destination: "10.1.2.4", tlvs: Buffer.from([1, 0, 9, 1]) }),
  ],
  ["a group's address in binary", version2({ source: "224.0.0.1", destination: "10.1.2.4" })],
];

test("illegal headers are refused, each with its counter, and others are served", async (t) => {
  await using stage = await ListenerFilterStage.start({ filters: [proxyProtocol()] });
  const errors = () => stage.proxy.stat("downstream_cx_proxy_proto_error");
  for (const [name, bytes] of illegal)
    await t.test(name, async () => {
      const before = await errors();
      await refused(stage, bytes);
      assert.equal(await errors(), before + 1);
    });
  await exchange(stage, "PROXY TCP4 10.1.2.3 10.1.2.4 1 2\r\nhello", "all:hello");
  const names = ["not_found_disallowed", "versions.v1.error", "versions.v2.error"];
  assert.deepEqual(await counts(stage, "proxy_proto", names), {
    not_found_disallowed: 2,
    "versions.v1.error": 12,
    "versions.v2.error": 7,
  });
});

test("requests without a header pass where they may", async () => {
  await using stage = await ListenerFilterStage.start({
    filters: [proxyProtocol({ allow_requests_without_proxy_protocol: true })],
    listener: { listener_filters_timeout: "0.2s" },
  });
  await exchange(stage, "hi", "all:hi");
  await exchange(stage, "PROXY TCP4 10.1.2.3 10.1.2.4 1 2\r\nhello", "all:hello");
  await refused(stage, "PROXY TCP4 nonsense 10.1.2.4 1 2\r\nhello");
  // It may yet become a header.
  await refused(stage, "PRO");
  const names = ["not_found_allowed", "versions.v1.found", "versions.v1.error"];
  assert.deepEqual(await counts(stage, "proxy_proto", names), {
    not_found_allowed: 1,
    "versions.v1.found": 1,
    "versions.v1.error": 1,
  });
  assert.equal(await stage.stat("downstream_pre_cx_timeout"), 1);
});

test("a version that is not allowed is refused, or passes for no header where none is needed", async () => {
  const line = "PROXY TCP4 10.1.2.3 10.1.2.4 1 2\r\nhello";
  {
    await using stage = await ListenerFilterStage.start({
      filters: [proxyProtocol({ disallowed_versions: ["V1"] })],
    });
    await refused(stage, line);
    assert.equal(await stage.proxy.stat("proxy_proto.versions.v1.disallowed"), 1);
    assert.equal(await stage.proxy.stat("downstream_cx_proxy_proto_error"), 0);
  }
  await using stage = await ListenerFilterStage.start({
    filters: [
      proxyProtocol({ disallowed_versions: ["V1"], allow_requests_without_proxy_protocol: true }),
    ],
  });
  await exchange(stage, line, `all:${line}`);
  assert.equal(await stage.proxy.stat("proxy_proto.not_found_allowed"), 1);
});
