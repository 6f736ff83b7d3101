/** What a client's certificate is held against, on both reactors. */
import assert from "node:assert/strict";
import { createHash, X509Certificate } from "node:crypto";
import { once } from "node:events";
import { after, before } from "node:test";
import type { PeerValidation } from "../../../src/shared/config/tls-config.ts";
import type { Socket } from "../../../src/shared/io/reactor.ts";
import { compilePeerJudge } from "../../../src/shared/tls/peer-judge.ts";
import { TestAuthority, type TestCertificate } from "../../support/certificates.ts";
import { forEachReactor, type TestReactor } from "../../support/reactors.ts";
import { identityOf, validationBy } from "../../support/tls-identities.ts";
import { connectSecured, listenSecured, serverTls } from "../../support/tls-peers.ts";

let root: TestAuthority;
let below: TestAuthority;
let stranger: TestAuthority;
let own: TestCertificate;
let byRoot: TestCertificate;
let byBelow: TestCertificate;
let byStranger: TestCertificate;
before(() => {
  root = new TestAuthority();
  below = root.issueAuthority();
  stranger = new TestAuthority("another CA");
  own = root.issue(["DNS:one.example"]);
  byRoot = root.issue(["DNS:client.test", "URI:spiffe://a.test/client"]);
  byBelow = below.issue(["DNS:client.test"]);
  byStranger = stranger.issue(["DNS:client.test"]);
});
after(() => {
  for (const authority of [root, below, stranger]) authority[Symbol.dispose]();
});

interface Shown {
  readonly certificate: TestCertificate;
  /** Sent along. */
  readonly above?: readonly TestAuthority[];
}

/** `verified`, `unverified`, or the kind of failure and its reason. */
async function outcomeOf(
  test: TestReactor,
  validation: PeerValidation | undefined,
  shown: Shown | undefined,
  requiresClientCertificate = true,
): Promise<string> {
  const judge = validation && compilePeerJudge(validation);
  const config = serverTls({
    identities: [identityOf(own)],
    validation,
    requiresClientCertificate,
  });
  const context = test.reactor.createServerTls(config, judge);
  const server = await listenSecured(test, () => context);
  const identity = shown && identityOf(shown.certificate, ...(shown.above ?? []));
  // TLS 1.2: there a client whose certificate is refused has no handshake.
  const client = await connectSecured(server.port, {
    maxVersion: "TLSv1.2",
    ...(identity && { cert: Buffer.from(identity.chainPem), key: Buffer.from(identity.keyPem) }),
  }).catch(() => undefined);
  client?.on("error", () => {});
  const [one] = server.accepted;
  assert(one);
  await one.recorder.until(({ events }) => events.length > 0);
  const outcome = wordFor(one.socket);
  client?.destroy();
  one.socket.close("now");
  await one.recorder.closed();
  return outcome;
}

function wordFor({ tlsFailure: failure, tlsSession: session }: Socket): string {
  if (failure) return `${failure.kind}: ${failure.reason}`;
  return session?.isPeerVerified === true ? "verified" : "unverified";
}

forEachReactor("a chain is verified up to a CA that is trusted", {}, async (test) => {
  const trusted = validationBy(root);
  assert.equal(await outcomeOf(test, trusted, { certificate: byRoot }), "verified");
  const whole: Shown = { certificate: byBelow, above: [below] };
  assert.equal(await outcomeOf(test, trusted, whole), "verified");
  assert.match(
    await outcomeOf(test, trusted, { certificate: byBelow }),
    /^certificate: .*unable to get/,
  );
  assert.match(await outcomeOf(test, trusted, { certificate: byStranger }), /^certificate: /);
  // A CA in the middle may be the one that is trusted.
  assert.equal(await outcomeOf(test, validationBy(below), { certificate: byBelow }), "verified");
  assert.match(
    await outcomeOf(test, validationBy(below), { certificate: byRoot }),
    /^certificate: /,
  );
});

forEachReactor("who must show one, and who may", {}, async (test) => {
  assert.match(await outcomeOf(test, validationBy(root), undefined), /^noCertificate: /);
  assert.equal(await outcomeOf(test, validationBy(root), undefined, false), "unverified");
  assert.match(
    await outcomeOf(test, validationBy(root), { certificate: byStranger }, false),
    /^certificate: /,
  );
});

forEachReactor("a chain that is too long is refused", {}, async (test) => {
  const whole: Shown = { certificate: byBelow, above: [below] };
  assert.equal(await outcomeOf(test, validationBy(root, { maxDepth: 2 }), whole), "verified");
  assert.match(await outcomeOf(test, validationBy(root, { maxDepth: 1 }), whole), /^certificate: /);
  const direct: Shown = { certificate: byRoot };
  assert.equal(await outcomeOf(test, validationBy(root, { maxDepth: 0 }), direct), "verified");
});

forEachReactor("an expired certificate is refused, unless it may be one", {}, async (test) => {
  const certificate = root.issue(["DNS:client.test"], { days: -1 });
  assert.match(
    await outcomeOf(test, validationBy(root), { certificate }),
    /^certificate: .*certificate has expired/,
  );
  const allowsExpired = true;
  assert.equal(
    await outcomeOf(test, validationBy(root, { allowsExpired }), { certificate }),
    "verified",
  );
  // Nothing else is let pass along with it.
  assert.match(
    await outcomeOf(test, validationBy(root, { allowsExpired }), { certificate: byStranger }),
    /^certificate: /,
  );
});

forEachReactor(
  "what was revoked is refused, and others of the list's issuer are not",
  {},
  async (test) => {
    const revoked = root.issue(["DNS:client.test"]);
    const crlPem = Buffer.from(root.revocationList([revoked]));
    const validation = validationBy(root, { crlPem });
    assert.match(
      await outcomeOf(test, validation, { certificate: revoked }),
      /^certificate: .*revoked/,
    );
    assert.equal(await outcomeOf(test, validation, { certificate: byRoot }), "verified");
  },
);

forEachReactor("names and hashes are asked for", {}, async (test) => {
  const hash = createHash("sha256")
    .update(new X509Certificate(byStranger.certificate).raw)
    .digest("hex");
  const named = (value: string) => ({
    subjectAltNames: [
      { type: "uri", matcher: { kind: "prefix", value, ignoreCase: false } },
    ] as const,
  });
  const shown: Shown = { certificate: byRoot };
  assert.equal(
    await outcomeOf(test, validationBy(root, named("spiffe://a.test/")), shown),
    "verified",
  );
  assert.match(
    await outcomeOf(test, validationBy(root, named("spiffe://b.test/")), shown),
    /^name: .*SAN matcher, certificate SANs are \[client\.test, spiffe:\/\/a\.test\/client\]:TLS_error_end$/,
  );
  // Without a CA a hash says who it is.
  const certificateHashes = [hash];
  const pinned = validationBy(undefined, { certificateHashes });
  assert.equal(await outcomeOf(test, pinned, { certificate: byStranger }), "verified");
  assert.match(await outcomeOf(test, pinned, shown), /^hash: .*cert hash and spki:TLS_error_end$/);
});

forEachReactor(
  "whoever it is: then nothing stands in the way, and nothing is verified",
  {},
  async (test) => {
    const acceptsUntrusted = true;
    const anybody = validationBy(root, { acceptsUntrusted });
    assert.equal(await outcomeOf(test, anybody, { certificate: byStranger }), "unverified");
    assert.equal(await outcomeOf(test, anybody, { certificate: byRoot }), "verified");
    const certificateHashes = ["00".repeat(32)];
    const wrong = validationBy(root, { acceptsUntrusted, certificateHashes });
    assert.equal(await outcomeOf(test, wrong, { certificate: byRoot }), "unverified");
  },
);

forEachReactor("the whole chain is shown to who asks for it", {}, async (test) => {
  const context = test.reactor.createServerTls(
    serverTls({ identities: [identityOf(own)], validation: validationBy(root) }),
  );
  const server = await listenSecured(test, () => context);
  const { chainPem, keyPem } = identityOf(byBelow, below);
  const client = await connectSecured(server.port, {
    cert: Buffer.from(chainPem),
    key: Buffer.from(keyPem),
  });
  client.write("hello");
  await once(client, "data");
  const session = server.accepted[0]?.socket.tlsSession;
  const names = session?.peerChain?.slice(0, 2).map(({ subject }) => subject);
  assert.deepEqual(names, ["CN=leaf", "CN=intermediate CA"]);
  assert.equal(session?.ownCertificate?.subjectAltName, "DNS:one.example");
  client.destroy();
});

forEachReactor("a trust domain decides which authorities vouch", {}, async (test) => {
  const usage = { extensions: ["keyUsage=digitalSignature"] };
  const [a, b] = [
    root.issue(["URI:spiffe://a/x"], usage),
    stranger.issue(["URI:spiffe://b/x"], usage),
  ];
  const bundle = (authority: TestAuthority): Buffer => Buffer.from(authority.certificate);
  const validation: PeerValidation = {
    ...validationBy(root),
    authoritiesPem: Buffer.concat([bundle(root), bundle(stranger)]),
    trustDomains: [
      { name: "a", authoritiesPem: bundle(root) },
      { name: "b", authoritiesPem: bundle(stranger) },
    ],
  };
  const outcome = (certificate: TestCertificate, above: readonly TestAuthority[] = []) =>
    outcomeOf(test, validation, { certificate, above });
  assert.equal(await outcome(a), "verified");
  assert.equal(await outcome(b), "verified");
  assert.equal(await outcome(below.issue(["URI:spiffe://a/x"], usage), [below]), "verified");
  // One domain's authority cannot speak for another.
  const foreign = stranger.issue(["URI:spiffe://a/x"], usage);
  assert.match(await outcome(foreign), /^certificate: .*one of another trust domain/);
  assert.match(await outcome(root.issue(["URI:spiffe://c/x"], usage)), /no trust bundle store/);
  assert.match(await outcome(root.issue(["DNS:client.test"], usage)), /no trust bundle store/);
  // As measured on Envoy: what does not say what its key is for might sign.
  assert.match(await outcome(root.issue(["URI:spiffe://a/x"])), /cert precheck/);
  for (const extension of ["basicConstraints=CA:TRUE", "keyUsage=keyCertSign", "keyUsage=cRLSign"])
    assert.match(
      await outcome(root.issue(["URI:spiffe://a/x"], { extensions: [extension] })),
      /^certificate: /,
    );
});
