/** TLS that ends here, on connections that listener filters have looked at. `SLUICE_TEST_PROXY=envoy` runs it on Envoy. */
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { connect } from "node:net";
import { after } from "node:test";
import { TestAuthority, type TestCertificate } from "../../support/certificates.ts";
import { forEachProxy } from "../../support/each-proxy.ts";
import { listenerFilter } from "../../support/listener-filter-stage.ts";
import { adminOnPortZero } from "../../support/sluice-program.ts";
import { securedGet } from "../../support/tls-clients.ts";
import { inlinePair, serverSocket } from "../../support/tls-resources.ts";
import { httpListener } from "../../support/truth-resources.ts";
import { until } from "../../support/until.ts";

const authority = new TestAuthority();
after(() => authority[Symbol.dispose]());
const names = ["a.test", "b.test"] as const;
const pairs = new Map(names.map((name) => [name, authority.issue([`DNS:${name}`])]));

/** A chain that answers with its name. */
function chain(name: string, match: object, certificate?: TestCertificate): object {
  const virtualHost = {
    name,
    domains: ["*"],
    routes: [
      {
        match: { prefix: "/" },
        direct_response: { status: 200, body: { inline_string: name } },
      },
    ],
  };
  const routing = { route_config: { name, virtual_hosts: [virtualHost] } };
  const { filter_chains: chains } = httpListener(name, routing) as { filter_chains: object[] };
  return {
    ...chains[0],
    name,
    filter_chain_match: match,
    ...(certificate && {
      transport_socket: serverSocket({ tls_certificates: [inlinePair(certificate)] }),
    }),
  };
}

const listener = {
  ...httpListener("web", {}),
  listener_filters: [
    listenerFilter("proxy_protocol", "ProxyProtocol", {
      allow_requests_without_proxy_protocol: true,
    }),
    listenerFilter("tls_inspector", "TlsInspector"),
    listenerFilter("http_inspector", "HttpInspector"),
  ],
  filter_chains: [
    ...names.map((name) =>
      chain(name, { server_names: [name], transport_protocol: "tls" }, pairs.get(name)),
    ),
    chain("plain", { transport_protocol: "raw_buffer" }),
  ],
};

forEachProxy("the hello that chose the chain is the hello of its handshake", async (start) => {
  const bootstrap = { admin: adminOnPortZero, static_resources: { listeners: [listener] } };
  const proxy = await start(bootstrap);
  const port = await until(async () => (await proxy.listenerPorts()).get("web"), "it serves");
  for (const name of names) {
    const { certificate = "" } = pairs.get(name) ?? {};
    const { serialNumber } = new X509Certificate(certificate);
    const direct = await securedGet(port, { servername: name });
    assert.equal(direct.body, name);
    assert.equal(direct.session.serial, serialNumber);
    // Behind a PROXY header, which goes before the handshake and is no part of it.
    const socket = connect(port, "127.0.0.1");
    await once(socket, "connect");
    socket.write("PROXY TCP4 192.0.2.1 192.0.2.2 4711 443\r\n");
    const proxied = await securedGet(port, { servername: name, socket });
    assert.equal(proxied.body, name);
  }
  const plain = await fetch(`http://127.0.0.1:${port}/`);
  assert.equal(await plain.text(), "plain");
  await assert.rejects(securedGet(port, { servername: "c.test" }));
  assert.equal(await proxy.stat("tls_inspector.sni_found"), 5);
});
