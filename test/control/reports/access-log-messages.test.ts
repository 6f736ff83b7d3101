import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { writeAccessLogs } from "../../../src/control/reports/access-log-messages.ts";
import { responseFlags } from "../../../src/data/network/stream-info.ts";
import { logEntry } from "../../support/access-log-entries.ts";
import { type Message, readAccessLogs } from "../../support/report-server.ts";

type Written = Readonly<Record<"common_properties" | "request" | "response", Message>> & Message;

function written(...entry: Parameters<typeof logEntry>): Written {
  const message = readAccessLogs(writeAccessLogs("http", [logEntry(...entry)], undefined));
  return (message["http_logs"] as { log_entry: Written[] }).log_entry[0] as Written;
}

test("an HTTP entry says what Envoy's says", () => {
  const { common_properties: common, request, response, protocol_version } = written();
  assert.deepEqual(common, {
    downstream_remote_address: { socket_address: { address: "192.0.2.1", port_value: 0 } },
    downstream_local_address: { pipe: { path: "/run/x" } },
    start_time: { seconds: 1_700_000_000, nanos: 250_500_000 },
    time_to_last_rx_byte: { nanos: 1_000_000 },
    time_to_first_upstream_tx_byte: { nanos: 2_000_000 },
    time_to_last_upstream_tx_byte: { nanos: 2_000_000 },
    time_to_first_upstream_rx_byte: { seconds: 1, nanos: 3_000_000 },
    time_to_first_downstream_tx_byte: {},
    time_to_last_downstream_tx_byte: { nanos: 12_500_000 },
    upstream_cluster: "c",
    response_flags: { upstream_connection_failure: true, upstream_retry_limit_exceeded: true },
    route_name: "r",
    downstream_direct_remote_address: { socket_address: { address: "::1", port_value: 80 } },
    duration: { nanos: 12_500_000 },
    upstream_request_attempt_count: 1,
    stream_id: "id",
    upstream_wire_bytes_sent: 9,
    access_log_type: "DownstreamEnd",
  });
  assert.equal(protocol_version, "HTTP11");
  assert.deepEqual(request, {
    request_method: "GET",
    scheme: "http",
    authority: "a.example",
    path: "/p",
    user_agent: "ua",
    request_id: "id",
    request_body_bytes: 3,
    request_headers: { "x-a": "1" },
  });
  assert.deepEqual(response, {
    response_code: { value: 503 },
    response_body_bytes: 5,
    response_code_details: "details",
  });
});

test("a TCP entry has the bytes of its connection", () => {
  const entry = logEntry({ type: "tcpConnectionEnd", http: undefined, flags: [] });
  const message = readAccessLogs(writeAccessLogs("tcp", [entry], undefined));
  const [tcp] = (message["tcp_logs"] as { log_entry: Written[] }).log_entry;
  assert.deepEqual(tcp?.["connection_properties"], { received_bytes: 3, sent_bytes: 5 });
  const { common_properties: common } = tcp as Written;
  assert.equal(common["access_log_type"], "TcpConnectionEnd");
  assert.equal(common["downstream_wire_bytes_received"], 3);
  assert.equal(common["upstream_wire_bytes_received"], 7);
  assert.equal(common["response_flags"], undefined);
});

test("every response flag that there is has a field", () => {
  for (const flag of Object.keys(responseFlags)) {
    const { common_properties: common } = written({ flags: [flag] });
    assert.equal(Object.keys(common["response_flags"] as object).length, 1, flag);
  }
});

test("texts arrive as they were, whatever is in them", () => {
  const anyText = fc.string({ unit: "binary" });
  fc.assert(
    fc.property(
      anyText,
      anyText,
      fc.array(fc.tuple(anyText, anyText), { maxLength: 4 }),
      (path, agent, headers) => {
        const { request } = written({}, { path, userAgent: agent, responseHeaders: headers });
        assert.equal(request["path"] ?? "", path);
        assert.equal(request["user_agent"] ?? "", agent);
        const { response } = written({}, { responseHeaders: headers });
        const map = Object.entries((response["response_headers"] ?? {}) as object);
        assert.deepEqual(new Map(map), new Map(headers));
      },
    ),
  );
});
