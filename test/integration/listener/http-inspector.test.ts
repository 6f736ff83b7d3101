import assert from "node:assert/strict";
import { test } from "node:test";
import { ListenerFilterStage, listenerFilter } from "../../support/listener-filter-stage.ts";
import { clientHello } from "../../support/client-hello-bytes.ts";
import { TestClient } from "../../support/tcp-peers.ts";

const filters = [
  listenerFilter("tls_inspector", "TlsInspector"),
  listenerFilter("http_inspector", "HttpInspector"),
];
const chains = [
  { name: "one", match: { application_protocols: ["http/1.0"] } },
  { name: "eleven", match: { application_protocols: ["http/1.1"] } },
  { name: "two", match: { application_protocols: ["h2c"] } },
  { name: "tls", match: { transport_protocol: "tls" } },
  { name: "other" },
];

const beginnings: readonly (readonly [bytes: string | Buffer, chain: string])[] = [
  ["GET / HTTP/1.1\r\nhost: a\r\n\r\n", "eleven"],
  ["GET /long HTTP/1.1\r\n", "eleven"],
  ["GET / HTTP/1.0\r\n\r\n", "one"],
  ["OPTIONS * HTTP/1.1\n", "eleven"],
  ["CONNECT a:1 HTTP/1.1\r\n", "eleven"],
  ["BREW /pot HTTP/1.1\r\n", "eleven"],
  ["GET / HTTP/1.2\r\n", "one"],
  ["GET / HTTP/2.0\r\n", "one"],
  ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nmore", "two"],
  ["PRI * HTTP/2.0\r\n\r\nXX\r\n", "one"],
  ["\r\nGET / HTTP/1.1\r\n", "other"],
  ["GET\r\n", "other"],
  ["G@T / HTTP/1.1\r\n", "other"],
  ["GET / FTP/1.1\r\n", "other"],
  ["SSH-2.0-OpenSSH_9.6\r\n", "other"],
  [clientHello({ alpn: ["h2"] }), "tls"],
];

test("the first line of a connection tells its HTTP", async (t) => {
  await using stage = await ListenerFilterStage.start({ filters, chains });
  for (const [bytes, chain] of beginnings)
    await t.test(JSON.stringify(bytes.toString("latin1").slice(0, 30)), async () => {
      const client = new TestClient(stage.port);
      client.socket.write(bytes);
      const reply = `${chain}:${bytes.toString("latin1")}`;
      await client.until(() => client.receivedBytes >= reply.length || client.hasClosed);
      assert.equal(client.received.toString("latin1"), reply);
      client.socket.destroy();
    });
  const { proxy } = stage;
  assert.equal(await proxy.stat("http_inspector.http11_found"), 5);
  assert.equal(await proxy.stat("http_inspector.http2_found"), 1);
  assert.equal(await proxy.stat("http_inspector.http10_found"), 4);
  assert.equal(await proxy.stat("http_inspector.http_not_found"), 5);
});

// Envoy 1.40 looks at no more than 8 KiB, and a longer line waits for `listener_filters_timeout`.
const skip = process.env["SLUICE_TEST_PROXY"] !== undefined && "Envoy waits for its timeout";

test("a line without an end is waited for, and no further than its bound", { skip }, async () => {
  await using stage = await ListenerFilterStage.start({ filters, chains });
  const long = new TestClient(stage.port);
  long.socket.write(`GET /${"a".repeat(20_000)}`);
  long.socket.write(` HTTP/1.1\r\n`);
  await long.until(() => long.receivedBytes >= "eleven:".length + 20_000 + 16);
  assert.equal(long.received.toString("latin1", 0, 12), "eleven:GET /");
  const endless = new TestClient(stage.port);
  endless.socket.write("GET /");
  endless.socket.write("a".repeat(70_000));
  await endless.ended();
  assert.equal(await stage.proxy.stat("http_inspector.read_error"), 1);
});
