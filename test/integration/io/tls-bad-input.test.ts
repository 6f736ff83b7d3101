/** Peers that mean harm, or break: each costs its own connection, holds nothing, and others are served. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import net, { type AddressInfo } from "node:net";
import { after, before } from "node:test";
import tls from "node:tls";
import fc from "fast-check";
import { TestAuthority, type TestCertificate } from "../../support/certificates.ts";
import { forEachReactor, type TestReactor } from "../../support/reactors.ts";
import { identityOf, validationBy } from "../../support/tls-identities.ts";
import {
  connectSecured,
  echo,
  listenSecured,
  serverTls,
  type TlsServer,
} from "../../support/tls-peers.ts";
import { recordHello } from "../../support/visits.ts";

let authority: TestAuthority;
let own: TestCertificate;
let hello: Buffer;
before(async () => {
  authority = new TestAuthority();
  own = authority.issue(["DNS:one.example"]);
  hello = await recordHello();
});
after(() => authority[Symbol.dispose]());

function serve(test: TestReactor): Promise<TlsServer> {
  const context = test.reactor.createServerTls(
    serverTls({
      identities: [identityOf(own)],
      validation: validationBy(authority),
      alpnProtocols: ["h2", "http/1.1"],
      ticketKeys: [randomBytes(80)],
    }),
  );
  return listenSecured(test, () => context);
}

/** Sends the bytes and its FIN; resolves when our side has ended. */
async function attack({ port, accepted }: TlsServer, bytes: Buffer): Promise<string> {
  const index = accepted.length;
  const client = net.connect(port, "127.0.0.1");
  client.on("error", () => {});
  client.resume();
  await once(client, "connect");
  client.end(bytes);
  await new Promise((resolve) => client.once("close", resolve));
  const one = accepted[index];
  assert(one);
  await one.recorder.closed();
  return one.socket.tlsFailure?.kind ?? one.recorder.events.at(-1) ?? "";
}

async function assertServes({ port }: TlsServer): Promise<void> {
  const client = await connectSecured(port);
  assert.equal(String(await echo(client, Buffer.from("still here"))), "still here");
  client.destroy();
}

forEachReactor("a hello that is cut off anywhere", {}, async (test) => {
  const server = await serve(test);
  for (let length = 0; length <= hello.length; length += 7)
    assert.equal(await attack(server, hello.subarray(0, length)), "closed", `${length} bytes`);
  await assertServes(server);
});

forEachReactor("a hello with bytes changed, left out or put in", {}, async (test) => {
  const server = await serve(test);
  const edit = fc.record({
    at: fc.nat(hello.length - 1),
    leftOut: fc.nat(40),
    putIn: fc.uint8Array({ maxLength: 40 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 4 }), async (edits) => {
      let bytes: Buffer = Buffer.from(hello);
      for (const { at, leftOut, putIn } of edits)
        bytes = Buffer.concat([bytes.subarray(0, at), putIn, bytes.subarray(at + leftOut)]);
      assert.match(await attack(server, bytes), /^(closed|protocol)$/);
    }),
    { numRuns: 150 },
  );
  await assertServes(server);
});

forEachReactor("bytes that are no TLS at all", {}, async (test) => {
  const server = await serve(test);
  for (const bytes of [
    Buffer.from("GET / HTTP/1.1\r\nhost: a\r\n\r\n"),
    Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    Buffer.alloc(70_000),
    Buffer.alloc(70_000, 0xff),
    // A record that says it is longer than any may be (RFC 8446 5.1).
    Buffer.concat([Buffer.from("160301ffff", "hex"), randomBytes(70_000)]),
    // Alerts, warnings first: OpenSSL counts them.
    Buffer.concat(Array.from({ length: 1000 }, () => Buffer.from("15030300020100", "hex"))),
    Buffer.from("15030300020228", "hex"),
    // Data and a change of keys before any hello.
    Buffer.concat([Buffer.from("1703030020", "hex"), randomBytes(32)]),
    Buffer.concat(Array.from({ length: 1000 }, () => Buffer.from("140303000101", "hex"))),
  ])
    assert.match(await attack(server, bytes), /^(closed|protocol)$/);
  await assertServes(server);
});

/** The hello with another extension, which is empty (RFC 8446 4.2). */
function withExtension(bytes: Buffer, type: number): Buffer {
  const added = Buffer.from(bytes);
  const at = 5 + 4 + 2 + 32;
  const ciphersAt = at + 1 + added.readUInt8(at);
  const compressionsAt = ciphersAt + 2 + added.readUInt16BE(ciphersAt);
  const extensionsAt = compressionsAt + 1 + added.readUInt8(compressionsAt);
  for (const lengthAt of [3, 7, extensionsAt])
    added.writeUInt16BE(added.readUInt16BE(lengthAt) + 4, lengthAt);
  return Buffer.concat([added, Buffer.from([type >> 8, type & 255, 0, 0])]);
}

forEachReactor("early data is not taken, and not much of it passed over", {}, async (test) => {
  const server = await serve(test);
  const early = withExtension(hello, 42);
  const some = Buffer.concat([Buffer.from("1703030040", "hex"), randomBytes(64)]);
  assert.match(await attack(server, Buffer.concat([early, some])), /^(closed|protocol)$/);
  const much = Buffer.concat(Array.from({ length: 2_000 }, () => some));
  assert.match(await attack(server, Buffer.concat([early, much])), /^(closed|protocol)$/);
  for (const { recorder } of server.accepted) assert.equal(recorder.receivedBytes, 0);
  await assertServes(server);
});

forEachReactor("broken records after the handshake end the connection", {}, async (test) => {
  const server = await serve(test);
  const raw = net.connect(server.port, "127.0.0.1");
  await once(raw, "connect");
  const client = await connectSecured(server.port, { socket: raw });
  client.on("error", () => {});
  await echo(client, Buffer.from("hello"));
  raw.write(Buffer.concat([Buffer.from("1703030040", "hex"), randomBytes(64)]));
  const [one] = server.accepted;
  await one?.recorder.closed();
  assert.equal(one?.recorder.events.at(-1)?.startsWith("closed tlsFailed"), true);
  assert.equal(one?.socket.tlsFailure?.kind, "protocol");
  await assertServes(server);
});

forEachReactor("nothing is negotiated again", {}, async (test) => {
  const server = await serve(test);
  const client = await connectSecured(server.port, { maxVersion: "TLSv1.2" });
  const refused = new Promise((resolve) => {
    for (const event of ["error", "end", "close"]) client.on(event, resolve);
  });
  client.resume();
  client.renegotiate({ rejectUnauthorized: false }, () => {});
  await refused;
  assert.equal(server.accepted[0]?.recorder.events.filter((one) => one === "connected").length, 1);
  client.destroy();
  await assertServes(server);
});

forEachReactor("connections that say nothing hold nothing", {}, async (test) => {
  const server = await serve(test);
  const silent = await Promise.all(
    Array.from({ length: 300 }, async () => {
      const client = net.connect(server.port, "127.0.0.1");
      client.on("error", () => {});
      await once(client, "connect");
      return client;
    }),
  );
  await assertServes(server);
  assert.equal(test.reactor.arenaBytesInUse, 0);
  for (const client of silent) client.destroy();
  await Promise.all(server.accepted.slice(0, 300).map(({ recorder }) => recorder.closed()));
});

/** Passes bytes on to the server until so many have passed, then breaks both off. */
async function breakOff(port: number, bytesMax: number, withReset: boolean): Promise<void> {
  const relay = net.createServer().listen(0, "127.0.0.1");
  await once(relay, "listening");
  const client = tls.connect({
    port: (relay.address() as AddressInfo).port,
    host: "127.0.0.1",
    rejectUnauthorized: false,
    cert: own.certificate,
    key: own.privateKey,
    maxVersion: bytesMax % 2 === 0 ? "TLSv1.2" : "TLSv1.3",
  });
  client.on("error", () => {});
  client.write(randomBytes(4000));
  const [near] = (await once(relay, "connection")) as [net.Socket];
  const far = net.connect(port, "127.0.0.1");
  far.on("error", () => {});
  near.on("error", () => {});
  let passed = 0;
  const { promise, resolve } = Promise.withResolvers<void>();
  const pass = (from: net.Socket, to: net.Socket): void => {
    from.on("data", (chunk: Buffer) => {
      to.write(chunk.subarray(0, Math.max(0, bytesMax - passed)));
      passed += chunk.length;
      if (passed >= bytesMax) resolve();
    });
    from.on("close", () => resolve());
  };
  pass(near, far);
  pass(far, near);
  await promise;
  const gone = new Promise((done) => far.once("close", done));
  if (withReset) far.resetAndDestroy();
  else far.destroySoon();
  client.destroy();
  near.destroy();
  relay.close();
  await gone;
}

forEachReactor("broken off at every step, it leaves nothing behind", {}, async (test) => {
  const server = await serve(test);
  await assertServes(server);
  const descriptors = (): number => readdirSync("/proc/self/fd").length;
  await settled(server);
  const before = process.platform === "linux" ? descriptors() : 0;
  for (let bytes = 1; bytes < 3600; bytes += 61)
    await breakOff(server.port, bytes, bytes % 3 === 0);
  await settled(server);
  assert.equal(test.reactor.arenaBytesInUse, 0);
  if (process.platform === "linux") {
    // Node closes its own later.
    for (let i = 0; i < 50 && descriptors() > before; i++) await new Promise(setImmediate);
    assert(descriptors() <= before, `${descriptors()} descriptors in place of ${before}`);
  }
  await assertServes(server);
});

/** Every connection that was accepted has ended. */
async function settled({ accepted }: TlsServer): Promise<void> {
  await Promise.all(
    accepted.map(({ socket, recorder }) => {
      socket.close("now");
      return recorder.closed();
    }),
  );
}
