/** Health checks of hosts that are spoken to under TLS. `SLUICE_TEST_PROXY=envoy` runs it against Envoy. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createSecureServer } from "node:http2";
import { createServer } from "node:https";
import type { AddressInfo, Server } from "node:net";
import { after } from "node:test";
import { createServer as createTlsServer, type TLSSocket } from "node:tls";
import { TestAuthority } from "../../support/certificates.ts";
import { forEachProxy } from "../../support/each-proxy.ts";
import type { ProxyProcess } from "../../support/proxy-process.ts";
import { adminOnPortZero } from "../../support/sluice-program.ts";
import { clientSocket, inlinePair, trusts } from "../../support/tls-resources.ts";
import { assignment, staticCluster } from "../../support/truth-resources.ts";
import { until } from "../../support/until.ts";

const authority = new TestAuthority();
const stranger = new TestAuthority("another CA");
after(() => {
  authority[Symbol.dispose]();
  stranger[Symbol.dispose]();
});
const host = authority.issue(["DNS:host.test"]);
const own = authority.issue(["URI:spiffe://td/proxy"]);
const shown = {
  cert: host.certificate,
  key: host.privateKey,
  ca: authority.certificate,
  requestCert: true,
  rejectUnauthorized: true,
};
const timing = {
  timeout: "1s",
  interval: "0.1s",
  unhealthy_interval: "0.1s",
  no_traffic_interval: "0.1s",
  unhealthy_threshold: 1,
  healthy_threshold: 1,
};
const overHttp = { ...timing, http_health_check: { path: "/hc" } };

/** Shows who it is, and checks who it speaks to. */
const mutual = (trusted = authority, fields: object = {}): object => ({
  transport_socket: clientSocket(
    {
      tls_certificates: [inlinePair(own)],
      validation_context: trusts(trusted),
      ...fields,
    },
    { sni: "host.test" },
  ),
});

async function listening(open: AsyncDisposableStack, server: Server): Promise<number> {
  await once(server.listen(0, "127.0.0.1"), "listening");
  open.defer(() => void server.close());
  return (server.address() as AddressInfo).port;
}

/** Answers checks, and tells whom it has seen. */
async function securedWeb(open: AsyncDisposableStack, seen: (string | undefined)[] = []) {
  const server = createServer(shown, ({ socket, url }, response) => {
    const secured = socket as TLSSocket;
    seen.push(`${url} ${secured.alpnProtocol || "no ALPN"}`);
    seen.push(secured.getPeerX509Certificate()?.subjectAltName);
    response.end("fine");
  });
  open.defer(() => server.closeAllConnections());
  return listening(open, server);
}

const bootstrapOf = (cluster: object): object => ({
  admin: adminOnPortZero,
  static_resources: { clusters: [cluster] },
});

const isHealthy = (proxy: ProxyProcess, count: number) =>
  until(
    async () => (await proxy.stat("cluster.up.membership_healthy")) === count,
    `${count} hosts are healthy`,
  );

forEachProxy(
  "an HTTP check shows the cluster's certificate and holds the host to its own",
  async (start, open) => {
    const seen: string[] = [];
    const port = await securedWeb(open, seen);
    const proxy = await start(
      bootstrapOf(staticCluster("up", port, { ...mutual(), health_checks: [overHttp] })),
    );
    await isHealthy(proxy, 1);
    assert.deepEqual(seen.slice(0, 2), ["/hc no ALPN", "URI:spiffe://td/proxy"]);
    assert((await proxy.stat("cluster.up.ssl.handshake")) > 0);
  },
);

forEachProxy("a host that another authority vouches for is not healthy", async (start, open) => {
  const port = await securedWeb(open);
  const proxy = await start(
    bootstrapOf(staticCluster("up", port, { ...mutual(stranger), health_checks: [overHttp] })),
  );
  await until(
    async () => (await proxy.stat("cluster.up.health_check.network_failure")) > 1,
    "checks have failed",
  );
  assert.equal(await proxy.stat("cluster.up.membership_healthy"), 0);
  assert((await proxy.stat("cluster.up.ssl.fail_verify_error")) > 0);
});

forEachProxy("tls_options say which protocols a check offers", async (start, open) => {
  const offered: string[] = [];
  const server = createTlsServer(
    {
      ...shown,
      ALPNCallback: ({ protocols }) => {
        offered.push(protocols.join());
        return protocols[0];
      },
    },
    (socket) => socket.on("error", () => {}).resume(),
  );
  const port = await listening(open, server);
  const check = { ...timing, tcp_health_check: {}, tls_options: { alpn_protocols: ["hc/1"] } };
  const proxy = await start(
    bootstrapOf(
      staticCluster("up", port, {
        ...mutual(authority, { alpn_protocols: ["own/1"] }),
        health_checks: [check],
      }),
    ),
  );
  await isHealthy(proxy, 1);
  assert.equal(offered[0], "hc/1");
});

forEachProxy(
  "transport_socket_match_criteria choose the transport socket of checks",
  async (start, open) => {
    const port = await securedWeb(open);
    const matches = [
      { name: "secured", match: { check: "secured" }, ...mutual() },
      {
        name: "plain",
        match: {},
        transport_socket: {
          name: "envoy.transport_sockets.raw_buffer",
          typed_config: {
            "@type":
              "type.googleapis.com/envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer",
          },
        },
      },
    ];
    const clusters = [
      { name: "chosen", transport_socket_match_criteria: { check: "secured" } },
      { name: "up" },
    ].map(({ name, ...criteria }) =>
      staticCluster(name, port, {
        transport_socket_matches: matches,
        health_checks: [{ ...overHttp, ...criteria }],
      }),
    );
    const proxy = await start({ admin: adminOnPortZero, static_resources: { clusters } });
    await until(
      async () => (await proxy.stat("cluster.chosen.membership_healthy")) === 1,
      "the host is healthy over TLS",
    );
    assert.equal(await proxy.stat("cluster.up.membership_healthy"), 0);
  },
);

forEachProxy("a gRPC check goes over HTTP/2 under TLS", async (start, open) => {
  const serving = Buffer.from([0, 0, 0, 0, 2, 0x08, 1]);
  const server = createSecureServer({ ...shown, ALPNProtocols: ["h2"] });
  server.on("stream", (stream, headers) => {
    assert.equal(headers[":path"], "/grpc.health.v1.Health/Check");
    stream.respond(
      { ":status": 200, "content-type": "application/grpc" },
      { waitForTrailers: true },
    );
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
    stream.end(serving);
  });
  const port = await listening(open, server);
  const cluster = {
    ...staticCluster("up", port, mutual(authority, { alpn_protocols: ["h2"] })),
    load_assignment: assignment("up", port),
    typed_extension_protocol_options: {
      "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        explicit_http_config: { http2_protocol_options: {} },
      },
    },
    health_checks: [{ ...timing, grpc_health_check: {} }],
  };
  const proxy = await start(bootstrapOf(cluster));
  await isHealthy(proxy, 1);
});
