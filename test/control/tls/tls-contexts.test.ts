import assert from "node:assert/strict";
import { after, test } from "node:test";
import { BehaviorSubject } from "rxjs";
import type { DecodedSecret, SecretValue } from "../../../src/control/config/secret-config.ts";
import type { DownstreamTlsConfig, TlsSecret } from "../../../src/control/config/tls-config.ts";
import { tlsParameterDefaults } from "../../../src/control/config/tls-parameters.ts";
import { validationContextDefaults } from "../../../src/control/config/validation-contexts.ts";
import { SecretManager } from "../../../src/control/secret/secret-manager.ts";
import { serverOrder } from "../../../src/control/tls/context-order.ts";
import { contextErrorOf } from "../../../src/control/tls/judge-tls.ts";
import { renewEveryMs } from "../../../src/control/tls/own-ticket-keys.ts";
import { TlsContexts } from "../../../src/control/tls/tls-contexts.ts";
import type { ResourceState } from "../../../src/control/xds/resource-batch.ts";
import type { ServerTlsConfig } from "../../../src/shared/config/tls-config.ts";
import type { WorkerCommand } from "../../../src/shared/protocol/worker-command.ts";
import { TestAuthority, type TestCertificate } from "../../support/certificates.ts";
import { FakeSecretFiles } from "../../support/fake-secret-files.ts";
import { FakeStats } from "../../support/fake-stats.ts";
import { recordingLogger } from "../../support/recording-logger.ts";
import { seededRandom } from "../../support/seeded-random.ts";
import { VirtualClock } from "../../support/virtual-clock.ts";

const authority = new TestAuthority();
after(() => authority[Symbol.dispose]());
const first = authority.issue(["DNS:a.test"]);
const second = authority.issue(["DNS:a.test"]);

const inlineOf = (text: string) => ({ kind: "inline", bytes: Buffer.from(text) }) as const;
const certificateOf = ({ certificate, privateKey }: TestCertificate): SecretValue => ({
  kind: "tlsCertificate",
  certificate: {
    certificateChain: inlineOf(certificate),
    privateKey: inlineOf(privateKey),
    password: undefined,
    ocspStaple: undefined,
    watchedDirectory: undefined,
  },
});
const ads = { kind: "ads", initialFetchTimeoutMs: 15_000 } as const;
const named: TlsSecret = {
  kind: "named",
  reference: { name: "cert", kind: "tlsCertificate", source: ads },
};

function contextOf(
  certificate: TlsSecret,
  overrides: Partial<DownstreamTlsConfig> = {},
): DownstreamTlsConfig {
  return {
    id: "context",
    certificates: [certificate],
    validation: undefined,
    requireClientCertificate: false,
    alpnProtocols: [],
    parameters: tlsParameterDefaults,
    ticketKeys: { kind: "own" },
    sessionTimeoutS: undefined,
    disableStatefulResumption: false,
    ocspStaplePolicy: "lenient",
    preferClientCiphers: false,
    keyLog: undefined,
    ...overrides,
  };
}

/** Two workers that note what they are told, and answer when the test says so. */
class Fixture {
  readonly told: { readonly worker: number; readonly command: WorkerCommand }[] = [];
  readonly answers: (() => void)[] = [];
  readonly stats = new FakeStats();
  readonly files = new FakeSecretFiles();
  readonly log = recordingLogger();
  readonly clock = new VirtualClock();
  readonly state = new BehaviorSubject<ResourceState<DecodedSecret>>({ kind: "requested" });
  readonly contexts: TlsContexts;
  readyCount = 0;

  constructor() {
    const secrets = new SecretManager({
      statics: [],
      source: () => this.state,
      files: this.files,
      stats: this.stats,
      wallTime: () => 0,
      log: this.log.logger,
    });
    this.contexts = new TlsContexts({
      secrets,
      files: this.files,
      random: seededRandom(1),
      clock: this.clock,
      pool: {
        concurrency: 2,
        postTo: (worker, command) => void this.told.push({ worker, command }),
        request: (worker, build) => {
          this.told.push({ worker, command: build(7, worker) });
          return new Promise((resolve) => this.answers.push(resolve));
        },
      },
      stats: this.stats,
      log: this.log.logger,
    });
  }

  acquire(config: DownstreamTlsConfig, listener = "one") {
    return this.contexts.acquireServer(config, {
      statPrefix: `listener.${listener}.`,
      onReady: () => this.readyCount++,
    });
  }

  push(value: SecretValue, version = "1"): void {
    const secret = { name: "cert", value, bytes: new Uint8Array() };
    const resource = { name: "cert", version, value: secret, bytes: secret.bytes };
    this.state.next({ kind: "present", resource });
  }

  /** What a worker has now; undefined: nothing, or nothing any more. */
  held(worker: number): ServerTlsConfig | undefined {
    const commands = this.told.filter((one) => one.worker === worker).map(({ command }) => command);
    const last = commands.at(-1);
    if (last?.kind !== "setTls" || last.context.side !== "server") return undefined;
    return last.context.config;
  }
}

const pemOf = (config: ServerTlsConfig | undefined): string =>
  Buffer.from(config?.identities[0]?.chainPem ?? []).toString();

test("a worker has a context before whoever names it, and is told of what comes later", () => {
  const fixture = new Fixture();
  const lease = fixture.acquire(contextOf(named));
  assert.equal(lease.isReady, false);
  lease.provideTo(0);
  assert.deepEqual(fixture.told, []);
  fixture.push(certificateOf(first));
  assert.equal(lease.isReady, true);
  assert.equal(fixture.readyCount, 1);
  assert.equal(pemOf(fixture.held(0)), first.certificate);
  assert.equal(fixture.held(1), undefined);
  lease.provideTo(1);
  lease.provideTo(1);
  assert.equal(pemOf(fixture.held(1)), first.certificate);
  assert.equal(fixture.told.length, 2);
  lease[Symbol.dispose]();
  assert.deepEqual(fixture.told.slice(2), [
    { worker: 0, command: { kind: "removeTls", side: "server", id: "context" } },
    { worker: 1, command: { kind: "removeTls", side: "server", id: "context" } },
  ]);
});

test("a rotation reaches every worker that has it, and counts once all have taken it", async () => {
  const fixture = new Fixture();
  const lease = fixture.acquire(contextOf(named));
  fixture.push(certificateOf(first));
  lease.provideTo(0);
  lease.provideTo(1);
  fixture.push(certificateOf(second), "2");
  assert.equal(pemOf(fixture.held(0)), second.certificate);
  assert.equal(pemOf(fixture.held(1)), second.certificate);
  const rotated = (): number => fixture.stats.value("sluice.tls.contexts_rotated");
  fixture.answers[0]?.();
  await Promise.resolve();
  assert.equal(rotated(), 0);
  fixture.answers[1]?.();
  await new Promise(setImmediate);
  assert.equal(rotated(), 1);
  const updates = "listener.one.server_ssl_socket_factory.ssl_context_update_by_sds";
  assert.equal(fixture.stats.value(updates), 2);
});

test("a broken secret is refused, and what was good stays", () => {
  const fixture = new Fixture();
  const lease = fixture.acquire(contextOf(named));
  fixture.push(certificateOf(first));
  lease.provideTo(0);
  fixture.push(certificateOf({ ...first, privateKey: second.privateKey }), "2");
  assert.equal(pemOf(fixture.held(0)), first.certificate);
  assert.equal(fixture.told.length, 1);
  assert.match(fixture.log.lines.join("\n"), /KEY_VALUES_MISMATCH/);
});

test("a secret that does not come lets whoever waits go on without a context", () => {
  const fixture = new Fixture();
  const lease = fixture.acquire(contextOf(named));
  fixture.state.next({ kind: "absent", reason: "timeout" });
  assert.equal(lease.isReady, true);
  assert.equal(fixture.readyCount, 1);
  lease.provideTo(0);
  assert.deepEqual(fixture.told, []);
});

test("those who say the same share one context, and its stats are each one's own", () => {
  const fixture = new Fixture();
  const inline: TlsSecret = { kind: "inline", value: certificateOf(first) };
  const one = fixture.acquire(contextOf(inline), "one");
  const two = fixture.acquire(contextOf(inline), "two");
  one.provideTo(0);
  two.provideTo(0);
  assert.equal(fixture.told.length, 1);
  const expiry = (listener: string): number =>
    fixture.stats.value(
      `listener.${listener}.ssl.certificate.unnamed_cert_e3b0c442.expiration_unix_time_seconds`,
    );
  assert(expiry("one") > Date.now() / 1000);
  one[Symbol.dispose]();
  assert.equal(fixture.told.length, 1);
  assert(expiry("two") > Date.now() / 1000);
  two[Symbol.dispose]();
  assert.equal(fixture.told.length, 2);
  assert.deepEqual(fixture.contexts.certificates(), []);
  assert.deepEqual(
    fixture.stats.prefixes.filter((prefix) => prefix.startsWith("listener.")),
    [],
  );
});

test("own ticket keys stay over new certificates, not over new rules for clients", () => {
  const fixture = new Fixture();
  const validation = {
    kind: "inline",
    value: { kind: "validationContext", context: { ...validationContextDefaults } },
  } as const;
  const trusted = { ...validationContextDefaults, trustedCa: inlineOf(authority.certificate) };
  const rules: TlsSecret = {
    kind: "named",
    reference: { name: "cert", kind: "validationContext", source: ads },
  };
  const certificate: TlsSecret = { kind: "inline", value: certificateOf(first) };
  const plain = fixture.acquire(
    contextOf(named, { validation: { secret: validation, defaults: undefined } }),
  );
  fixture.push(certificateOf(first));
  plain.provideTo(0);
  const [before] = fixture.held(0)?.ticketKeys ?? [];
  fixture.push(certificateOf(second), "2");
  const [kept] = fixture.held(0)?.ticketKeys ?? [];
  assert.equal(before?.length, 80);
  assert.deepEqual(kept, before);
  plain[Symbol.dispose]();

  const other = new Fixture();
  const lease = other.acquire(
    contextOf(certificate, { validation: { secret: rules, defaults: undefined } }),
  );
  other.push({ kind: "validationContext", context: trusted });
  lease.provideTo(0);
  const [old] = other.held(0)?.ticketKeys ?? [];
  other.push({ kind: "validationContext", context: { ...trusted, maxVerifyDepth: 1 } }, "2");
  assert.notDeepEqual(other.held(0)?.ticketKeys[0], old);
});

test("what stands in a configuration is judged before anything is made of it", () => {
  const known = { statics: [], files: new FakeSecretFiles() };
  const errorOf = (config: DownstreamTlsConfig): string | undefined =>
    contextErrorOf(serverOrder(config), known);
  const good: TlsSecret = { kind: "inline", value: certificateOf(first) };
  assert.equal(errorOf(contextOf(good)), undefined);
  assert.equal(errorOf(contextOf(named)), undefined);
  const mixed = certificateOf({ ...first, privateKey: second.privateKey });
  assert.match(errorOf(contextOf({ kind: "inline", value: mixed })) ?? "", /KEY_VALUES_MISMATCH/);
  assert.equal(
    errorOf(contextOf(good, { ocspStaplePolicy: "must" })),
    "Required OCSP response is missing from TLS context",
  );
  const reference = { name: "x", kind: "tlsCertificate", source: undefined } as const;
  assert.equal(errorOf(contextOf({ kind: "named", reference })), "Unknown static secret: x");
  const keys: SecretValue = { kind: "sessionTicketKeys", keys: [inlineOf("abc")] };
  assert.equal(
    errorOf(
      contextOf(good, { ticketKeys: { kind: "secret", secret: { kind: "inline", value: keys } } }),
    ),
    "Incorrect TLS session ticket key length. Length 3, expected length 80.",
  );
});

test("own ticket keys are renewed, and the one before decrypts for as long again", async () => {
  const fixture = new Fixture();
  const lease = fixture.acquire(contextOf({ kind: "inline", value: certificateOf(first) }));
  lease.provideTo(0);
  const keys = (): readonly Uint8Array[] => fixture.held(0)?.ticketKeys ?? [];
  const [one] = keys();
  assert.equal(keys().length, 1);
  await fixture.clock.advance(renewEveryMs - 1);
  assert.equal(fixture.told.length, 1);
  await fixture.clock.advance(1);
  const [two] = keys();
  assert.notDeepEqual(two, one);
  assert.deepEqual(keys(), [two, one]);
  await fixture.clock.advance(renewEveryMs);
  const [three] = keys();
  assert.deepEqual(keys(), [three, two]);
  lease[Symbol.dispose]();
  assert.equal(fixture.clock.pendingCount, 0);
});

test("keys that were configured, or none, are never renewed", () => {
  const good = { kind: "inline", value: certificateOf(first) } as const;
  const keys: SecretValue = {
    kind: "sessionTicketKeys",
    keys: [{ kind: "inline", bytes: Buffer.alloc(80) }],
  };
  for (const ticketKeys of [
    { kind: "none" } as const,
    { kind: "secret", secret: { kind: "inline", value: keys } } as const,
  ]) {
    const fixture = new Fixture();
    fixture.acquire(contextOf(good, { ticketKeys }));
    assert.equal(fixture.clock.pendingCount, 0);
  }
});
