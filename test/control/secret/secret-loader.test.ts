import assert from "node:assert/strict";
import { after, test } from "node:test";
import type {
  SecretValue,
  TlsCertificateConfig,
  ValidationContextConfig,
} from "../../../src/control/config/secret-config.ts";
import type { DataSource } from "../../../src/control/config/data-source.ts";
import { validationContextDefaults } from "../../../src/control/config/validation-contexts.ts";
import { loadSecret } from "../../../src/control/secret/secret-loader.ts";
import { TestAuthority } from "../../support/certificates.ts";
import { FakeSecretFiles } from "../../support/fake-secret-files.ts";

const authority = new TestAuthority();
after(() => authority[Symbol.dispose]());
const { certificate, privateKey } = authority.issue(["DNS:a.test"]);
const other = authority.issue(["DNS:b.test"]);

const inline = (text: string): DataSource => ({ kind: "inline", bytes: Buffer.from(text) });
const file = (path: string): DataSource => ({ kind: "file", path, watchedDirectory: undefined });

const nothing: TlsCertificateConfig = {
  certificateChain: undefined,
  privateKey: undefined,
  password: undefined,
  ocspStaple: undefined,
  watchedDirectory: undefined,
};

function errorOf(value: SecretValue, files = new FakeSecretFiles()): string {
  const loaded = loadSecret(value, files);
  return loaded.ok ? "" : loaded.error;
}

const ofTls = (chain?: DataSource, key?: DataSource): string =>
  errorOf({
    kind: "tlsCertificate",
    certificate: { ...nothing, certificateChain: chain, privateKey: key },
  });

const ofContext = (context: Partial<ValidationContextConfig>): string =>
  errorOf({ kind: "validationContext", context: { ...validationContextDefaults, ...context } });

test("a certificate and its key are good; what is wrong with them is said in Envoy's words", () => {
  assert.equal(ofTls(inline(certificate), inline(privateKey)), "");
  assert.equal(ofTls(inline(certificate + authority.certificate), inline(privateKey)), "");
  assert.equal(ofTls(), "Failed to load incomplete private key from path: ");
  assert.equal(ofTls(inline(certificate)), "Failed to load incomplete private key from path: ");
  assert.equal(
    ofTls(undefined, inline(privateKey)),
    "Failed to load incomplete certificate from : certificate chain not set",
  );
  assert.equal(
    ofTls(inline("garbage"), inline(privateKey)),
    "Failed to load certificate chain from <inline>",
  );
  assert.equal(
    ofTls(inline(certificate), inline("garbage")),
    "Failed to load private key from <inline>, Cause: error:0900006e:PEM routines:OPENSSL_internal:NO_START_LINE",
  );
  assert.equal(
    ofTls(inline(certificate), inline(other.privateKey)),
    "Failed to load private key from <inline>, Cause: error:0b000074:X.509 certificate routines:OPENSSL_internal:KEY_VALUES_MISMATCH",
  );
  assert.equal(ofTls(file("/nope"), inline(privateKey)), "Invalid path: /nope");
  assert.equal(
    ofTls({ kind: "environment", name: "NOPE" }, inline(privateKey)),
    "Environment variable doesn't exist: NOPE",
  );
});

test("a validation context needs a CA for names and for a CRL", () => {
  assert.equal(ofContext({}), "");
  assert.equal(ofContext({ trustedCa: inline(authority.certificate) }), "");
  assert.equal(
    ofContext({ trustedCa: inline("garbage") }),
    "Failed to load trusted CA certificates from <inline>",
  );
  assert.equal(ofContext({ trustedCa: inline("") }), "DataSource cannot be empty");
  assert.equal(
    ofContext({
      subjectAltNames: [
        { type: "dns", matcher: { kind: "exact", value: "a.test", ignoreCase: false } },
      ],
    }),
    "SAN-based verification of peer certificates without trusted CA is insecure and not allowed",
  );
  assert.equal(
    ofContext({ crl: inline("x") }),
    "Failed to load CRL from <inline> without trusted CA",
  );
  assert.equal(
    ofContext({ trustedCa: inline(authority.certificate), crl: inline("garbage") }),
    "Failed to load CRL from <inline>",
  );
});

test("ticket keys have 80 bytes; a generic secret loses the line break that its file ends with", () => {
  const keys = [inline("x".repeat(80)), inline("y".repeat(60))];
  assert.equal(
    errorOf({ kind: "sessionTicketKeys", keys }),
    "Incorrect TLS session ticket key length. Length 60, expected length 80.",
  );
  const files = new FakeSecretFiles();
  files.move("/s/token", " a b \r\n");
  files.variables.set("TOKEN", "from the environment");
  const textOf = (secret: DataSource | undefined): unknown => {
    const loaded = loadSecret({ kind: "genericSecret", secret }, files);
    return loaded.ok && loaded.material.kind === "genericSecret" && loaded.material.text;
  };
  assert.equal(textOf(file("/s/token")), " a b ");
  assert.equal(textOf({ kind: "environment", name: "TOKEN" }), "from the environment");
  assert.equal(textOf(undefined), "");
});

test("a key that is too weak is refused before a worker meets it", () => {
  const weak = authority.issue(["DNS:a.test"], { key: "weakRsa" });
  assert.equal(
    ofTls(inline(weak.certificate), inline(weak.privateKey)),
    "Failed to load certificate chain from <inline>, only RSA certificates with 2048-bit or larger keys are supported",
  );
  const strong = authority.issue(["DNS:a.test"], { key: "rsa" });
  assert.equal(ofTls(inline(strong.certificate), inline(strong.privateKey)), "");
});
