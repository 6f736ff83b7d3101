import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { after, before, test } from "node:test";
import { BehaviorSubject } from "rxjs";
import type { DecodedSecret } from "../../../src/control/config/secret-config.ts";
import type { UpstreamTlsConfig, TlsSecret } from "../../../src/control/config/tls-config.ts";
import { validationContextDefaults } from "../../../src/control/config/validation-contexts.ts";
import { tlsParameterDefaults } from "../../../src/control/config/tls-parameters.ts";
import { SecretManager } from "../../../src/control/secret/secret-manager.ts";
import { TlsClient } from "../../../src/control/tls/tls-client.ts";
import { TlsStats } from "../../../src/control/tls/tls-stats.ts";
import type { ResourceState } from "../../../src/control/xds/resource-batch.ts";
import { TestAuthority } from "../../support/certificates.ts";
import { FakeSecretFiles } from "../../support/fake-secret-files.ts";
import { FakeStats } from "../../support/fake-stats.ts";
import { recordingLogger } from "../../support/recording-logger.ts";
import { SecuredServer } from "../../support/secured-server.ts";

let server: SecuredServer;
before(async () => {
  server = await SecuredServer.start();
});
after(() => server[Symbol.asyncDispose]());

const caFile = "/tls/ca.pem";
const validationOf = (path: string): DecodedSecret["value"] => ({
  kind: "validationContext",
  context: {
    ...validationContextDefaults,
    trustedCa: { kind: "file", path, watchedDirectory: undefined },
  },
});
const inline: TlsSecret = { kind: "inline", value: validationOf(caFile) };
const named: TlsSecret = {
  kind: "named",
  reference: {
    name: "peer",
    kind: "validationContext",
    source: { kind: "path", path: "/sds", watchedDirectory: undefined, initialFetchTimeoutMs: 1 },
  },
};

class Fixture implements Disposable {
  readonly files = new FakeSecretFiles();
  readonly stats = new FakeStats();
  readonly state = new BehaviorSubject<ResourceState<DecodedSecret>>({ kind: "requested" });
  readonly log = recordingLogger();
  readonly client: TlsClient;

  constructor(secret: TlsSecret) {
    this.files.move(caFile, server.authority.certificate);
    const secrets = new SecretManager({
      statics: [],
      source: () => this.state,
      files: this.files,
      stats: this.stats,
      wallTime: () => 0,
      log: this.log.logger,
    });
    const config: UpstreamTlsConfig = {
      id: "control",
      certificate: undefined,
      validation: { secret, defaults: undefined },
      sni: "xds.test",
      autoHostSni: false,
      alpnProtocols: [],
      parameters: tlsParameterDefaults,
      allowRenegotiation: false,
      maxSessionKeys: 1,
      keyLog: undefined,
    };
    this.client = new TlsClient({
      config,
      name: "control",
      secrets,
      files: this.files,
      stats: new TlsStats("control", this.stats),
      log: this.log.logger,
    });
  }

  /** The protocol that is spoken, or what went wrong. */
  async connect(): Promise<string> {
    const [host = "", port = ""] = server.pushing.address.split(":");
    const socket: Socket = connect({ host, port: Number(port) });
    try {
      const secured = await this.client.secure(socket, "h2");
      secured.destroy();
      return "secured";
    } catch (error) {
      return String(error);
    }
  }

  [Symbol.dispose](): void {
    this.client[Symbol.dispose]();
  }
}

test("a CA in a file: a new one counts for the next connection, a broken one leaves the old", async () => {
  using fixture = new Fixture(inline);
  using other = new TestAuthority("other");
  assert.equal(await fixture.connect(), "secured");
  fixture.files.move(caFile, "nonsense");
  assert.equal(await fixture.connect(), "secured");
  const failed = "sluice.secret.control.validation_context.key_rotation_failed";
  assert.equal(fixture.stats.value(failed), 1);
  fixture.files.move(caFile, other.certificate);
  assert.match(await fixture.connect(), /^TLS error: certificate verify failed: /);
  assert.equal(fixture.stats.value("cluster.control.ssl.fail_verify_error"), 1);
  assert.equal(fixture.stats.value("cluster.control.ssl.handshake"), 2);
});

test("a secret that has not come is waited for, and without it nothing is connected", async () => {
  using fixture = new Fixture(named);
  let isReady = false;
  const ready = fixture.client.ready().then(() => (isReady = true));
  assert.match(await fixture.connect(), /TLS error: the secrets of 'control' have not come/);
  const notReady = "cluster.control.client_ssl_socket_factory.upstream_context_secrets_not_ready";
  assert.equal(fixture.stats.value(notReady), 1);
  assert.equal(isReady, false);
  const value: DecodedSecret = {
    name: "peer",
    value: validationOf(caFile),
    bytes: new Uint8Array(),
  };
  fixture.state.next({
    kind: "present",
    resource: { name: "peer", version: "1", bytes: new Uint8Array(), value },
  });
  await ready;
  assert.equal(await fixture.connect(), "secured");
});
