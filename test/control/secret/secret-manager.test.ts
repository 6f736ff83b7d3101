import assert from "node:assert/strict";
import { test } from "node:test";
import { BehaviorSubject } from "rxjs";
import type {
  DecodedSecret,
  SecretReference,
  SecretValue,
} from "../../../src/control/config/secret-config.ts";
import type { SecretMaterial } from "../../../src/control/secret/secret-material.ts";
import { SecretManager } from "../../../src/control/secret/secret-manager.ts";
import { WorkerSecrets } from "../../../src/control/secret/worker-secrets.ts";
import type { ResourceState } from "../../../src/control/xds/resource-batch.ts";
import type { WorkerCommand } from "../../../src/shared/protocol/worker-command.ts";
import { FakeSecretFiles } from "../../support/fake-secret-files.ts";
import { FakeStats } from "../../support/fake-stats.ts";
import { silentLog } from "../../support/silent-log.ts";

const fromAds: SecretReference = {
  name: "token",
  kind: "genericSecret",
  source: { kind: "ads", initialFetchTimeoutMs: 15_000 },
};
const ofBootstrap: SecretReference = { ...fromAds, source: undefined };

const inline = (text: string): SecretValue => ({
  kind: "genericSecret",
  secret: { kind: "inline", bytes: Buffer.from(text) },
});
const ofFile = (path: string): SecretValue => ({
  kind: "genericSecret",
  secret: { kind: "file", path, watchedDirectory: undefined },
});
const secret = (value: SecretValue, name = "token"): DecodedSecret => ({
  name,
  value,
  bytes: new Uint8Array(),
});

class Fixture {
  readonly files = new FakeSecretFiles();
  readonly stats = new FakeStats();
  readonly state = new BehaviorSubject<ResourceState<DecodedSecret>>({ kind: "requested" });
  subscriptions = 0;
  readonly manager: SecretManager;

  constructor(statics: readonly DecodedSecret[] = []) {
    this.manager = new SecretManager({
      statics,
      source: () => {
        this.subscriptions++;
        return this.state;
      },
      files: this.files,
      stats: this.stats,
      wallTime: () => 7,
      log: silentLog,
    });
  }

  push(value: SecretValue, version = "1"): void {
    const resource = { name: "token", version, bytes: new Uint8Array(), value: secret(value) };
    this.state.next({ kind: "present", resource });
  }

  /** What an observer is told, in order. */
  observe(reference = fromAds) {
    const told: string[] = [];
    const lease = this.manager.acquire(reference, {
      onReady: () => told.push("ready"),
      onMaterial: (material) => told.push(textOf(material)),
    });
    return { told, lease };
  }
}

function textOf(material: SecretMaterial | undefined): string {
  return material?.kind === "genericSecret" ? material.text : "";
}

test("one subscription serves all who want a secret, and ends with the last of them", () => {
  const fixture = new Fixture();
  const [first, second] = [fixture.observe(), fixture.observe()];
  assert.equal(fixture.subscriptions, 1);
  fixture.push(inline("one"));
  assert.deepEqual(first.told, ["one", "ready"]);
  assert.deepEqual(second.told, ["one", "ready"]);
  const late = fixture.observe();
  assert.deepEqual([late.lease.isReady, textOf(late.lease.material)], [true, "one"]);
  fixture.push(inline("two"), "2");
  assert.deepEqual(late.told, ["two"]);
  for (const { lease } of [first, second, late]) lease[Symbol.dispose]();
  first.lease[Symbol.dispose]();
  assert.equal(fixture.state.observed, false);
});

test("a secret that is refused, or of another kind, leaves the one before it", () => {
  const fixture = new Fixture();
  const { told, lease } = fixture.observe();
  fixture.push(inline("one"));
  fixture.push(ofFile("/nope"), "2");
  fixture.push({ kind: "sessionTicketKeys", keys: [] }, "3");
  fixture.state.next({ kind: "absent", reason: "removed" });
  assert.deepEqual(told, ["one", "ready"]);
  assert.equal(textOf(lease.material), "one");
  const [view] = fixture.manager.views();
  assert.deepEqual(view, {
    name: "token",
    kind: "genericSecret",
    state: "active",
    version: "1",
    bytes: new Uint8Array(),
    sinceMs: 7,
  });
});

test("the first word of any kind ends the wait", () => {
  const absent: ResourceState<DecodedSecret> = { kind: "absent", reason: "timeout" };
  for (const word of [absent, { kind: "rejected", errors: ["no"] }] as const) {
    const fixture = new Fixture();
    const { told, lease } = fixture.observe();
    fixture.state.next(word);
    assert.deepEqual(told, ["ready"]);
    assert.deepEqual([lease.isReady, lease.material], [true, undefined]);
    assert.equal(fixture.manager.views()[0]?.state, "warming");
  }
});

test("judge() speaks for those who wait, once a secret's files were read", () => {
  const fixture = new Fixture();
  assert.deepEqual(fixture.manager.judge(secret(ofFile("/nope"))), []);
  using _lease = fixture.observe().lease;
  assert.deepEqual(fixture.manager.judge(secret(ofFile("/nope"))), ["Invalid path: /nope"]);
  assert.deepEqual(fixture.manager.judge(secret(ofFile("/nope"), "another")), []);
  assert.deepEqual(fixture.manager.judge(secret({ kind: "sessionTicketKeys", keys: [] })), [
    "SDS secret 'token' is a TlsSessionTicketKeys, expecting a GenericSecret",
  ]);
  assert.deepEqual(fixture.manager.judge(secret(inline("good"))), []);
});

test("a file that is moved into place rotates the secret; a bad one is counted and changes nothing", () => {
  const fixture = new Fixture();
  fixture.files.move("/s/token", "one\n");
  const { told, lease } = fixture.observe();
  fixture.push(ofFile("/s/token"));
  fixture.files.move("/s/unrelated", "x");
  fixture.files.move("/s/token", "two\n");
  fixture.files.move("/s/token", "two\n");
  assert.deepEqual(told, ["one", "ready", "two"]);
  fixture.files.move("/s/token", undefined);
  assert.equal(fixture.stats.value("sds.token.key_rotation_failed"), 1);
  assert.equal(textOf(lease.material), "two");
  fixture.files.move("/s/token", "three");
  assert.deepEqual(told, ["one", "ready", "two", "three"]);
  fixture.push(inline("inline"), "2");
  assert.equal(fixture.files.watchCount, 0);
  fixture.push(ofFile("/s/token"), "3");
  lease[Symbol.dispose]();
  assert.equal(fixture.files.watchCount, 0);
});

test("a secret of the bootstrap is there at once; one that is not, or cannot be read, is refused", () => {
  const fixture = new Fixture([secret(inline("fixed")), secret(ofFile("/nope"), "lost")]);
  const { lease } = fixture.observe(ofBootstrap);
  assert.deepEqual([lease.isReady, textOf(lease.material)], [true, "fixed"]);
  assert.equal(fixture.subscriptions, 0);
  const refusal = (reference: SecretReference) => fixture.manager.refusalOf(reference);
  assert.equal(refusal(ofBootstrap), undefined);
  assert.equal(refusal(fromAds), undefined);
  assert.equal(refusal({ ...ofBootstrap, name: "lost" }), "Invalid path: /nope");
  assert.equal(refusal({ ...ofBootstrap, kind: "tlsCertificate" }), "Unknown static secret: token");
});

test("workers have a generic secret before who waits for it hears of it, and lose it with the last lease", () => {
  const fixture = new Fixture();
  const posted: WorkerCommand[] = [];
  const workers = new WorkerSecrets({ post: (command) => posted.push(command) }, fixture.manager);
  const heard: string[] = [];
  const wait = () => workers.acquire(fromAds, () => heard.push(posted.at(-1)?.kind ?? ""));
  const leases = [wait(), wait()];
  fixture.push(inline("one"));
  assert.deepEqual(heard, ["setSecret", "setSecret"]);
  fixture.push(inline("two"), "2");
  assert.deepEqual(
    posted.map((command) => command.kind === "setSecret" && command.text),
    ["one", "two"],
  );
  assert.equal(wait().isReady, true);
  for (const lease of [...leases, ...leases]) lease[Symbol.dispose]();
  assert.equal(posted.length, 2);
});
