/** TLS to hosts, over the whole proxy. `SLUICE_TEST_PROXY=envoy` runs it against Envoy. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:https";
import { connect, type AddressInfo } from "node:net";
import { after } from "node:test";
import { createServer as createTlsServer, type TlsOptions, type TLSSocket } from "node:tls";
import { TestAuthority, type TestCertificate } from "../../support/certificates.ts";
import { forEachProxy, type StartProxy } from "../../support/each-proxy.ts";
import type { ProxyProcess } from "../../support/proxy-process.ts";
import { adminOnPortZero } from "../../support/sluice-program.ts";
import { securedConnection } from "../../support/tls-clients.ts";
import {
  clientSocket,
  inlinePair,
  serverSocket,
  trusts,
  underTls,
} from "../../support/tls-resources.ts";
import { httpListener, routesTo, staticCluster } from "../../support/truth-resources.ts";
import { until } from "../../support/until.ts";

const authority = new TestAuthority();
const stranger = new TestAuthority("another CA");
after(() => {
  authority[Symbol.dispose]();
  stranger[Symbol.dispose]();
});
const host = authority.issue(["DNS:host.test"]);
const own = authority.issue(["URI:spiffe://td/proxy"]);

/** Says what it sees of who asks. */
async function securedHost(
  open: AsyncDisposableStack,
  { certificate, privateKey }: TestCertificate = host,
  options: TlsOptions = {},
): Promise<number> {
  const server = createServer(
    { cert: certificate, key: privateKey, ALPNProtocols: ["http/1.1"], ...options },
    ({ socket }, response) => {
      const secured = socket as TLSSocket;
      const seen = {
        servername: (secured as { servername?: string | false }).servername,
        alpn: secured.alpnProtocol,
        version: secured.getProtocol(),
        resumed: secured.isSessionReused(),
        client: secured.getPeerX509Certificate()?.subjectAltName,
      };
      response.end(JSON.stringify(seen));
    },
  );
  open.defer(() => server.close().closeAllConnections());
  await once(server.listen(0, "127.0.0.1"), "listening");
  return (server.address() as AddressInfo).port;
}

interface Served {
  readonly proxy: ProxyProcess;
  readonly get: () => Promise<{ readonly status: number; readonly body: string }>;
  readonly stat: (name: string) => Promise<number>;
}

async function serve(start: StartProxy, port: number, cluster: object): Promise<Served> {
  const routing = { route_config: routesTo("up") };
  const proxy = await start({
    admin: adminOnPortZero,
    static_resources: {
      listeners: [httpListener("web", routing)],
      clusters: [staticCluster("up", port, cluster)],
    },
  });
  const web = await until(async () => (await proxy.listenerPorts()).get("web"), "it serves");
  return {
    proxy,
    stat: (name) => proxy.stat(`cluster.up.${name}`),
    async get() {
      const response = await fetch(`http://127.0.0.1:${web}/`);
      return { status: response.status, body: await response.text() };
    },
  };
}

forEachProxy("requests go to a host that is verified, under its name", async (start, open) => {
  const port = await securedHost(open);
  const { get, stat } = await serve(start, port, {
    transport_socket: clientSocket({ validation_context: trusts(authority) }, { sni: "host.test" }),
  });
  const { status, body } = await get();
  assert.equal(status, 200);
  assert.deepEqual(JSON.parse(body), {
    servername: "host.test",
    alpn: "http/1.1",
    version: "TLSv1.2",
    resumed: false,
  });
  assert.equal((await get()).status, 200);
  assert.equal(await stat("ssl.handshake"), 1);
  assert.equal(await stat("ssl.versions.TLSv1.2"), 1);
  assert.equal(await stat("upstream_cx_total"), 1);
});

forEachProxy("a client's certificate is shown to a host that asks", async (start, open) => {
  const port = await securedHost(open, host, {
    requestCert: true,
    rejectUnauthorized: true,
    ca: authority.certificate,
  });
  const { get } = await serve(start, port, {
    transport_socket: clientSocket({
      tls_certificates: [inlinePair(own)],
      validation_context: trusts(authority),
      tls_params: { tls_maximum_protocol_version: "TLSv1_3" },
    }),
  });
  const { status, body } = await get();
  assert.equal(status, 200);
  const seen = JSON.parse(body) as Record<string, unknown>;
  assert.equal(seen["client"], "URI:spiffe://td/proxy");
  assert.equal(seen["version"], "TLSv1.3");
});

forEachProxy("a host that may not sign with its key gets no request", async (start, open) => {
  const usage = (purpose: string): TestCertificate =>
    authority.issue(["DNS:host.test"], { key: "rsa", extensions: [`keyUsage=${purpose}`] });
  for (const [purpose, version, fields, isWanted] of [
    ["digitalSignature", "TLSv1_3", {}, true],
    ["keyEncipherment", "TLSv1_2", {}, false],
    ["keyEncipherment", "TLSv1_3", { enforce_rsa_key_usage: false }, false],
    ["keyAgreement", "TLSv1_3", { enforce_rsa_key_usage: true }, false],
  ] as const) {
    const port = await securedHost(open, usage(purpose));
    const common = { tls_params: { tls_maximum_protocol_version: version } };
    const { get, stat } = await serve(start, port, {
      transport_socket: clientSocket(common, { sni: "host.test", ...fields }),
    });
    assert.equal((await get()).status, isWanted ? 200 : 503, `${purpose} ${version}`);
    assert.equal(await stat("ssl.handshake"), isWanted ? 1 : 0);
    assert.equal(await stat("ssl.connection_error"), isWanted ? 0 : 1);
  }
});

forEachProxy("a host that is not who it should be gets no request", async (start, open) => {
  const port = await securedHost(open);
  const named = { match_typed_subject_alt_names: [{ san_type: "DNS", matcher: { exact: "x" } }] };
  const hash = { verify_certificate_hash: ["00".repeat(32)] };
  const cases = [
    [{ validation_context: trusts(stranger) }, "fail_verify_error"],
    [{ validation_context: trusts(authority, named) }, "fail_verify_san"],
    [{ validation_context: trusts(authority, hash) }, "fail_verify_cert_hash"],
  ] as const;
  for (const [common, counted] of cases) {
    const { get, stat } = await serve(start, port, { transport_socket: clientSocket(common) });
    const { status, body } = await get();
    assert.equal(status, 503);
    assert.match(body, /^upstream connect error or disconnect\/reset before headers/);
    assert.equal(await stat(`ssl.${counted}`), 1);
    assert.equal(await stat("ssl.connection_error"), 0);
    assert.equal(await stat("ssl.handshake"), 0);
    assert.equal(await stat("upstream_cx_connect_fail"), 1);
  }
});

forEachProxy("a host without TLS gets no request", async (start, open) => {
  const plain = createTlsServer();
  plain.on("connection", (socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
  open.defer(() => void plain.close());
  await once(plain.listen(0, "127.0.0.1"), "listening");
  const { port } = plain.address() as AddressInfo;
  const { get, stat } = await serve(start, port, {
    transport_socket: clientSocket({ validation_context: trusts(authority) }),
  });
  assert.equal((await get()).status, 503);
  assert.equal(await stat("ssl.connection_error"), 1);
});

forEachProxy("sessions with a host are resumed", async (start, open) => {
  const port = await securedHost(open);
  const { get, stat } = await serve(start, port, {
    transport_socket: clientSocket({ validation_context: trusts(authority) }),
    max_requests_per_connection: 1,
  });
  await get();
  const { body } = await get();
  assert.equal((JSON.parse(body) as { resumed: boolean }).resumed, true);
  assert.equal(await stat("ssl.session_reused"), 1);
  assert.equal(await stat("ssl.handshake"), 2);
});

forEachProxy("a host is spoken to as its metadata says", async (start, open) => {
  const port = await securedHost(open);
  const endpoint = (mode: string): object => ({
    endpoint: {
      address: { socket_address: { address: "127.0.0.1", port_value: port } },
      hostname: "host.test",
    },
    metadata: { filter_metadata: { "envoy.transport_socket_match": { mode } } },
  });
  const cluster = (mode: string): object => ({
    transport_socket_matches: [
      {
        name: "tls",
        match: { mode: "tls" },
        transport_socket: clientSocket(
          { validation_context: trusts(authority) },
          { auto_host_sni: true },
        ),
      },
    ],
    load_assignment: { cluster_name: "up", endpoints: [{ lb_endpoints: [endpoint(mode)] }] },
  });
  const secured = await serve(start, port, cluster("tls"));
  const { status, body } = await secured.get();
  assert.equal(status, 200);
  assert.equal((JSON.parse(body) as { servername: string }).servername, "host.test");
  const plain = await serve(start, port, cluster("plain"));
  assert.equal((await plain.get()).status, 503);
});

forEachProxy("TCP goes through, under TLS on both sides", async (start, open) => {
  const echo = createTlsServer(
    { cert: host.certificate, key: host.privateKey, allowHalfOpen: true },
    (socket) => socket.pipe(socket),
  );
  open.defer(() => void echo.close());
  await once(echo.listen(0, "127.0.0.1"), "listening");
  const type = "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy";
  const listener = {
    name: "tcp",
    address: { socket_address: { address: "127.0.0.1", port_value: 0 } },
    filter_chains: [
      {
        filters: [
          { name: "tcp", typed_config: { "@type": type, stat_prefix: "tcp", cluster: "up" } },
        ],
      },
    ],
  };
  const proxy = await start({
    admin: adminOnPortZero,
    static_resources: {
      listeners: [underTls(listener, serverSocket({ tls_certificates: [inlinePair(own)] }))],
      clusters: [
        staticCluster("up", (echo.address() as AddressInfo).port, {
          transport_socket: clientSocket({ validation_context: trusts(authority) }),
        }),
      ],
    },
  });
  const port = await until(async () => (await proxy.listenerPorts()).get("tcp"), "it serves");
  const stranded = connect(port, "127.0.0.1");
  await once(stranded, "connect");
  const client = await securedConnection(port);
  const sent = Buffer.alloc(1_000_000, "abcdefghij");
  client.end(sent);
  const received: Buffer[] = [];
  for await (const chunk of client) received.push(chunk as Buffer);
  assert(Buffer.concat(received).equals(sent));
  // Envoy connects for whoever comes, before there is a handshake.
  const isOther = process.env["SLUICE_TEST_PROXY"] !== undefined;
  assert.equal(await proxy.stat("cluster.up.ssl.handshake"), isOther ? 2 : 1);
  stranded.destroy();
});
