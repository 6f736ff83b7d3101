/** HTTP/2 to hosts under TLS, by what they choose. `SLUICE_TEST_PROXY=envoy` runs it against Envoy. */
import { strict as assert } from "node:assert";
import { once } from "node:events";
import { createSecureServer } from "node:http2";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { after } from "node:test";
import { TestAuthority } from "../../support/certificates.ts";
import { forEachProxy } from "../../support/each-proxy.ts";
import { adminOnPortZero } from "../../support/sluice-program.ts";
import { clientSocket } from "../../support/tls-resources.ts";
import { httpListener, routesTo, staticCluster } from "../../support/truth-resources.ts";
import { until } from "../../support/until.ts";

const authority = new TestAuthority();
after(() => authority[Symbol.dispose]());
const { certificate, privateKey } = authority.issue(["DNS:host.test"]);

/** Says which protocol a request came by. */
async function startHost(
  open: AsyncDisposableStack,
  protocols: readonly string[],
): Promise<number> {
  const options = { cert: certificate, key: privateKey, ALPNProtocols: [...protocols] };
  const server = protocols.includes("h2")
    ? createSecureServer(options, (request, response) => void response.end(request.httpVersion))
    : createServer(options, (request, response) => void response.end(request.httpVersion));
  const sessions = new Set<{ destroy(): void }>();
  server.on("session", (session) => void sessions.add(session));
  server.on("secureConnection", (socket) => void sessions.add(socket));
  open.defer(() => {
    for (const session of sessions) session.destroy();
    server.close();
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  return (server.address() as AddressInfo).port;
}

const type = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
const options = (choice: object): object => ({
  transport_socket: clientSocket({}),
  typed_extension_protocol_options: {
    [type]: { "@type": `type.googleapis.com/${type}`, ...choice },
  },
});

forEachProxy("the host chooses the protocol where the cluster lets it", async (start) => {
  await using open = new AsyncDisposableStack();
  const auto = options({ auto_config: {} });
  const http2 = options({ explicit_http_config: { http2_protocol_options: {} } });
  const clusters = [
    staticCluster("both", await startHost(open, ["h2", "http/1.1"]), auto),
    staticCluster("one", await startHost(open, ["http/1.1"]), auto),
    staticCluster("two", await startHost(open, ["h2"]), http2),
  ];
  const proxy = await start({
    admin: adminOnPortZero,
    static_resources: {
      listeners: clusters.map((_, i) => {
        const name = ["both", "one", "two"][i] ?? "";
        return httpListener(name, { route_config: routesTo(name) });
      }),
      clusters,
    },
  });
  for (const [name, version] of [
    ["both", "2.0"],
    ["one", "1.1"],
    ["two", "2.0"],
  ] as const) {
    const port = await until(async () => (await proxy.listenerPorts()).get(name), "it serves");
    for (let i = 0; i < 2; i++) {
      const response = await fetch(`http://127.0.0.1:${port}/`);
      const text = await response.text();
      assert.equal(text, version, name);
    }
  }
  assert.ok((await proxy.stat("cluster.both.upstream_cx_http2_total")) > 0);
});
