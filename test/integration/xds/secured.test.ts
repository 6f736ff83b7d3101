/**
 * TLS to the control plane, over the whole proxy. The certificates are the tests' own, and `SLUICE_TEST_PROXY=envoy` runs
 * what is not about Sluice's own words against Envoy.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { TestAuthority } from "../../support/certificates.ts";
import { ProxyProcess } from "../../support/proxy-process.ts";
import {
  fromFile,
  secretFileText,
  securedBootstrap,
  SecuredServer,
  type SecuredServerOptions,
  tlsSocket,
} from "../../support/secured-server.ts";
import { httpListener, routesTo } from "../../support/truth-resources.ts";
import { until } from "../../support/until.ts";

const isEnvoy = process.env["SLUICE_TEST_PROXY"] !== undefined;

const listener = (name: string): object =>
  httpListener(name, { route_config: { ...routesTo("nowhere"), validate_clusters: false } });

/** Resolves when a proxy of this bootstrap has taken a push. */
async function isServed(
  control: SecuredServer,
  bootstrap: object,
  use: (proxy: ProxyProcess) => Promise<void> = async () => {},
): Promise<void> {
  control.pushing.offer("clusters", []);
  control.pushing.offer("listeners", []);
  await using proxy = await ProxyProcess.start(bootstrap);
  await control.pushing.accepted("listeners", [listener("a")]);
  await until(async () => (await proxy.listenerPorts()).has("a"), "it serves");
  assert.equal(await proxy.stat("control_plane.connected_state"), 1);
  await use(proxy);
}

const trusted = (control: SecuredServer, fields: object = {}): object => ({
  validation_context: { trusted_ca: { filename: control.file("ca.pem") }, ...fields },
});
const named = (exact: string, type = "DNS"): object => ({
  match_typed_subject_alt_names: [{ san_type: type, matcher: { exact } }],
});

for (const apiType of ["GRPC", "DELTA_GRPC"])
  test(`${apiType}: the server is who it says, by CA and by name`, async () => {
    await using control = await SecuredServer.start();
    const socket = tlsSocket(trusted(control, named("xds.test")));
    await isServed(
      control,
      securedBootstrap(control.pushing.address, socket, apiType),
      async (proxy) => {
        assert.equal(await proxy.stat("cluster.control.ssl.handshake"), 1);
      },
    );
  });

test("both sides show certificates", async () => {
  await using control = await SecuredServer.start({ asksClient: true });
  control.write("client", control.authority.issue(["URI:spiffe://sluice/proxy"]));
  const certificate = {
    certificate_chain: { filename: control.file("client.pem") },
    private_key: { filename: control.file("client.key") },
  };
  const socket = tlsSocket({ tls_certificates: [certificate], ...trusted(control) });
  await isServed(control, securedBootstrap(control.pushing.address, socket));
});

test("the client's key may be behind a password", async () => {
  await using control = await SecuredServer.start({ asksClient: true });
  const client = control.authority.issue(["URI:spiffe://sluice/proxy"]);
  control.writeText("client.pem", client.certificate);
  control.writeText("client.key", control.authority.encrypt(client, "open sesame"));
  const certificate = {
    certificate_chain: { filename: control.file("client.pem") },
    private_key: { filename: control.file("client.key") },
    password: { inline_string: "open sesame" },
  };
  const socket = tlsSocket({ tls_certificates: [certificate], ...trusted(control) });
  await isServed(control, securedBootstrap(control.pushing.address, socket));
});

test("a list of revoked certificates lets the others through", async () => {
  await using control = await SecuredServer.start();
  const another = control.authority.issue(["DNS:xds.test"]);
  control.writeText("crl.pem", control.authority.revocationList([another]));
  const crl = { filename: control.file("crl.pem") };
  const socket = tlsSocket(trusted(control, { crl }));
  await isServed(control, securedBootstrap(control.pushing.address, socket));
});

test("over a Unix socket, with a CA and no name", async () => {
  await using control = await SecuredServer.start({ address: (folder) => `unix:${folder}/xds` });
  const socket = tlsSocket(trusted(control));
  const base = securedBootstrap("127.0.0.1:1", socket) as {
    static_resources: { clusters: readonly [{ load_assignment: object }] };
  };
  const [cluster] = base.static_resources.clusters;
  const endpoint = { address: { pipe: { path: control.file("xds") } } };
  cluster.load_assignment = {
    cluster_name: "control",
    endpoints: [{ lb_endpoints: [{ endpoint }] }],
  };
  await isServed(control, base);
});

test("without a validation context anybody is the server, and that is warned of", async () => {
  await using control = await SecuredServer.start({ names: ["DNS:somebody.else"], days: -1 });
  const bootstrap = securedBootstrap(control.pushing.address, tlsSocket({}));
  await isServed(control, bootstrap, async (proxy) => {
    if (!isEnvoy)
      assert.match(proxy.log, /it has no validation context, so the server's certificate/);
  });
});

interface Failure {
  readonly what: string;
  readonly server?: SecuredServerOptions;
  readonly common: (control: SecuredServer) => object;
  readonly reason: RegExp;
  readonly counted: string;
}

const failures: readonly Failure[] = [
  {
    what: "another CA",
    common: (control) => {
      using other = new TestAuthority("other");
      control.writeText("other.pem", other.certificate);
      return { validation_context: { trusted_ca: { filename: control.file("other.pem") } } };
    },
    reason: /certificate verify failed: unable to (get local issuer|verify the first) certificate/,
    counted: "fail_verify_error",
  },
  {
    what: "an expired certificate",
    server: { days: -1 },
    common: (control) => trusted(control),
    reason: /certificate verify failed: certificate has expired/,
    counted: "fail_verify_error",
  },
  {
    what: "another name",
    common: (control) => trusted(control, named("other.test")),
    reason: /verify cert failed: SAN matcher, certificate SANs are \[xds.test, 127.0.0.1\]/,
    counted: "fail_verify_san",
  },
  {
    what: "a revoked certificate",
    common: (control) => {
      const certificate = readFileSync(control.file("server.pem"), "utf8");
      const list = control.authority.revocationList([{ certificate, privateKey: "" }]);
      control.writeText("crl.pem", list);
      return trusted(control, { crl: { filename: control.file("crl.pem") } });
    },
    reason: /certificate verify failed: certificate revoked/,
    counted: "fail_verify_error",
  },
  {
    what: "another hash",
    common: (control) => trusted(control, { verify_certificate_hash: ["00".repeat(32)] }),
    reason: /verify cert failed: cert hash and spki/,
    counted: "fail_verify_cert_hash",
  },
  {
    what: "a server that wants a certificate of the client",
    server: { asksClient: true },
    common: (control) => trusted(control),
    reason: /closed|handshake|reset|ECONN|EPIPE|alert/i,
    counted: "connection_error",
  },
];

for (const { what, server, common, reason, counted } of failures)
  test(`${what}: it is said in words, counted, and tried again`, async () => {
    await using control = await SecuredServer.start(server);
    const patient = { initial_fetch_timeout: "0.1s" };
    const bootstrap = securedBootstrap(control.pushing.address, tlsSocket(common(control))) as {
      dynamic_resources: { lds_config: object; cds_config: object };
    };
    Object.assign(bootstrap.dynamic_resources.lds_config, patient);
    await using proxy = await ProxyProcess.start(bootstrap);
    await until(
      async () => (await proxy.stat(`cluster.control.ssl.${counted}`)) >= 2,
      "it is tried again",
    );
    assert.equal(await proxy.stat("control_plane.connected_state"), 0);
    await until(
      async () => (await proxy.stat("cluster_manager.cds.update_failure")) >= 1,
      "it is counted",
    );
    if (isEnvoy) return;
    assert.match(proxy.log, reason);
    const { stdout } = spawnSync(
      path.resolve("bin/sluice"),
      ["status", "--admin", proxy.adminAddress],
      { encoding: "utf8" },
    );
    assert.match(stdout, reason);
  });

test("a certificate of SDS that is replaced serves the next connections; a broken one leaves the old", async () => {
  await using control = await SecuredServer.start({ asksClient: true });
  using stranger = new TestAuthority("stranger");
  control.write("client", stranger.issue(["DNS:client.test"]));
  const tlsCertificate = {
    certificate_chain: { filename: control.file("client.pem") },
    private_key: { filename: control.file("client.key") },
  };
  control.writeText("own.yaml", secretFileText({ name: "own", tls_certificate: tlsCertificate }));
  const context = { trusted_ca: { filename: control.file("ca.pem") } };
  control.writeText("peer.yaml", secretFileText({ name: "peer", validation_context: context }));
  const socket = tlsSocket({
    tls_certificate_sds_secret_configs: [fromFile("own", control.file("own.yaml"))],
    combined_validation_context: {
      default_validation_context: named("xds.test"),
      validation_context_sds_secret_config: fromFile("peer", control.file("peer.yaml")),
    },
  });
  const bootstrap = securedBootstrap(control.pushing.address, socket) as {
    dynamic_resources: { lds_config: object; cds_config: object };
  };
  const impatient = { initial_fetch_timeout: "0.1s" };
  Object.assign(bootstrap.dynamic_resources.lds_config, impatient);
  control.pushing.offer("clusters", []);
  control.pushing.offer("listeners", [listener("a")]);
  await using proxy = await ProxyProcess.start(bootstrap);
  await until(
    async () => (await proxy.stat("cluster_manager.cds.update_failure")) >= 1,
    "the stranger is refused",
  );
  control.write("client", control.authority.issue(["DNS:client.test"]));
  await until(async () => (await proxy.listenerPorts()).has("a"), "the new certificate is shown");

  control.writeText("client.pem", "nonsense");
  await until(async () => (await proxy.stat("sds.own.key_rotation_failed")) >= 1, "it is counted");
  control.pushing.server.resetConnections();
  await until(() => control.pushing.server.clientCount === 0, "it is cut off");
  await control.pushing.accepted("listeners", [listener("a"), listener("b")]);
});

test("the server's certificate may be replaced by one of another CA that was made known before", async () => {
  await using control = await SecuredServer.start();
  using next = new TestAuthority("next");
  const context = { trusted_ca: { filename: control.file("ca.pem") } };
  control.writeText("peer.yaml", secretFileText({ name: "peer", validation_context: context }));
  const socket = tlsSocket({
    validation_context_sds_secret_config: fromFile("peer", control.file("peer.yaml")),
  });
  await isServed(control, securedBootstrap(control.pushing.address, socket), async (proxy) => {
    const updates = "cluster.control.client_ssl_socket_factory.ssl_context_update_by_sds";
    const before = await proxy.stat(updates);
    control.writeText("ca.pem", control.authority.certificate + next.certificate);
    await until(async () => (await proxy.stat(updates)) > before, "both are trusted");
    control.write("server", next.issue(["DNS:xds.test"]));
    control.pushing.server.resetConnections();
    await until(() => control.pushing.server.clientCount === 0, "it is cut off");
    await control.pushing.accepted("listeners", [listener("a"), listener("b")]);
  });
});
