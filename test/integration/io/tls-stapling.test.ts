/** OCSP responses that go along with a certificate, by policy. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { after, before } from "node:test";
import type { ServerTlsConfig } from "../../../src/shared/config/tls-config.ts";
import { TestAuthority, type TestCertificate } from "../../support/certificates.ts";
import { forEachReactor, type TestReactor } from "../../support/reactors.ts";
import { identityOf } from "../../support/tls-identities.ts";
import { connectSecured, listenSecured, serverTls } from "../../support/tls-peers.ts";

let authority: TestAuthority;
let own: TestCertificate;
let good: Buffer;
let expired: Buffer;
before(() => {
  authority = new TestAuthority();
  own = authority.issue(["DNS:one.example"]);
  good = authority.vouch(own);
  // Whoever shows it does not look at the signature.
  expired = Buffer.from(good.toString("latin1").replaceAll(/20\d\d(?=\d{10}Z)/g, "2001"), "latin1");
});
after(() => authority[Symbol.dispose]());

/** What a client that asks is shown. */
async function shown(
  test: TestReactor,
  ocspStaplePolicy: ServerTlsConfig["ocspStaplePolicy"],
  ocspStaple: Buffer | undefined,
): Promise<string> {
  const identities = [{ ...identityOf(own), ocspStaple }];
  const context = test.reactor.createServerTls(serverTls({ identities, ocspStaplePolicy }));
  const server = await listenSecured(test, () => context);
  const { promise: response, resolve } = Promise.withResolvers<Buffer | null>();
  const connecting = connectSecured(server.port, { requestOCSP: true }, (client) =>
    client.on("OCSPResponse", resolve),
  );
  try {
    const client = await connecting;
    client.destroy();
    const bytes = await response;
    return bytes?.equals(good) === true ? "good" : bytes === null ? "none" : "another";
  } catch {
    return "refused";
  }
}

forEachReactor("a staple is shown by policy", { needs: ["ocspStapling"] }, async (test) => {
  for (const [policy, staple, outcome] of [
    ["lenient", good, "good"],
    ["lenient", expired, "none"],
    ["lenient", undefined, "none"],
    ["strict", good, "good"],
    ["strict", expired, "refused"],
    ["strict", undefined, "none"],
    ["must", good, "good"],
    ["must", expired, "refused"],
    ["must", undefined, "refused"],
  ] as const)
    assert.equal(await shown(test, policy, staple), outcome, policy);
});

forEachReactor("whoever does not ask is served all the same", {}, async (test) => {
  const identities = [{ ...identityOf(own), ocspStaple: expired }];
  const config = serverTls({ identities, ocspStaplePolicy: "must" });
  const context = test.reactor.createServerTls(config);
  const server = await listenSecured(test, () => context);
  const client = await connectSecured(server.port);
  client.write("hello");
  await once(client, "data");
  client.destroy();
});
