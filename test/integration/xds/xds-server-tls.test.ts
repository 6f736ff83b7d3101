/** `sluice xds-server` with TLS, as a program. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type ConnectionOptions } from "node:tls";
import { test } from "node:test";
import { TestAuthority } from "../../support/certificates.ts";
import { SluiceProgram } from "../../support/sluice-program.ts";
import { until } from "../../support/until.ts";

const anywhere = ["--address", "127.0.0.1:0", "--http-address", "127.0.0.1:0"];

/** Who the server says it is: the issuer of its certificate. */
async function issuer(options: ConnectionOptions): Promise<string> {
  const socket = connect({ ALPNProtocols: ["h2"], servername: "xds.test", ...options });
  await once(socket, "secureConnect");
  const { issuer: named } = socket.getPeerCertificate();
  socket.destroy();
  return String(named.CN);
}

test("it serves TLS on both ports, and reads its certificate again for each connection", async () => {
  using authority = new TestAuthority("first");
  using next = new TestAuthority("second");
  const { certificate, privateKey } = authority.issue(["DNS:xds.test"]);
  const flags = ["--tls-cert", "server.pem", "--tls-key", "server.key"];
  await using program = new SluiceProgram(["xds-server", ...anywhere, ...flags], {
    files: { "server.pem": certificate, "server.key": privateKey },
  });
  const [, grpc, http] = await until(
    () => /on port (\d+), its HTTP API on port (\d+), with TLS/.exec(program.stdout) ?? undefined,
    "it serves",
  );
  for (const port of [grpc, http])
    assert.equal(await issuer({ port: Number(port), ca: authority.certificate }), "first");

  program.write("server.pem", "nonsense");
  assert.equal(await issuer({ port: Number(grpc), ca: authority.certificate }), "first");
  await until(() => /the certificates stay as they were/.test(program.stdout), "it is said");
  const renewed = next.issue(["DNS:xds.test"]);
  program.write("server.pem", renewed.certificate);
  program.write("server.key", renewed.privateKey);
  assert.equal(await issuer({ port: Number(grpc), ca: next.certificate }), "second");
});

test("half of a pair, and a file that is no certificate, end it with a sentence", async () => {
  for (const [flags, reason] of [
    [["--tls-cert", "a.pem"], /TLS needs both --tls-cert and --tls-key/],
    [["--client-ca", "a.pem"], /TLS needs both --tls-cert and --tls-key/],
    [["--tls-cert", "a.pem", "--tls-key", "a.pem"], /^sluice xds-server: .+/],
  ] as const) {
    await using program = new SluiceProgram(["xds-server", ...anywhere, ...flags], {
      files: { "a.pem": "nonsense" },
    });
    assert.equal(await program.exit, 1);
    assert.match(program.stderr, reason);
  }
});
