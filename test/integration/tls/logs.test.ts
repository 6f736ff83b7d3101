/** What logs say of TLS, over the whole proxy. `SLUICE_TEST_PROXY=envoy` runs it against Envoy. */
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after } from "node:test";
import { TestAuthority } from "../../support/certificates.ts";
import { forEachProxy } from "../../support/each-proxy.ts";
import { adminOnPortZero } from "../../support/sluice-program.ts";
import { refusalOf, securedGet } from "../../support/tls-clients.ts";
import { inlinePair, serverSocket, trusts, underTls } from "../../support/tls-resources.ts";
import { httpListener } from "../../support/truth-resources.ts";
import { until } from "../../support/until.ts";

const authority = new TestAuthority();
const stranger = new TestAuthority("another CA");
after(() => {
  authority[Symbol.dispose]();
  stranger[Symbol.dispose]();
});
const server = authority.issue(["DNS:a.test", "URI:spiffe://td/a"]);
const client = authority.issue(["DNS:c.test", "DNS:d.test", "URI:spiffe://td/c", "IP:127.0.0.1"]);
const strange = stranger.issue(["DNS:c.test"]);

const operators = [
  "DOWNSTREAM_TLS_VERSION",
  "DOWNSTREAM_TLS_CIPHER",
  "DOWNSTREAM_PEER_SUBJECT",
  "DOWNSTREAM_PEER_ISSUER",
  "DOWNSTREAM_PEER_DNS_SAN",
  "DOWNSTREAM_PEER_URI_SAN",
  "DOWNSTREAM_PEER_IP_SAN",
  "DOWNSTREAM_PEER_EMAIL_SAN",
  "DOWNSTREAM_PEER_SERIAL",
  "DOWNSTREAM_PEER_FINGERPRINT_256",
  "DOWNSTREAM_PEER_FINGERPRINT_1",
  "DOWNSTREAM_PEER_CERT_V_END(%s)",
  "DOWNSTREAM_PEER_CERT_V_START",
  "DOWNSTREAM_LOCAL_SUBJECT",
  "DOWNSTREAM_LOCAL_URI_SAN",
  "DOWNSTREAM_LOCAL_DNS_SAN",
  "DOWNSTREAM_TRANSPORT_FAILURE_REASON",
  "UPSTREAM_TLS_VERSION",
];

const logTo = (file: string, format: string): object => ({
  name: "envoy.access_loggers.file",
  typed_config: {
    "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
    path: file,
    log_format: { text_format_source: { inline_string: format } },
  },
});

forEachProxy("a log prints the handshake and both certificates", async (start, open) => {
  const folder = await mkdtemp(path.join(tmpdir(), "sluice-tls-logs-"));
  open.defer(() => rm(folder, { recursive: true }));
  const [requests, connections] = [path.join(folder, "requests"), path.join(folder, "connections")];
  const routes = {
    name: "r",
    virtual_hosts: [
      {
        name: "v",
        domains: ["*"],
        routes: [{ match: { prefix: "/" }, direct_response: { status: 200 } }],
      },
    ],
  };
  const format = `${operators.map((name) => `%${name}%`).join("|")}\n`;
  const listener = httpListener(
    "web",
    { route_config: routes, access_log: [logTo(requests, format)] },
    {
      access_log: [
        logTo(
          connections,
          "%DOWNSTREAM_TRANSPORT_FAILURE_REASON%|%CONNECTION_TERMINATION_DETAILS%|%DOWNSTREAM_PEER_SUBJECT%\n",
        ),
      ],
    },
  );
  const socket = serverSocket({
    tls_certificates: [inlinePair(server)],
    validation_context: trusts(authority),
  });
  const proxy = await start(
    { admin: adminOnPortZero, static_resources: { listeners: [underTls(listener, socket)] } },
    ["--file-flush-interval-msec", "20"],
  );
  const port = await until(async () => (await proxy.listenerPorts()).get("web"), "it serves");
  await securedGet(port, { cert: client.certificate, key: client.privateKey });
  const lines = async (file: string): Promise<readonly string[]> =>
    (await readFile(file, "utf8").catch(() => "")).split("\n").slice(0, -1);
  const line = await until(async () => (await lines(requests))[0], "the request is logged");
  const own = new X509Certificate(client.certificate);
  const hex = (text: string): string => text.replaceAll(":", "").toLowerCase();
  assert.deepEqual(line.split("|"), [
    "TLSv1.3",
    "TLS_AES_256_GCM_SHA384",
    "CN=leaf",
    "CN=test CA",
    "c.test,d.test",
    "spiffe://td/c",
    "127.0.0.1",
    "-",
    hex(own.serialNumber),
    hex(own.fingerprint256),
    hex(own.fingerprint),
    String(own.validToDate.getTime() / 1000),
    own.validFromDate.toISOString(),
    "CN=leaf",
    "spiffe://td/a",
    "a.test",
    "-",
    "-",
  ]);

  await refusalOf(port, { cert: strange.certificate, key: strange.privateKey });
  const failed = await until(
    async () => (await lines(connections)).find((one) => one.startsWith("TLS_error")),
    "the refusal is logged",
  );
  assert.match(failed, /^TLS_error:\|\d+:SSL_routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED:/);
  assert.match(failed, /:TLS_error_end\|-\|/);
});
