/** What is counted of TLS, name by name, on both sides. `SLUICE_TEST_PROXY=envoy` runs it on Envoy. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { after } from "node:test";
import { TestAuthority } from "../../support/certificates.ts";
import { forEachProxy } from "../../support/each-proxy.ts";
import type { ProxyProcess } from "../../support/proxy-process.ts";
import { adminOnPortZero } from "../../support/sluice-program.ts";
import { refusalOf, securedGet } from "../../support/tls-clients.ts";
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
after(() => authority[Symbol.dispose]());
const own = authority.issue(["DNS:a.test"]);
const { certificate: cert, privateKey: key } = authority.issue(["DNS:client.test"]);

/** Without dates, and without what a reactor cannot tell. */
async function countsOf(proxy: ProxyProcess, prefix: string, isNode: boolean): Promise<object> {
  const lines = (await proxy.admin("/stats")).split("\n");
  const pairs = lines
    .filter((line) => line.startsWith(prefix))
    .map((line) => line.slice(prefix.length).split(": ") as [string, string])
    .filter(([name]) => !name.startsWith("certificate."))
    .filter(([name]) => !isNode || !/^(ciphers|curves|sigalgs)\./.test(name));
  return Object.fromEntries(pairs.map(([name, value]) => [name, Number(value)]));
}

const none = {
  connection_error: 0,
  fail_verify_cert_hash: 0,
  fail_verify_error: 0,
  fail_verify_no_cert: 0,
  fail_verify_san: 0,
  handshake: 0,
  no_certificate: 0,
  ocsp_staple_failed: 0,
  ocsp_staple_omitted: 0,
  ocsp_staple_requests: 0,
  ocsp_staple_responses: 0,
  session_reused: 0,
};

forEachProxy("all names are Envoy's, and so are the numbers", async (start, open, isNode) => {
  const upstream = createServer({ cert: own.certificate, key: own.privateKey }, (_, response) =>
    response.end("ok"),
  );
  open.defer(() => upstream.close().closeAllConnections());
  await once(upstream.listen(0, "127.0.0.1"), "listening");
  const rules = { validation_context: trusts(authority) };
  const listener = underTls(
    httpListener("l", { route_config: routesTo("up") }, { stat_prefix: "l" }),
    serverSocket(
      { tls_certificates: [inlinePair(own)], ...rules },
      { require_client_certificate: true },
    ),
  );
  const cluster = staticCluster("up", (upstream.address() as AddressInfo).port, {
    transport_socket: clientSocket(rules, { sni: "a.test" }),
  });
  const proxy = await start({
    admin: adminOnPortZero,
    static_resources: { listeners: [listener], clusters: [cluster] },
  });
  const port = (await proxy.listenerPorts()).get("l") ?? 0;
  assert.equal((await securedGet(port, { cert, key })).status, 200);
  assert.equal((await securedGet(port, { cert, key, maxVersion: "TLSv1.2" })).status, 200);
  assert.doesNotMatch(await refusalOf(port), /answer/);
  const failed = "listener.l.ssl.fail_verify_no_cert";
  await until(async () => (await proxy.stat(failed)) === 1, "the refusal is counted");
  const ofConnections = {
    ...(!isNode && {
      "ciphers.ECDHE-ECDSA-AES128-GCM-SHA256": 1,
      "ciphers.TLS_AES_256_GCM_SHA384": 1,
      "curves.X25519": 1,
      "curves.X25519MLKEM768": 1,
      "sigalgs.ecdsa_secp256r1_sha256": 2,
    }),
    "versions.TLSv1.2": 1,
    "versions.TLSv1.3": 1,
  };
  assert.deepEqual(await countsOf(proxy, "listener.l.ssl.", isNode), {
    ...none,
    ...ofConnections,
    fail_verify_no_cert: 1,
    handshake: 2,
  });
  assert.deepEqual(await countsOf(proxy, "cluster.up.ssl.", isNode), {
    ...none,
    ...(!isNode && {
      "ciphers.ECDHE-ECDSA-AES128-GCM-SHA256": 1,
      "curves.X25519": 1,
      "sigalgs.ecdsa_secp256r1_sha256": 1,
    }),
    "versions.TLSv1.2": 1,
    handshake: 1,
  });
});
