/** The same against Envoy: `SLUICE_TEST_PROXY=envoy`. */
import assert from "node:assert/strict";
import { request } from "node:http";
import { after, before, suite, test } from "node:test";
import { TestAuthority } from "../../support/certificates.ts";
import { HttpUpstream } from "../../support/http-upstream.ts";
import { listenerFilter } from "../../support/listener-filter-stage.ts";
import { ProxyProcess } from "../../support/proxy-process.ts";
import {
  grpcLog,
  httpProxy,
  reportBootstrap,
  staticCluster,
  tcpProxy,
} from "../../support/report-bootstrap.ts";
import { type Message, ReportServer } from "../../support/report-server.ts";
import { TestClient, startUpstream, type TestUpstream } from "../../support/tcp-peers.ts";
import { securedGet } from "../../support/tls-clients.ts";
import { inlinePair, serverSocket, trusts, underTls } from "../../support/tls-resources.ts";
import { until } from "../../support/until.ts";

type Entry = Readonly<Record<string, Message & Readonly<Record<string, Message>>>>;

const authority = new TestAuthority();
after(() => authority[Symbol.dispose]());
const own = authority.issue(["DNS:own.test", "URI:spiffe://td/own"], { name: "own" });
const peer = authority.issue(["URI:spiffe://td/peer"], { name: "peer" });

const route = (prefix: string, cluster: string, settings = {}): object => ({
  name: `to ${cluster}`,
  match: { prefix },
  route: { cluster, ...settings },
});

const addressOf = (port: number): object => ({
  socket_address: { address: "127.0.0.1", port_value: port },
});

suite("access logs over gRPC", () => {
  const started = new AsyncDisposableStack();
  let server: ReportServer;
  let web: HttpUpstream;
  let echo: TestUpstream;
  let proxy: ProxyProcess;
  let ports: ReadonlyMap<string, number>;

  before(async () => {
    server = started.use(await ReportServer.start());
    web = started.use(await HttpUpstream.start("hello"));
    echo = started.use(await startUpstream());
    proxy = started.use(await ProxyProcess.start(bootstrap()));
    ports = await proxy.listenerPorts();
  });
  after(() => started.disposeAsync());

  function bootstrap(): object {
    const failed = {
      statusCodeFilter: {
        comparison: { op: "GE", value: { defaultValue: 500, runtimeKey: "unused" } },
      },
    };
    return reportBootstrap({
      reportPort: server.port,
      clusters: [
        staticCluster("web", [{ zone: "z", ports: [web.port] }]),
        staticCluster("nowhere", []),
        staticCluster("echo", [{ zone: "z", ports: [echo.port] }]),
      ],
      listeners: [
        httpProxy(
          "http",
          [
            route("/old", "web", { prefixRewrite: "/new" }),
            route("/nowhere", "nowhere"),
            {
              match: { path: "/own" },
              directResponse: { status: 203, body: { inlineString: "x" } },
            },
            route("/", "web"),
          ],
          {
            accessLog: [grpcLog("http", "all"), { ...grpcLog("http", "failures"), filter: failed }],
          },
        ),
        tcpProxy(
          "tcp",
          "echo",
          { accessLog: [grpcLog("tcp", "connections")] },
          { accessLog: [grpcLog("tcp", "of-listener")] },
        ),
        secured(),
      ],
    });
  }

  /** Asks for a client's certificate, and looks at the hello. */
  function secured(): object {
    const { listenerFilters, ...rest } = {
      ...httpProxy("secured", [route("/", "web")], { accessLog: [grpcLog("http", "secured")] }),
      listenerFilters: [
        listenerFilter("tls_inspector", "TlsInspector", { enable_ja3_fingerprinting: true }),
      ],
    };
    const socket = serverSocket(
      { tls_certificates: [inlinePair(own)], validation_context: trusts(authority) },
      { require_client_certificate: true },
    );
    return { ...underTls(rest, socket), listenerFilters };
  }

  /** The entry of the request that is made meanwhile, in the log `all`. */
  async function logged(path: string, headers = {}, method = "GET", body = ""): Promise<Entry> {
    const before = entriesOf("all").length;
    await new Promise<void>((resolve, reject) => {
      const port = ports.get("http") ?? 0;
      request({ port, path, method, headers, agent: false }, (response) => {
        response.on("end", resolve).resume();
      })
        .on("error", reject)
        .end(body);
    });
    return until(() => entriesOf("all")[before], `${path} is logged`);
  }

  function streamsOf(logName: string): readonly Message[][] {
    const streams = server.accessLogs.map(({ received }) => received);
    return streams.filter(([first]) => {
      const identifier = first?.["identifier"] as { log_name?: string } | undefined;
      return identifier?.log_name === logName;
    });
  }

  function entriesOf(logName: string): readonly Entry[] {
    return streamsOf(logName)
      .flat()
      .flatMap((message) => [message["http_logs"], message["tcp_logs"]])
      .flatMap((logs) => (logs as { log_entry: Entry[] } | undefined)?.log_entry ?? []);
  }

  test("a request that was forwarded is told with everything that is known of it", async () => {
    const headers = { host: "h.example", "x-a": ["1", "2"], "user-agent": "ua", referer: "re" };
    const { common_properties: common, ...http } = await logged("/a?b=c", headers, "POST", "12345");
    const { request: sent, response, protocol_version } = http;
    assert.equal(protocol_version, "HTTP11");
    const known = {
      request_method: "POST",
      scheme: "http",
      authority: "h.example",
      path: "/a?b=c",
      user_agent: "ua",
      referer: "re",
      request_body_bytes: 5,
      request_headers: { "x-a": "1,2" },
    };
    assert.partialDeepStrictEqual(sent, known);
    assert.match(JSON.stringify(sent?.["request_id"]), /^"[\da-f-]{36}"$/);
    assert.equal(common?.["stream_id"], sent?.["request_id"]);
    assert.partialDeepStrictEqual(response, {
      response_code: { value: 200 },
      response_body_bytes: 5,
      response_headers: { ":status": "200" },
      response_code_details: "via_upstream",
    });
    assert.partialDeepStrictEqual(common, {
      downstream_local_address: addressOf(ports.get("http") ?? 0),
      upstream_remote_address: addressOf(web.port),
      upstream_cluster: "web",
      route_name: "to web",
      upstream_request_attempt_count: 1,
      access_log_type: "DownstreamEnd",
    });
    assert.deepEqual(
      common?.["downstream_remote_address"],
      common?.["downstream_direct_remote_address"],
    );
    const times = ["last_rx", "first_upstream_tx", "last_upstream_tx", "first_upstream_rx"];
    const later = ["last_upstream_rx", "first_downstream_tx", "last_downstream_tx"];
    for (const time of [...times, ...later]) assert(common?.[`time_to_${time}_byte`], time);
    for (const time of ["start_time", "duration"]) assert(common?.[time], time);
    assert.equal(common?.["response_flags"], undefined);
  });

  test("a rewritten path is told with the one before it", async () => {
    const { request: sent } = await logged("/old/x?y=1");
    assert.partialDeepStrictEqual(sent, { path: "/new/x?y=1", original_path: "/old/x?y=1" });
  });

  test("a request that found no host is told with its flag, and in the log of failures too", async () => {
    const { common_properties: common, response } = await logged("/nowhere");
    assert.deepEqual(common?.["response_flags"], { no_healthy_upstream: true });
    assert.equal(common?.["route_name"], "to nowhere");
    assert.equal(common?.["upstream_cluster"], undefined);
    assert.partialDeepStrictEqual(response, {
      response_code: { value: 503 },
      response_code_details: "no_healthy_upstream",
      response_headers: { "content-type": "text/plain", ":status": "503" },
    });
    await until(() => entriesOf("failures").length === 1, "the failure is in its log");
  });

  test("an answer of the proxy's own has no upstream", async () => {
    const { common_properties: common, response } = await logged("/own");
    assert.equal(response?.["response_code_details"], "direct_response");
    assert.equal(common?.["upstream_remote_address"], undefined);
    assert(common?.["time_to_last_downstream_tx_byte"]);
  });

  test("TLS of the client is told", async () => {
    const { session } = await securedGet(ports.get("secured") ?? 0, {
      servername: "own.test",
      maxVersion: "TLSv1.2",
      ciphers: "ECDHE-ECDSA-AES128-GCM-SHA256",
      cert: peer.certificate,
      key: peer.privateKey,
    });
    assert.equal(session.version, "TLSv1.2");
    const entry = await until(() => entriesOf("secured")[0], "the request is logged");
    const { tls_properties: properties } = entry["common_properties"] ?? {};
    const { ja3_fingerprint: ja3, ...tls } = properties as Message;
    assert.match(String(ja3), /^[0-9a-f]{32}$/);
    assert.deepEqual(tls, {
      tls_version: "TLSv1_2",
      tls_cipher_suite: { value: 0xc02b },
      tls_sni_hostname: "own.test",
      local_certificate_properties: {
        subject_alt_name: [{ uri: "spiffe://td/own" }],
        subject: "CN=own",
      },
      peer_certificate_properties: {
        subject_alt_name: [{ uri: "spiffe://td/peer" }],
        subject: "CN=peer",
        issuer: "CN=test CA",
      },
    });
  });

  test("a connection is told by its proxy and by its listener", async () => {
    const client = new TestClient(ports.get("tcp") ?? 0);
    client.socket.write("hello");
    await client.until(() => client.receivedBytes === 5);
    const from = addressOf(client.socket.localPort ?? 0);
    client.socket.end();
    await client.until(() => client.hasClosed);
    await until(() => entriesOf("of-listener").length === 1, "the listener's entry is there");
    const entry = await until(() => entriesOf("connections")[0], "the proxy's entry is there");
    assert.deepEqual(entry["connection_properties"], { received_bytes: 5, sent_bytes: 5 });
    const ends = {
      downstream_remote_address: from,
      downstream_direct_remote_address: from,
      downstream_local_address: addressOf(ports.get("tcp") ?? 0),
      upstream_remote_address: addressOf(echo.port),
      upstream_cluster: "echo",
      upstream_wire_bytes_sent: 5,
      upstream_wire_bytes_received: 5,
      downstream_wire_bytes_sent: 5,
      downstream_wire_bytes_received: 5,
    };
    const { common_properties: common } = entry;
    assert.partialDeepStrictEqual(common, { ...ends, access_log_type: "TcpConnectionEnd" });
    assert.match(JSON.stringify(common?.["upstream_local_address"]), /"port_value":[1-9]/);
    const [ofListener] = entriesOf("of-listener");
    assert.partialDeepStrictEqual(ofListener?.["common_properties"], ends);
    assert.equal(ofListener?.["common_properties"]?.["access_log_type"], undefined);
  });

  test("each log has a stream, whose first message alone says who logs what", () => {
    for (const name of ["all", "failures", "connections", "of-listener"]) {
      assert.equal(streamsOf(name).length, 1, name);
      const [first, ...rest] = streamsOf(name)[0] ?? [];
      assert.partialDeepStrictEqual(first?.["identifier"], {
        node: { id: "node-1", cluster: "tests" },
        log_name: name,
      });
      for (const message of rest) assert.equal(message["identifier"], undefined);
    }
    for (const { metadata } of server.accessLogs) assert.equal(metadata["x-token"], "abc");
  });

  test("entries are counted under Envoy's names", async () => {
    const stat = (name: string) => proxy.stat(`access_logs.grpc_access_log.${name}`);
    assert.equal(await stat("grpc_entries_flushed"), 8);
    assert.equal(await stat("logs_dropped"), 0);
  });
});

test("requests go on while the log server is away, and are told when it is back", async () => {
  using web = await HttpUpstream.start("hello");
  const gone = await ReportServer.start();
  const { port: reportPort } = gone;
  const routes = [{ match: { prefix: "/" }, route: { cluster: "web" } }];
  await using proxy = await ProxyProcess.start(
    reportBootstrap({
      reportPort,
      clusters: [staticCluster("web", [{ zone: "z", ports: [web.port] }])],
      listeners: [httpProxy("http", routes, { accessLog: [grpcLog("http", "all")] })],
    }),
  );
  const port = (await proxy.listenerPorts()).get("http") ?? 0;
  const get = async (path: string): Promise<void> => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`);
    assert.equal(await response.text(), "hello");
  };
  await get("/first");
  await until(() => gone.entries("http_logs").length === 1, "the first request is logged");
  await gone[Symbol.asyncDispose]();
  for (let i = 0; i < 20; i++) await get(`/${i}`);
  await using back = await ReportServer.start(reportPort);
  const last = async (): Promise<boolean> => {
    await get("/last");
    return back.entries("http_logs").length > 0;
  };
  await until(last, "what is logged arrives again");
  const [first] = (await back.accessLog()).received;
  assert.partialDeepStrictEqual(first?.["identifier"], { log_name: "all" });
});
