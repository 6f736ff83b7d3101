/**
 * The listener's access log of connections that never had a filter chain. `SLUICE_TEST_PROXY=envoy` runs it on Envoy.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { clientHello } from "../../support/client-hello-bytes.ts";
import { ListenerFilterStage, listenerFilter } from "../../support/listener-filter-stage.ts";
import { TestClient } from "../../support/tcp-peers.ts";
import { until } from "../../support/until.ts";

const accessLog = {
  name: "log",
  typed_config: {
    "@type": "type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog",
    log_format: {
      text_format_source: {
        inline_string:
          "ENDED %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %FILTER_CHAIN_NAME% " +
          "remote=%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% " +
          "direct=%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT% " +
          "rx=%BYTES_RECEIVED% tx=%BYTES_SENT% id=%CONNECTION_ID%\n",
      },
    },
  },
};
const header = "PROXY TCP4 10.1.2.3 10.1.2.4 1 2\r\n";

test("who is refused, leaves or is timed out in listener filters is logged, as nobody's", async () => {
  await using stage = await ListenerFilterStage.start({
    filters: [
      listenerFilter("proxy_protocol", "ProxyProtocol"),
      listenerFilter("tls_inspector", "TlsInspector", {
        close_connection_on_client_hello_parsing_errors: true,
      }),
    ],
    chains: [{ name: "named", match: { server_names: ["x.test"] } }],
    listener: { access_log: [accessLog], listener_filters_timeout: "0.3s" },
    flags: ["--file-flush-interval-msec", "20"],
  });
  const lines = (): readonly string[] => stage.proxy.log.match(/^ENDED .*$/gm) ?? [];
  const unknown = "ENDED - - - remote=127.0.0.1 direct=127.0.0.1 rx=0 tx=0 id=0";
  const known = "ENDED - - - remote=10.1.2.3 direct=127.0.0.1 rx=0 tx=0 id=0";
  for (const [bytes, isEnded, line] of [
    // The timeout.
    ["PROXY T", false, unknown],
    // The client's end.
    ["PROXY T", true, unknown],
    // What is refused, by the first filter and by the second.
    ["GET / HTTP/1.1\r\nhost: a\r\n\r\n", false, unknown],
    [`${header}GET / HTTP/1.1\r\n\r\n`, false, known],
    [`${header}\x16\x03\x01`, false, known],
  ] as const) {
    const before = lines().length;
    const client = new TestClient(stage.port);
    client.socket.write(Buffer.from(bytes, "latin1"));
    if (isEnded) client.socket.end();
    await client.ended();
    await until(() => lines().length > before, `${JSON.stringify(bytes)} is logged`);
    assert.equal(lines().at(-1), line);
    client.socket.destroy();
  }
  const client = new TestClient(stage.port);
  client.socket.write(Buffer.concat([Buffer.from(header), clientHello({ serverName: "y.test" })]));
  await client.ended();
  const last = "ENDED NR filter_chain_not_found - remote=10.1.2.3 direct=127.0.0.1 rx=0 tx=0 id=";
  await until(() => lines().at(-1)?.startsWith(last) === true, "no chain is logged");
  assert.equal(lines().length, 6);
});
