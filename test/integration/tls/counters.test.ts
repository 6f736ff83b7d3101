/** What is counted of handshakes beside their number. `SLUICE_TEST_PROXY=envoy` runs it against Envoy. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { after } from "node:test";
import { TestAuthority } from "../../support/certificates.ts";
import { forEachProxy, type StartProxy } from "../../support/each-proxy.ts";
import { adminOnPortZero } from "../../support/sluice-program.ts";
import { securedGet } from "../../support/tls-clients.ts";
import {
  clientSocket,
  inlinePair,
  serverSocket,
  trusts,
  underTls,
} from "../../support/tls-resources.ts";
import { httpListener, routesTo, staticCluster } from "../../support/truth-resources.ts";

const authority = new TestAuthority();
after(() => authority[Symbol.dispose]());
const own = authority.issue(["DNS:a.test"]);
const staple = authority.vouch(own).toString("base64");
const ofEc = authority.issue(["DNS:ec.test"]);
const ofRsa = authority.issue(["DNS:rsa.test"], { key: "rsa" });

const answering = { direct_response: { status: 200, body: { inline_string: "fine" } } };
const everywhere = {
  route_config: {
    name: "own",
    virtual_hosts: [
      { name: "all", domains: ["*"], routes: [{ match: { prefix: "/" }, ...answering }] },
    ],
  },
};

async function serve(start: StartProxy, socket: object) {
  const proxy = await start({
    admin: adminOnPortZero,
    static_resources: {
      listeners: [underTls(httpListener("web", everywhere, { stat_prefix: "web" }), socket)],
    },
  });
  const port = (await proxy.listenerPorts()).get("web") ?? 0;
  return { port, stat: (name: string) => proxy.stat(`listener.web.ssl.${name}`) };
}

forEachProxy("by what clients sign", async (start, _, isNode) => {
  const validation = trusts(authority);
  const socket = serverSocket(
    { tls_certificates: [inlinePair(own)], validation_context: validation },
    { require_client_certificate: true },
  );
  const { port, stat } = await serve(start, socket);
  for (const { certificate, privateKey } of [ofEc, ofRsa]) {
    const { status } = await securedGet(port, { cert: certificate, key: privateKey });
    assert.equal(status, 200);
  }
  // Node's TLS does not tell.
  const seen = isNode ? 0 : 1;
  assert.equal(await stat("sigalgs.ecdsa_secp256r1_sha256"), seen);
  assert.equal(await stat("sigalgs.rsa_pss_rsae_sha256"), seen);
});

forEachProxy("by what hosts sign", async (start, open, isNode) => {
  const server = createServer({ cert: ofRsa.certificate, key: ofRsa.privateKey }, (_, response) =>
    response.end("fine"),
  );
  open.defer(() => server.close().closeAllConnections());
  await once(server.listen(0, "127.0.0.1"), "listening");
  const cluster = staticCluster("up", (server.address() as AddressInfo).port, {
    transport_socket: clientSocket({ validation_context: trusts(authority) }),
  });
  const proxy = await start({
    admin: adminOnPortZero,
    static_resources: {
      listeners: [httpListener("web", { route_config: routesTo("up") })],
      clusters: [cluster],
    },
  });
  const port = (await proxy.listenerPorts()).get("web") ?? 0;
  assert.equal((await fetch(`http://127.0.0.1:${port}/`)).status, 200);
  assert.equal(await proxy.stat("cluster.up.ssl.sigalgs.rsa_pss_rsae_sha256"), isNode ? 0 : 1);
});

forEachProxy(
  "OCSP responses that are asked for, given, omitted and owed",
  async (start, _, isNode) => {
    // The other reactor shows none.
    if (isNode) return;
    const stapled = { ...inlinePair(own), ocsp_staple: { inline_bytes: staple } };
    const good = await serve(start, serverSocket({ tls_certificates: [stapled] }));
    await securedGet(good.port, { requestOCSP: true });
    await securedGet(good.port);
    assert.equal(await good.stat("ocsp_staple_requests"), 1);
    assert.equal(await good.stat("ocsp_staple_responses"), 1);
    const bare = await serve(start, serverSocket({ tls_certificates: [inlinePair(own)] }));
    await securedGet(bare.port, { requestOCSP: true });
    assert.equal(await bare.stat("ocsp_staple_requests"), 1);
    assert.equal(await bare.stat("ocsp_staple_omitted"), 1);
    assert.equal(await bare.stat("ocsp_staple_failed"), 0);
    assert.equal(await bare.stat("connection_error"), 0);
  },
);
