/** Objects of OpenSSL's behind connections: freed once, whatever throws meanwhile, and not used afterwards. */
import assert from "node:assert/strict";
import { once } from "node:events";
import net, { type AddressInfo } from "node:net";
import { after, before, test } from "node:test";
import tls from "node:tls";
import { TestAuthority, type TestCertificate } from "../../support/certificates.ts";
import { identityOf, validationBy } from "../../support/tls-identities.ts";
import { clientTls, serverTls } from "../../support/tls-peers.ts";
import type { Asked, SslCallbacks as Callbacks } from "../../../src/shared/io/tls/ssl-callbacks.ts";
import type { HandshakeStep, SslStream } from "../../../src/shared/io/tls/ssl-stream.ts";

const isLinux = process.platform === "linux";
let authority: TestAuthority;
let own: TestCertificate;
before(() => {
  authority = new TestAuthority();
  own = authority.issue(["DNS:a.test"]);
});
after(() => authority[Symbol.dispose]());

/** Only where there is an OpenSSL to call. */
async function engine() {
  const { SslCallbacks } = await import("../../../src/shared/io/tls/ssl-callbacks.ts");
  const { SslServerContext } = await import("../../../src/shared/io/tls/ssl-server-context.ts");
  const { SslClientContext } = await import("../../../src/shared/io/tls/ssl-client-context.ts");
  const { SslStream: Stream } = await import("../../../src/shared/io/tls/ssl-stream.ts");
  return { SslCallbacks, SslServerContext, SslClientContext, Stream };
}

type Engine = Awaited<ReturnType<typeof engine>>;

/** Callbacks that ask the connection, except for one question, whose answer throws. */
function throwing(
  { SslCallbacks }: Engine,
  question: keyof Asked | undefined,
  bugs: unknown[],
): Callbacks {
  class Throwing extends SslCallbacks {
    override add(ssl: number, asked: Asked): void {
      const handler: ProxyHandler<Asked> = {
        get: (target, name) => {
          if (name === question)
            return () => {
              throw new Error("thrown by the test");
            };
          const value: unknown = Reflect.get(target, name, target);
          return typeof value === "function" ? value.bind(target) : value;
        },
      };
      super.add(ssl, new Proxy(asked, handler));
    }
  }
  return new Throwing((error) => bugs.push(error));
}

const ocspStaple = Buffer.from("30030a0106", "hex");

function serverContext(made: Engine, callbacks: Callbacks) {
  const config = serverTls({
    identities: [{ ...identityOf(own), ocspStaple }],
    validation: validationBy(authority),
    alpnProtocols: ["http/1.1"],
    keyLog: { path: "/dev/null", localRanges: [], remoteRanges: [] },
  });
  // A second certificate, so that there is a choice by name.
  const other = { ...config, identities: [...config.identities, identityOf(rsa())] };
  return new made.SslServerContext(other, undefined, callbacks);
}

let another: TestCertificate | undefined;
const rsa = (): TestCertificate => (another ??= authority.issue(["DNS:b.test"], { key: "rsa" }));

/** Its next connection is accepted by Node, and not read. */
async function listening(
  open: AsyncDisposableStack,
): Promise<{ readonly port: number; readonly next: Promise<net.Socket> }> {
  const server = net.createServer({ pauseOnConnect: true });
  await once(server.listen(0, "127.0.0.1"), "listening");
  open.defer(() => void server.close());
  const next = once(server, "connection").then(([socket]) => socket as net.Socket);
  return { port: (server.address() as AddressInfo).port, next };
}

const fdOf = (socket: net.Socket): number =>
  (socket as unknown as { readonly _handle: { readonly fd: number } })._handle.fd;

async function shakeHands(stream: SslStream): Promise<HandshakeStep> {
  for (;;) {
    const step = stream.handshake();
    if (step === "done" || step === "failed") return step;
    await new Promise(setImmediate);
  }
}

/** What becomes of a handshake with Node's client, when the answer to the question throws. */
async function serve(
  question: keyof Asked | undefined,
): Promise<{ step: HandshakeStep; bugs: number }> {
  await using open = new AsyncDisposableStack();
  const made = await engine();
  const bugs: unknown[] = [];
  using callbacks = throwing(made, question, bugs);
  using context = serverContext(made, callbacks);
  const { port, next } = await listening(open);
  const client = tls.connect({
    port,
    host: "127.0.0.1",
    servername: "a.test",
    rejectUnauthorized: false,
    requestOCSP: true,
    ALPNProtocols: ["http/1.1"],
    cert: own.certificate,
    key: own.privateKey,
  });
  client.on("error", () => {});
  open.defer(() => void client.destroy());
  const carrier = await next;
  open.defer(() => void carrier.destroy());
  const stream = new made.Stream(context, fdOf(carrier), {}, () => {});
  const step = await shakeHands(stream);
  assert.equal(callbacks.size, 1);
  stream.free();
  stream.free();
  assert.equal(callbacks.size, 0);
  assert.throws(() => stream.read(0, 0), /bug: used after it was freed/);
  assert.throws(() => stream.writeAll(0, 1), /bug: used after it was freed/);
  assert.throws(() => stream.handshake(), /bug: used after it was freed/);
  stream.sendClose();
  return { step, bugs: bugs.length };
}

for (const [question, wanted] of [
  [undefined, "done"],
  ["verify", "failed"],
  ["selectAlpn", "failed"],
  ["selectCertificate", "failed"],
  ["staple", "failed"],
  // What is lost of it changes nothing for the peers.
  ["keyLog", "done"],
] as const)
  test(`${question ?? "nothing"} throws inside of OpenSSL`, { skip: !isLinux }, async () => {
    const { step, bugs } = await serve(question);
    assert.equal(step, wanted);
    if (question === undefined) assert.equal(bugs, 0);
    else assert(bugs > 0);
  });

test("keepSession throws inside of OpenSSL", { skip: !isLinux }, async () => {
  await using open = new AsyncDisposableStack();
  const made = await engine();
  const bugs: unknown[] = [];
  using callbacks = throwing(made, "keepSession", bugs);
  using context = new made.SslClientContext(clientTls({}), undefined, callbacks);
  const server = tls.createServer({
    cert: own.certificate,
    key: own.privateKey,
    maxVersion: "TLSv1.2",
  });
  server.on("tlsClientError", () => {});
  await once(server.listen(0, "127.0.0.1"), "listening");
  open.defer(() => void server.close());
  const carrier = net.connect({
    port: (server.address() as AddressInfo).port,
    host: "127.0.0.1",
    onread: { buffer: Buffer.alloc(1), callback: () => false },
  });
  await once(carrier, "connect");
  open.defer(() => void carrier.destroy());
  carrier.pause();
  const stream = new made.Stream(context, fdOf(carrier), {}, () => {});
  assert.equal(await shakeHands(stream), "done");
  assert.equal(bugs.length, 1);
  stream.free();
  assert.equal(callbacks.size, 0);
});

test("a connection that cannot begin leaves nothing behind", { skip: !isLinux }, async () => {
  const made = await engine();
  using callbacks = new made.SslCallbacks(() => {});
  using context = new made.SslClientContext(clientTls({}), undefined, callbacks);
  const start = { alpnProtocols: ["x".repeat(256)] };
  assert.throws(() => new made.Stream(context, 0, start, () => {}));
  assert.equal(callbacks.size, 0);
});

test(
  "a context that was disposed takes no connection, and those that it has live on",
  { skip: !isLinux },
  async () => {
    await using open = new AsyncDisposableStack();
    const made = await engine();
    using callbacks = new made.SslCallbacks((error) => assert.fail(String(error)));
    const context = serverContext(made, callbacks);
    const { port, next } = await listening(open);
    const client = tls.connect({
      port,
      host: "127.0.0.1",
      rejectUnauthorized: false,
      cert: own.certificate,
      key: own.privateKey,
    });
    client.on("error", () => {});
    open.defer(() => void client.destroy());
    const carrier = await next;
    open.defer(() => void carrier.destroy());
    const stream = new made.Stream(context, fdOf(carrier), {}, () => {});
    context[Symbol.dispose]();
    context[Symbol.dispose]();
    assert.throws(() => new made.Stream(context, 0, {}, () => {}), /bug: used after it was freed/);
    assert.equal(await shakeHands(stream), "done");
    assert(stream.session);
    stream.free();
    // What was read before is still there.
    assert.equal(stream.session.serverName, "");
    assert.equal(stream.session.ownCertificate, undefined);
  },
);
