/** TLS on both reactors, against Node's own on the other side. */
import assert from "node:assert/strict";
import { createHash, randomBytes, X509Certificate } from "node:crypto";
import { once } from "node:events";
import net from "node:net";
import { after, before } from "node:test";
import type { TestReactor } from "../../support/reactors.ts";
import { forEachReactor } from "../../support/reactors.ts";
import { identityOf, validationBy } from "../../support/tls-identities.ts";
import { inScratch, Recorder } from "../../support/recorder.ts";
import { TestAuthority, type TestCertificate } from "../../support/certificates.ts";
import {
  clientTls,
  connectSecured,
  echo,
  listenSecured,
  serverTls,
  startTlsServer,
  tlsParameters,
} from "../../support/tls-peers.ts";

let authority: TestAuthority;
let rsa: TestCertificate;
let ecdsa: TestCertificate;
let other: TestCertificate;
before(() => {
  authority = new TestAuthority();
  rsa = authority.issue(["DNS:one.example"], { key: "rsa" });
  ecdsa = authority.issue(["DNS:one.example"]);
  other = authority.issue(["DNS:*.other.example"]);
});
after(() => authority[Symbol.dispose]());

const serve = (context: TestReactor, config: Parameters<typeof serverTls>[0]) => {
  const secured = context.reactor.createServerTls(serverTls(config));
  return listenSecured(context, () => secured);
};
const fingerprintOf = ({ certificate }: TestCertificate): string =>
  new X509Certificate(certificate).fingerprint256;
const sha = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

for (const version of ["TLSv1.2", "TLSv1.3"] as const)
  forEachReactor(`bytes go both ways over ${version}, and both ends`, {}, async (context) => {
    const server = await serve(context, { identities: [identityOf(ecdsa)] });
    const client = await connectSecured(server.port, { minVersion: version, maxVersion: version });
    const sent = randomBytes(3_000_000);
    assert.equal(sha(await echo(client, sent)), sha(sent));
    const [one] = server.accepted;
    assert(one);
    assert.equal(one.socket.tlsSession?.version, version);
    assert.equal(one.socket.tlsSession?.cipher, client.getCipher().name);
    assert.equal(one.socket.tlsSession?.isResumed, false);
    client.end();
    await one.recorder.closed();
    const events = one.recorder.events.filter((event) => event !== "below");
    assert.deepEqual(events, ["connected", "end", "closed remote"]);
  });

forEachReactor("a slow reader holds the writer up", {}, async (context) => {
  const secured = context.reactor.createServerTls(serverTls({ identities: [identityOf(ecdsa)] }));
  const server = await listenSecured(context, () => secured, { bufferLimitBytes: 64 * 1024 });
  const client = await connectSecured(server.port);
  const sent = randomBytes(8_000_000);
  client.write(sent);
  const [one] = server.accepted;
  await one?.recorder.until(({ events }) => events.includes("above"));
  const chunks: Buffer[] = [];
  let received = 0;
  client.on("data", (chunk: Buffer) => {
    chunks.push(chunk);
    received += chunk.length;
    if (received === sent.length) client.end();
  });
  await once(client, "end");
  assert.equal(sha(Buffer.concat(chunks)), sha(sent));
});

forEachReactor(
  "the certificate is chosen by name, and by what the client can verify",
  {},
  async (context) => {
    const identities = [identityOf(rsa), identityOf(ecdsa), identityOf(other)];
    const server = await serve(context, { identities });
    const shown = async (options: object): Promise<string | undefined> => {
      const client = await connectSecured(server.port, { maxVersion: "TLSv1.3", ...options });
      const { fingerprint256 } = client.getPeerCertificate();
      client.destroy();
      const labels = { rsa, ecdsa, other };
      return Object.entries(labels).find(([, one]) => fingerprintOf(one) === fingerprint256)?.[0];
    };
    const sigalgs = "rsa_pss_rsae_sha256";
    assert.equal(await shown({ servername: "one.example" }), "ecdsa");
    assert.equal(await shown({ servername: "one.example", sigalgs }), "rsa");
    assert.equal(await shown({ servername: "a.other.example" }), "other");
    assert.equal(await shown({ servername: "a.b.other.example", sigalgs }), "rsa");
  },
);

forEachReactor("a protocol is agreed on, in the server's order", {}, async (context) => {
  const server = await serve(context, {
    identities: [identityOf(ecdsa)],
    alpnProtocols: ["b", "a"],
  });
  const client = await connectSecured(server.port, {
    ALPNProtocols: ["a", "b"],
    servername: "x.example",
  });
  assert.equal(client.alpnProtocol, "b");
  await echo(client, Buffer.from("hello"));
  const session = server.accepted[0]?.socket.tlsSession;
  assert.equal(session?.alpnProtocol, "b");
  assert.equal(session?.serverName, "x.example");
  client.destroy();
});

forEachReactor("a client has to show a certificate of the authority", {}, async (context) => {
  const stranger = new TestAuthority();
  const server = await serve(context, {
    identities: [identityOf(ecdsa)],
    validation: validationBy(authority),
    requiresClientCertificate: true,
  });
  const outcome = async (shown: TestCertificate | undefined): Promise<string> => {
    const own = shown && { cert: shown.certificate, key: shown.privateKey };
    const client = await connectSecured(server.port, { ...own });
    const ended = once(client, "close");
    client.on("error", () => {});
    const text = await Promise.race([
      echo(client, Buffer.from("hi")).then(String),
      ended.then(() => "closed"),
      once(client, "end").then(() => "closed"),
    ]).catch(() => "closed");
    client.destroy();
    const one = server.accepted.at(-1);
    await one?.recorder.closed();
    return `${text} ${one?.socket.tlsFailure?.kind ?? one?.socket.tlsSession?.isPeerVerified}`;
  };
  assert.equal(await outcome(rsa), "hi true");
  assert.equal(
    server.accepted[0]?.socket.tlsSession?.peerChain?.[0]?.fingerprint256,
    fingerprintOf(rsa),
  );
  assert.equal(await outcome(undefined), "closed noCertificate");
  assert.equal(await outcome(stranger.issue(["DNS:x"])), "closed certificate");
  stranger[Symbol.dispose]();
});

forEachReactor("sessions are resumed by a ticket, on another context too", {}, async (context) => {
  const ticketKeys = [randomBytes(80)];
  const config = { identities: [identityOf(ecdsa)], ticketKeys };
  // Each connection has a context of its own.
  const server = await listenSecured(context, () =>
    context.reactor.createServerTls(serverTls(config)),
  );
  for (const maxVersion of ["TLSv1.2", "TLSv1.3"] as const) {
    const first = await connectSecured(server.port, { maxVersion });
    // Of TLS 1.3 it comes behind the handshake.
    let session = first.getSession();
    first.on("session", (made) => (session = made));
    await echo(first, Buffer.from("one"));
    first.destroy();
    const second = await connectSecured(server.port, { maxVersion, ...(session && { session }) });
    assert.equal(second.isSessionReused(), true, maxVersion);
    await echo(second, Buffer.from("two"));
    assert.equal(server.accepted.at(-1)?.socket.tlsSession?.isResumed, true);
    second.destroy();
  }
});

forEachReactor("our client verifies, resumes and says who it is", {}, async (context) => {
  const { reactor } = context;
  await using server = await startTlsServer({
    cert: ecdsa.certificate,
    key: ecdsa.privateKey,
    ca: authority.certificate,
    requestCert: true,
    ALPNProtocols: ["http/1.1"],
  });
  const config = clientTls({
    identity: identityOf(rsa),
    validation: validationBy(authority),
    serverName: "one.example",
    alpnProtocols: ["h2", "http/1.1"],
  });
  const secured = reactor.createClientTls(config, (leaf) =>
    leaf.subjectAltName === "DNS:one.example" ? undefined : { kind: "name", reason: "another" },
  );
  for (const isResumed of [false, true]) {
    const recorder: Recorder = new Recorder(reactor, { onConnected: () => {} });
    const socket = reactor.connect({ kind: "ip", ip: "127.0.0.1", port: server.port }, recorder, {
      bufferLimitBytes: 0,
      noDelay: true,
      tls: { context: secured },
    });
    socket.write(...inScratch(reactor, "early"));
    await recorder.until(() => recorder.text === "early");
    assert.deepEqual(recorder.events.slice(0, 1), ["connected"]);
    assert.equal(socket.tlsSession?.isPeerVerified, true);
    assert.equal(socket.tlsSession?.alpnProtocol, "http/1.1");
    assert.equal(socket.tlsSession?.isResumed, isResumed);
    const seen = server.seen.at(-1);
    assert.equal(seen?.authorized, true);
    assert.equal((seen as { servername?: string }).servername, "one.example");
    socket.close("flush");
    await recorder.closed();
  }
});

forEachReactor(
  "our client refuses a stranger, and a certificate of another name",
  {},
  async (context) => {
    const { reactor } = context;
    await using server = await startTlsServer({ cert: ecdsa.certificate, key: ecdsa.privateKey });
    const stranger = new TestAuthority();
    const failureOf = async (
      trusted: TestAuthority,
      reason?: string,
    ): Promise<string | undefined> => {
      const secured = reactor.createClientTls(
        clientTls({ validation: validationBy(trusted) }),
        () => (reason === undefined ? undefined : { kind: "name", reason }),
      );
      const recorder = new Recorder(reactor);
      const address = { kind: "ip", ip: "127.0.0.1", port: server.port } as const;
      const options = { bufferLimitBytes: 0, noDelay: true, tls: { context: secured } };
      const socket = reactor.connect(address, recorder, options);
      await recorder.closed();
      assert(!recorder.events.includes("connected"));
      return socket.tlsFailure?.kind;
    };
    assert.equal(await failureOf(authority, "not the one"), "name");
    assert.equal(await failureOf(stranger), "certificate");
    stranger[Symbol.dispose]();
  },
);

forEachReactor("garbage, half a hello and silence end one connection each", {}, async (context) => {
  const server = await serve(context, { identities: [identityOf(ecdsa)] });
  const closedBy = async (bytes: Buffer): Promise<string | undefined> => {
    const client = net.connect(server.port, "127.0.0.1");
    const closed = new Promise((resolve) => {
      client.on("error", () => {}).on("close", resolve);
    });
    await once(client, "connect");
    client.end(bytes);
    client.resume();
    await closed;
    const one = server.accepted.at(-1);
    await one?.recorder.closed();
    return one?.socket.tlsFailure?.kind;
  };
  assert.equal(await closedBy(Buffer.from("GET / HTTP/1.1\r\n\r\n")), "protocol");
  assert.equal(await closedBy(Buffer.from("16030100", "hex")), "closed");
  assert.equal(await closedBy(Buffer.alloc(0)), "closed");
  const client = await connectSecured(server.port);
  assert.equal(String(await echo(client, Buffer.from("still here"))), "still here");
  client.destroy();
});

forEachReactor("what OpenSSL does not take is told at once", {}, async ({ reactor }) => {
  const broken = { ...identityOf(ecdsa), keyPem: identityOf(rsa).keyPem };
  const create = (config: object) => () => void reactor.createServerTls(serverTls(config));
  assert.throws(create({ identities: [broken] }), { name: "TlsError" });
  const parameters = { ...tlsParameters, cipherSuites: "NONE-SUCH" };
  assert.throws(create({ identities: [identityOf(ecdsa)], parameters }), { name: "TlsError" });
});
