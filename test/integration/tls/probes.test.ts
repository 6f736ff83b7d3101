/**
 * Protocol versions and ciphers probed one by one against what was configured, as scanners do: nothing else may be
 * agreed on. `SLUICE_TEST_PROXY=envoy` runs it on Envoy.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { after } from "node:test";
import type { SecureVersion } from "node:tls";
import { TestAuthority } from "../../support/certificates.ts";
import { helloOf } from "../../support/client-hello-bytes.ts";
import { forEachProxy } from "../../support/each-proxy.ts";
import { adminOnPortZero } from "../../support/sluice-program.ts";
import { securedConnection } from "../../support/tls-clients.ts";
import { inlinePair, serverSocket, underTls } from "../../support/tls-resources.ts";
import { httpListener } from "../../support/truth-resources.ts";

const authority = new TestAuthority();
after(() => authority[Symbol.dispose]());
const ecdsa = authority.issue(["DNS:a.test"]);
const rsa = authority.issue(["DNS:a.test"], { key: "rsa" });

const versions: readonly SecureVersion[] = ["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"];
const modern = ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"];
const older = [
  "ECDHE-ECDSA-AES128-GCM-SHA256",
  "ECDHE-ECDSA-AES256-GCM-SHA384",
  "ECDHE-ECDSA-CHACHA20-POLY1305",
  "ECDHE-RSA-AES128-GCM-SHA256",
  "ECDHE-RSA-AES256-GCM-SHA384",
  "ECDHE-RSA-CHACHA20-POLY1305",
  "ECDHE-RSA-AES128-SHA",
  "ECDHE-ECDSA-AES256-SHA",
  "AES128-GCM-SHA256",
  "AES128-SHA",
  "DHE-RSA-AES128-GCM-SHA256",
  "NULL-SHA256",
  "AECDH-AES128-SHA",
];
const aead = older.slice(0, 6);

interface Plan {
  readonly parameters: object;
  readonly versions: readonly SecureVersion[];
  /** Of TLS 1.2. */
  readonly ciphers: readonly string[];
}

const plans: Readonly<Record<string, Plan>> = {
  defaults: { parameters: {}, versions: ["TLSv1.2", "TLSv1.3"], ciphers: aead },
  only12: {
    parameters: { tls_maximum_protocol_version: "TLSv1_2" },
    versions: ["TLSv1.2"],
    ciphers: aead,
  },
  only13: {
    parameters: { tls_minimum_protocol_version: "TLSv1_3" },
    versions: ["TLSv1.3"],
    ciphers: [],
  },
  from10: {
    parameters: {
      tls_minimum_protocol_version: "TLSv1_0",
      cipher_suites: ["ECDHE-RSA-AES128-SHA", "AES128-SHA"],
    },
    versions: ["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"],
    ciphers: ["ECDHE-RSA-AES128-SHA", "AES128-SHA"],
  },
  oneCipher: {
    parameters: { cipher_suites: ["ECDHE-RSA-AES256-GCM-SHA384"] },
    versions: ["TLSv1.2", "TLSv1.3"],
    ciphers: ["ECDHE-RSA-AES256-GCM-SHA384"],
  },
};

const answer = { status: 200, body: { inline_string: "ok" } };
const host = {
  name: "r",
  domains: ["*"],
  routes: [{ match: { prefix: "/" }, direct_response: answer }],
};
const listeners = Object.entries(plans).map(([name, { parameters }]) => {
  const socket = serverSocket({
    tls_certificates: [inlinePair(ecdsa), inlinePair(rsa)],
    tls_params: parameters,
  });
  return underTls(httpListener(name, { route_config: { name, virtual_hosts: [host] } }), socket);
});

/** What was agreed on; undefined: nothing. */
async function probe(
  port: number,
  version: SecureVersion,
  ciphers: string,
): Promise<string | undefined> {
  const socket = await securedConnection(port, {
    minVersion: version,
    maxVersion: version,
    // Of TLS 1.3 alone there is no level to be told.
    ciphers: ciphers.startsWith("TLS_") ? ciphers : `${ciphers}:@SECLEVEL=0`,
  }).catch(() => undefined);
  const agreed = socket && `${socket.getProtocol()} ${socket.getCipher().name}`;
  socket?.destroy();
  return agreed;
}

forEachProxy("nothing is agreed on but what was configured", async (start) => {
  const proxy = await start({ admin: adminOnPortZero, static_resources: { listeners } });
  const ports = await proxy.listenerPorts();
  for (const [name, plan] of Object.entries(plans)) {
    const port = ports.get(name) ?? 0;
    for (const version of versions) {
      const agreed = await probe(port, version, "ALL");
      const isWanted = plan.versions.includes(version);
      assert.equal(agreed?.split(" ")[0], isWanted ? version : undefined, `${name}: ${version}`);
    }
    const taken: string[] = [];
    for (const cipher of older)
      if ((await probe(port, "TLSv1.2", cipher)) === `TLSv1.2 ${cipher}`) taken.push(cipher);
    assert.deepEqual(taken, plan.ciphers, name);
    for (const cipher of modern) {
      const wanted = plan.versions.includes("TLSv1.3") ? `TLSv1.3 ${cipher}` : undefined;
      assert.equal(await probe(port, "TLSv1.3", cipher), wanted, `${name}: ${cipher}`);
    }
  }
});

forEachProxy("versions that are none are answered with an alert", async (start) => {
  const proxy = await start({ admin: adminOnPortZero, static_resources: { listeners } });
  const port = (await proxy.listenerPorts()).get("defaults") ?? 0;
  const versionsExtension = (...offered: number[]): readonly [number, Uint8Array] => [
    43,
    Buffer.from([offered.length, ...offered]),
  ];
  for (const hello of [
    helloOf({ version: 0x0300, ciphers: [0x002f, 0xc02f], extensions: [] }),
    helloOf({ version: 0x0301, ciphers: [0x002f, 0xc02f], extensions: [] }),
    // Drafts, and versions to come.
    helloOf({ version: 0x0303, ciphers: [0x1301], extensions: [versionsExtension(0x7f, 0x1c)] }),
    helloOf({ version: 0x0303, ciphers: [0x1301], extensions: [versionsExtension(3, 5)] }),
    // No cipher that there is.
    helloOf({ version: 0x0303, ciphers: [0xfefe], extensions: [] }),
  ]) {
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => {});
    socket.write(hello);
    const chunks: Buffer[] = [];
    socket.on("data", (chunk: Buffer) => chunks.push(chunk));
    await once(socket, "close");
    const reply = Buffer.concat(chunks);
    // RFC 8446 6: an alert, fatal; protocol_version or handshake_failure.
    assert.equal(reply[0], 21, hello.toString("hex"));
    assert.equal(reply[5], 2);
    assert([40, 70].includes(reply[6] ?? 0), `alert ${reply[6]}`);
  }
});
