/**
 * Which TLS a bootstrap may ask for. Each is accepted or refused as by Envoy, which `SLUICE_TEST_PROXY=envoy` shows; what
 * is refused by Sluice alone stands apart.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, test } from "node:test";
import { TestAuthority } from "../../support/certificates.ts";
import { fromFile, securedBootstrap, tlsSocket } from "../../support/secured-server.ts";
import { validateBootstrap } from "../../support/validate-program.ts";

const isEnvoy = process.env["SLUICE_TEST_PROXY"] !== undefined;
const folder = mkdtempSync(path.join(tmpdir(), "sluice-tls-judged-"));
const authority = new TestAuthority();
const own = authority.issue(["DNS:client.test"]);
const other = authority.issue(["DNS:client.test"]);
after(() => {
  authority[Symbol.dispose]();
  rmSync(folder, { recursive: true });
});

function file(name: string, text: string): string {
  writeFileSync(path.join(folder, name), text);
  return path.join(folder, name);
}

const inline = (text: string): object => ({ inline_string: text });
const ca = { trusted_ca: inline(authority.certificate) };
const caFile = file("ca.pem", authority.certificate);
const certificate = {
  certificate_chain: inline(own.certificate),
  private_key: inline(own.privateKey),
};
const name = (sanType: string, matcher: object): object => ({ san_type: sanType, matcher });
const peer = (fields: object): object => ({ validation_context: { ...ca, ...fields } });
const bytes = (text: string): object => ({ inline_bytes: Buffer.from(text).toString("base64") });

const good: Readonly<Record<string, object>> = {
  nothing: {},
  "a CA of a file": { validation_context: { trusted_ca: { filename: caFile } } },
  "a CA in bytes": { validation_context: { trusted_ca: bytes(authority.certificate) } },
  "a CA of the environment": {
    validation_context: { trusted_ca: { environment_variable: "SLUICE_TEST_CA" } },
  },
  "the CAs of the system": { validation_context: { system_root_certs: {} } },
  "a certificate": { tls_certificates: [certificate], ...peer({}) },
  "names of every kind": peer({
    match_typed_subject_alt_names: [
      name("DNS", { exact: "a.test" }),
      name("DNS", { suffix: ".test" }),
      name("URI", { prefix: "spiffe://" }),
      name("EMAIL", { contains: "@" }),
      name("IP_ADDRESS", { exact: "127.0.0.1" }),
      name("DNS", { safe_regex: { regex: "a[0-9]+" } }),
    ],
  }),
  hashes: peer({
    verify_certificate_hash: ["ab".repeat(32), Array(32).fill("CD").join(":")],
    verify_certificate_spki: [Buffer.alloc(32, 7).toString("base64")],
  }),
  "a hash without a CA": { validation_context: { verify_certificate_hash: ["ab".repeat(32)] } },
  "whoever it is": peer({ trust_chain_verification: "ACCEPT_UNTRUSTED" }),
  "TLS 1.3": {
    tls_params: {
      tls_minimum_protocol_version: "TLSv1_2",
      tls_maximum_protocol_version: "TLSv1_3",
    },
  },
  "ciphers and curves": {
    tls_params: {
      cipher_suites: [
        "[ECDHE-ECDSA-AES128-GCM-SHA256|ECDHE-ECDSA-CHACHA20-POLY1305]",
        "ECDHE-RSA-AES256-GCM-SHA384",
      ],
      ecdh_curves: ["X25519", "P-256"],
    },
  },
  "ALPN with h2": { alpn_protocols: ["h2", "http/1.1"] },
  "a certificate of the bootstrap": { tls_certificate_sds_secret_configs: [{ name: "own" }] },
  "a CA of the bootstrap, with names beside it": {
    combined_validation_context: {
      default_validation_context: {
        match_typed_subject_alt_names: [name("DNS", { exact: "a.test" })],
      },
      validation_context_sds_secret_config: { name: "peer" },
    },
  },
  "a CA by SDS from a file": {
    validation_context_sds_secret_config: fromFile("peer", file("peer.yaml", "{}")),
  },
};

const bad: Readonly<Record<string, readonly [common: object, reason: RegExp]>> = {
  "a CA that is not there": [
    { validation_context: { trusted_ca: { filename: "/nowhere/ca.pem" } } },
    /Invalid path: \/nowhere\/ca.pem/i,
  ],
  "a CA that is none": [
    { validation_context: { trusted_ca: inline("nonsense") } },
    /Failed to load trusted CA certificates from <inline>/,
  ],
  "a CA that is empty": [
    { validation_context: { trusted_ca: { inline_string: "" } } },
    /cannot be empty|min_len|at least 1/,
  ],
  "a variable that is not there": [
    { validation_context: { trusted_ca: { environment_variable: "SLUICE_NOWHERE" } } },
    /Environment variable doesn't exist: SLUICE_NOWHERE/,
  ],
  "names without a CA": [
    {
      validation_context: {
        match_typed_subject_alt_names: [name("DNS", { exact: "a" })],
      },
    },
    /SAN-based verification of peer certificates without trusted CA is insecure and not allowed/,
  ],
  "a name of no kind": [
    peer({ match_typed_subject_alt_names: [{ matcher: { exact: "a" } }] }),
    /SanType|san_type/,
  ],
  "a hash that is too short": [
    peer({ verify_certificate_hash: ["ab"] }),
    /verify_certificate_hash|VerifyCertificateHash|SHA-256/,
  ],
  "a key hash that is none": [
    peer({ verify_certificate_spki: ["ab"] }),
    /verify_certificate_spki|VerifyCertificateSpki|SHA-256/,
  ],
  "a key of another certificate": [
    { tls_certificates: [{ ...certificate, private_key: inline(other.privateKey) }] },
    /Failed to load private key from <inline>, Cause: .*KEY_VALUES_MISMATCH/,
  ],
  "a certificate without its key": [
    { tls_certificates: [{ certificate_chain: inline(own.certificate) }] },
    /incomplete private key/,
  ],
  "two certificates": [
    { tls_certificates: [certificate, certificate] },
    /Multiple TLS certificates are not supported for client contexts/,
  ],
  "a cipher that nobody knows": [
    { tls_params: { cipher_suites: ["ECDHE-NONSENSE"] } },
    /Failed to initialize cipher suites ECDHE-NONSENSE.*ECDHE-NONSENSE/s,
  ],
  "a curve that nobody knows": [{ tls_params: { ecdh_curves: ["P-7"] } }, /ECDH curves P-7/],
  "a secret that the bootstrap does not have": [
    { tls_certificate_sds_secret_configs: [{ name: "nobody" }] },
    /Unknown static secret: nobody/,
  ],
  "a CRL without a CA": [
    { validation_context: { crl: inline("x") } },
    /Failed to load CRL from <inline> without trusted CA/,
  ],
};

/** As a person would see it: what Sluice does not build is said by name, where Envoy goes on. */
const badHere: Readonly<Record<string, readonly [common: object, reason: RegExp]>> = {
  "ALPN without h2": [
    { alpn_protocols: ["http/1.1"] },
    /alpn_protocols must have h2, which gRPC is spoken over/,
  ],
  "a depth of chains": [
    peer({ max_verify_depth: 3 }),
    /max_verify_depth is not supported for what Sluice itself sends/,
  ],
  "secrets over the cluster itself": [
    {
      validation_context_sds_secret_config: {
        name: "peer",
        sds_config: { ads: {}, resource_api_version: "V3" },
      },
    },
    /SDS secret 'peer' would have to come over this cluster itself/,
  ],
};

process.env["SLUICE_TEST_CA"] = authority.certificate;

function judge(common: object): ReturnType<typeof validateBootstrap> {
  const bootstrap = securedBootstrap("127.0.0.1:1", tlsSocket(common)) as {
    static_resources: { secrets?: object };
  };
  bootstrap.static_resources.secrets = [
    { name: "own", tls_certificate: certificate },
    { name: "peer", validation_context: ca },
  ];
  return validateBootstrap(bootstrap, folder);
}

for (const [what, common] of Object.entries(good))
  test(`is accepted: ${what}`, () => {
    const { isAccepted, output } = judge(common);
    assert(isAccepted, output);
  });

for (const [what, [common, reason]] of Object.entries(bad))
  test(`is refused: ${what}`, () => {
    const { isAccepted, output } = judge(common);
    assert(!isAccepted);
    assert.match(output, reason);
  });

for (const [what, [common, reason]] of Object.entries(badHere))
  test(`is refused here: ${what}`, { skip: isEnvoy && "it is Sluice's own" }, () => {
    const { isAccepted, output } = judge(common);
    assert(!isAccepted);
    assert.match(output, reason);
  });

test(
  "names by request are refused",
  {
    skip: isEnvoy,
  },
  () => {
    const socket = tlsSocket({}, { auto_sni_san_validation: true });
    const newer = validateBootstrap(securedBootstrap("127.0.0.1:1", socket), folder);
    assert.match(newer.output, /auto_sni_san_validation is not supported/);
    assert(!newer.isAccepted);
  },
);

test("a filter chain's TLS is judged as strictly as when it serves", () => {
  const type = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext";
  const proxy = {
    "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
    stat_prefix: "tcp",
    cluster: "control",
  };
  const judged = (common: object, fields: object = {}) => {
    const socket = { "@type": type, common_tls_context: common, ...fields };
    const listener = {
      name: "tcp",
      address: { socket_address: { address: "127.0.0.1", port_value: 0 } },
      filter_chains: [
        {
          filters: [{ name: "tcp", typed_config: proxy }],
          transport_socket: { name: "tls", typed_config: socket },
        },
      ],
    };
    const bootstrap = securedBootstrap("127.0.0.1:1", tlsSocket({})) as {
      static_resources: object;
    };
    const resources = { ...bootstrap.static_resources, listeners: [listener] };
    return validateBootstrap({ ...bootstrap, static_resources: resources }, folder);
  };
  const good = judged({ tls_certificates: [certificate] });
  assert(good.isAccepted, good.output);
  const cases = [
    [{}, {}, /No TLS certificates found for server context/],
    [
      { tls_certificates: [{ ...certificate, private_key: inline(other.privateKey) }] },
      {},
      /Failed to load private key from <inline>, Cause: .*KEY_VALUES_MISMATCH/,
    ],
    [
      { tls_certificates: [certificate] },
      { ocsp_staple_policy: "MUST_STAPLE" },
      /Required OCSP response is missing from TLS context/,
    ],
    [
      { tls_certificates: [certificate] },
      { session_ticket_keys: { keys: [inline("abc")] } },
      /Incorrect TLS session ticket key length. Length 3, expected length 80./,
    ],
    [
      { tls_certificate_sds_secret_configs: [{ name: "nobody" }] },
      {},
      /Unknown static secret: nobody/,
    ],
  ] as const;
  for (const [common, fields, reason] of cases) {
    const { isAccepted, output } = judged(common, fields);
    assert(!isAccepted);
    assert.match(output, reason);
  }
});
