/** HTTP/2 of clients under TLS: by ALPN. `SLUICE_TEST_PROXY=envoy` runs it against Envoy. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { connect as connectHttp2, type ClientHttp2Session } from "node:http2";
import type { AddressInfo } from "node:net";
import { after } from "node:test";
import { TestAuthority } from "../../support/certificates.ts";
import { forEachProxy, type StartProxy } from "../../support/each-proxy.ts";
import { request } from "../../support/http2-client.ts";
import type { ProxyProcess } from "../../support/proxy-process.ts";
import { adminOnPortZero } from "../../support/sluice-program.ts";
import { securedConnection, securedGet } from "../../support/tls-clients.ts";
import { inlinePair, serverSocket, underTls } from "../../support/tls-resources.ts";
import { httpListener, routesTo, staticCluster } from "../../support/truth-resources.ts";
import { until } from "../../support/until.ts";

const authority = new TestAuthority();
after(() => authority[Symbol.dispose]());
const certificate = authority.issue(["DNS:a.test"]);
const offering = (...alpn: readonly string[]): object =>
  serverSocket({ tls_certificates: [inlinePair(certificate)], alpn_protocols: alpn });

interface Served {
  readonly proxy: ProxyProcess;
  readonly port: number;
}

async function serve(
  start: StartProxy,
  open: AsyncDisposableStack,
  socket: object,
  manager: object = {},
): Promise<Served> {
  const server = createServer((message, response) => {
    const parts: Buffer[] = [];
    message.on("data", (part: Buffer) => parts.push(part));
    message.on("end", () => {
      response.setHeader("x-proto", String(message.headers["x-forwarded-proto"]));
      response.end(Buffer.concat([Buffer.from(`${message.url} `), ...parts]));
    });
  });
  open.defer(() => server.close().closeAllConnections());
  await once(server.listen(0, "127.0.0.1"), "listening");
  const routing = { route_config: routesTo("up"), ...manager };
  const proxy = await start({
    admin: adminOnPortZero,
    static_resources: {
      listeners: [underTls(httpListener("web", routing), socket)],
      clusters: [staticCluster("up", (server.address() as AddressInfo).port)],
    },
  });
  const port = await until(async () => (await proxy.listenerPorts()).get("web"), "it serves");
  return { proxy, port };
}

async function session(open: AsyncDisposableStack, port: number): Promise<ClientHttp2Session> {
  const client = connectHttp2(`https://127.0.0.1:${port}`, { rejectUnauthorized: false });
  open.defer(() => client.destroy());
  client.on("error", () => {});
  await once(client, "remoteSettings");
  return client;
}

forEachProxy("h2 is spoken where ALPN says so, and HTTP/1 beside it", async (start, open) => {
  const { proxy, port } = await serve(start, open, offering("h2", "http/1.1"));
  const client = await session(open, port);
  assert.equal(client.alpnProtocol, "h2");
  const got = await request(client, { ":path": "/a" });
  assert.deepEqual([got.status, got.body, got.headers["x-proto"]], [200, "/a ", "https"]);
  const large = "0123456789".repeat(100_000);
  const posted = await request(client, { ":path": "/p", ":method": "POST" }, large);
  assert.equal(posted.body, `/p ${large}`);
  const hundred = await Promise.all(
    Array.from({ length: 100 }, (_, i) => request(client, { ":path": `/${i}` })),
  );
  assert.deepEqual(
    hundred.map(({ body }) => body),
    hundred.map((_, i) => `/${i} `),
  );
  assert.equal((await securedGet(port)).session.alpn, "http/1.1");
  assert.equal(await proxy.stat("http.web.downstream_cx_http2_total"), 1);
  assert.equal(await proxy.stat("http.web.downstream_cx_http1_total"), 1);
  assert.equal(await proxy.stat("http.web.downstream_cx_ssl_total"), 2);
  assert.equal(await proxy.stat("http.web.downstream_rq_http2_total"), 102);
  client.close();
  await until(
    async () => (await proxy.stat("http.web.downstream_cx_ssl_active")) === 0,
    "no connection is left",
  );
  assert.equal(await proxy.stat("http.web.downstream_cx_http2_active"), 0);
  assert.equal(await proxy.stat("http.web.downstream_cx_active"), 0);
});

forEachProxy("what ALPN named is what is spoken, whatever comes", async (start, open) => {
  const { proxy, port } = await serve(start, open, offering("h2", "http/1.1"));
  const promised = await securedConnection(port, { ALPNProtocols: ["h2"] });
  open.defer(() => void promised.destroy());
  promised.on("error", () => {});
  promised.resume();
  promised.write("GET / HTTP/1.1\r\nhost: a.test\r\n\r\n");
  await once(promised, "close");
  assert.equal(await proxy.stat("http.web.downstream_cx_http2_total"), 1);
  assert.equal(await proxy.stat("http.web.downstream_cx_protocol_error"), 1);
});

forEachProxy("without ALPN the first bytes tell", async (start, open) => {
  const { proxy, port } = await serve(start, open, offering());
  const socket = await securedConnection(port);
  const client = connectHttp2("http://a.test", { createConnection: () => socket });
  open.defer(() => client.destroy());
  assert.equal((await request(client, { ":path": "/b" })).body, "/b ");
  assert.equal((await securedGet(port, { ALPNProtocols: undefined })).status, 200);
  assert.equal(await proxy.stat("http.web.downstream_cx_http2_total"), 1);
  assert.equal(await proxy.stat("http.web.downstream_cx_http1_total"), 1);
});

forEachProxy("codec_type HTTP2 speaks nothing else", async (start, open) => {
  const { port } = await serve(start, open, offering("h2"), { codec_type: "HTTP2" });
  const client = await session(open, port);
  assert.equal((await request(client, { ":path": "/c" })).body, "/c ");
});
