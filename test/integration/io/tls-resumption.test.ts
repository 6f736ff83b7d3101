/** Which sessions are resumed, by whom, and that one never opens a door that a whole handshake would not. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { after, before } from "node:test";
import type tls from "node:tls";
import type { ServerTlsConfig } from "../../../src/shared/config/tls-config.ts";
import { TestAuthority, type TestCertificate } from "../../support/certificates.ts";
import { forEachReactor, type TestReactor } from "../../support/reactors.ts";
import { identityOf, validationBy } from "../../support/tls-identities.ts";
import { connectSecured, echo, listenSecured, serverTls } from "../../support/tls-peers.ts";

let authority: TestAuthority;
let own: TestCertificate;
let client: TestCertificate;
before(() => {
  authority = new TestAuthority();
  own = authority.issue(["DNS:one.example"]);
  client = authority.issue(["DNS:client.test"]);
});
after(() => authority[Symbol.dispose]());

type Version = "TLSv1.2" | "TLSv1.3";
const [first, second, third] = [randomBytes(80), randomBytes(80), randomBytes(80)];

/** Whether a session of a server of `from` is resumed by one of `to`, each with a context of its own. */
async function isResumed(
  test: TestReactor,
  version: Version,
  from: Partial<ServerTlsConfig>,
  to: Partial<ServerTlsConfig>,
): Promise<boolean> {
  const configs = [from, to];
  const server = await listenSecured(test, () =>
    test.reactor.createServerTls(
      serverTls({ identities: [identityOf(own)], resumesBySessionId: false, ...configs.shift() }),
    ),
  );
  const options: tls.ConnectionOptions = {
    maxVersion: version,
    cert: client.certificate,
    key: client.privateKey,
  };
  const made = await connectSecured(server.port, options);
  let session = made.getSession();
  made.on("session", (given) => (session = given));
  // Tickets of TLS 1.3 come with the first bytes after the handshake at the latest.
  await echo(made, Buffer.from("hello"));
  made.destroy();
  const resumed = await connectSecured(server.port, { ...options, ...(session && { session }) });
  await echo(resumed, Buffer.from("again"));
  const seen = server.accepted.at(-1)?.socket.tlsSession?.isResumed;
  assert.equal(seen, resumed.isSessionReused());
  resumed.destroy();
  return seen === true;
}

for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
  forEachReactor(`${version}: whoever has the key resumes`, {}, async (test) => {
    const ticketKeys = [first];
    assert.equal(await isResumed(test, version, { ticketKeys }, { ticketKeys }), true);
    assert.equal(await isResumed(test, version, { ticketKeys }, { ticketKeys: [second] }), false);
    assert.equal(await isResumed(test, version, {}, {}), false);
  });

  forEachReactor(
    `${version}: an older key still decrypts`,
    { needs: ["ticketKeys"] },
    async (test) => {
      const resumed = (from: Buffer[], to: Buffer[]) =>
        isResumed(test, version, { ticketKeys: from }, { ticketKeys: to });
      assert.equal(await resumed([first], [second, first]), true);
      assert.equal(await resumed([first, third], [second, third, first]), true);
      assert.equal(await resumed([second, first], [second]), true);
      assert.equal(await resumed([second, first], [first]), false);
      assert.equal(await resumed([first], [second, third]), false);
    },
  );

  forEachReactor(`${version}: a session is not good for other rules`, {}, async (test) => {
    const ticketKeys = [first];
    const asks = {
      ticketKeys,
      validation: validationBy(authority),
      requiresClientCertificate: true,
    };
    assert.equal(await isResumed(test, version, asks, asks), true);
    assert.equal(await isResumed(test, version, { ticketKeys }, asks), false);
    const hashed = {
      ...asks,
      validation: validationBy(authority, { crlPem: undefined, maxDepth: 3 }),
    };
    assert.equal(await isResumed(test, version, asks, hashed), false);
  });
}

forEachReactor("who a peer was is known of a session that is resumed", {}, async (test) => {
  const config = serverTls({
    identities: [identityOf(own)],
    ticketKeys: [first],
    validation: validationBy(authority),
    requiresClientCertificate: true,
  });
  const server = await listenSecured(test, () => test.reactor.createServerTls(config));
  const options = { cert: client.certificate, key: client.privateKey };
  const made = await connectSecured(server.port, options);
  const given = once(made, "session");
  await echo(made, Buffer.from("hello"));
  const [session] = (await given) as [Buffer];
  made.destroy();
  const resumed = await connectSecured(server.port, { ...options, session });
  await echo(resumed, Buffer.from("again"));
  const seen = server.accepted.at(-1)?.socket.tlsSession;
  assert.equal(seen?.isResumed, true);
  assert.equal(seen.isPeerVerified, true);
  assert.equal(seen.peerChain?.[0]?.subjectAltName, "DNS:client.test");
  resumed.destroy();
});
