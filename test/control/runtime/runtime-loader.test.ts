import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { BehaviorSubject } from "rxjs";
import type {
  RuntimeLayer,
  RuntimeLayerValues,
} from "../../../src/control/config/runtime-layer.ts";
import { runtimeValueOf } from "../../../src/control/config/runtime-layers.ts";
import { RuntimeLoader } from "../../../src/control/runtime/runtime-loader.ts";
import type { ResourceState } from "../../../src/control/xds/resource-batch.ts";
import {
  type RuntimeNumber,
  type RuntimeValues,
  runtimeInteger,
  runtimeMillionths,
} from "../../../src/shared/config/runtime-values.ts";
import { bytesOf, configTools, decoders, errorsOf, valueOf } from "../../support/config-tools.ts";
import { FakeStats } from "../../support/fake-stats.ts";
import { silentLogger } from "../../support/silent-logger.ts";
import { until } from "../../support/until.ts";

const decodeRuntime = (layer: string) =>
  decoders.runtimes.decode(
    bytesOf("envoy.service.runtime.v3.Runtime", `{name: r, layer: ${layer}}`),
  );

const staticLayer = (name: string, layer: string): RuntimeLayer => ({
  kind: "static",
  name,
  values: valueOf(decodeRuntime(layer)),
});
const rtds: RuntimeLayer = {
  kind: "rtds",
  name: "rtds",
  resource: "r",
  source: { kind: "ads", initialFetchTimeoutMs: 0 },
};

class Harness implements Disposable {
  readonly stats = new FakeStats();
  readonly state = new BehaviorSubject<ResourceState<RuntimeLayerValues>>({ kind: "requested" });
  readonly snapshots: RuntimeValues[] = [];
  readonly loader: RuntimeLoader;

  constructor(...layers: readonly RuntimeLayer[]) {
    this.loader = new RuntimeLoader({
      layers,
      serviceCluster: "edge",
      source: () => this.state,
      valueOf: (text) => runtimeValueOf(text, configTools.protos),
      onSnapshot: ({ values }) => void this.snapshots.push(values),
      stats: this.stats,
      log: silentLogger,
    });
    assert.equal(this.loader.start(), undefined);
  }

  text(key: string): string | undefined {
    return this.loader.snapshot.entries.get(key)?.text;
  }

  receive(layer: string): void {
    const value = valueOf(decodeRuntime(layer));
    const resource = { name: "r", version: "1", bytes: new Uint8Array(), value };
    this.state.next({ kind: "present", resource });
  }

  assertStats(expected: Readonly<Record<string, number>>): void {
    for (const [name, value] of Object.entries(expected))
      assert.equal(this.stats.value(`runtime.${name}`), value, name);
  }

  [Symbol.dispose](): void {
    this.loader[Symbol.dispose]();
  }
}

test("the last layer that has a key wins, and each change is a new snapshot", async () => {
  using harness = new Harness(staticLayer("base", "{a: 1, b: {c: x}}"), rtds, {
    kind: "admin",
    name: "adm",
  });
  assert.deepEqual(
    harness.loader.subscriptions.map(({ name }) => name),
    ["RTDS r"],
  );
  harness.assertStats({ load_success: 1, num_layers: 3, num_keys: 2, override_dir_not_exists: 1 });
  const before = harness.loader.snapshot;
  harness.receive("{a: 2}");
  await harness.loader.subscriptions[0]?.ready;
  assert.equal(harness.text("a"), "2");
  assert.equal(before.entries.get("a")?.text, "1", "a snapshot stays what it was");
  assert.equal(harness.loader.modify(new Map([["a", "3"]])), undefined);
  assert.equal(harness.text("a"), "3");
  harness.assertStats({ admin_overrides_active: 1, load_success: 3 });
  harness.loader.modify(
    new Map([
      ["a", ""],
      ["never", ""],
    ]),
  );
  assert.equal(harness.text("a"), "2");
  harness.assertStats({ admin_overrides_active: 0 });
  harness.state.next({ kind: "absent", reason: "removed" });
  assert.equal(harness.text("a"), "1");
  assert.deepEqual(
    harness.snapshots.map((values) => values.get("a")),
    [1, 2, 3, 2, 1],
  );
});

test("start-up waits for the first answer of any kind, and a refused one changes nothing", async () => {
  const endings: ResourceState<RuntimeLayerValues>[] = [
    { kind: "absent", reason: "timeout" },
    { kind: "rejected", errors: ["bad"] },
  ];
  for (const ending of endings) {
    using harness = new Harness(staticLayer("base", "{a: 1}"), rtds);
    harness.state.next(ending);
    await harness.loader.subscriptions[0]?.ready;
    harness.assertStats({ load_success: 1 });
  }
});

test("without an admin layer there is nothing to modify", () => {
  using harness = new Harness(staticLayer("base", "{}"));
  assert.equal(harness.loader.modify(new Map([["a", "3"]])), "No admin layer specified");
  harness.assertStats({ load_success: 1 });
});

test("a source that is not there ends the start, with the layer's name", () => {
  const loader = new RuntimeLoader({
    layers: [rtds],
    serviceCluster: "",
    source: () => "there is no ads_config",
    valueOf: (text) => ({ text }),
    onSnapshot: () => {},
    stats: new FakeStats(),
    log: silentLogger,
  });
  assert.equal(loader.start(), "layered_runtime: layer 'rtds': there is no ads_config");
});

test("a disk layer is a tree of files, read again when its link is moved", async () => {
  const folder = mkdtempSync(path.join(tmpdir(), "sluice-runtime-"));
  try {
    const write = (file: string, text: string): void => {
      mkdirSync(path.dirname(path.join(folder, file)), { recursive: true });
      writeFileSync(path.join(folder, file), text);
    };
    write("v1/sub/envoy/x", "5\n");
    write("v1/sub/share", "# a comment\nnumerator: 1\ndenominator: HUNDRED\n");
    write("v1/over/edge/envoy/x", "6");
    write("v2/sub/envoy/x", "7");
    const symlinkRoot = path.join(folder, "current");
    symlinkSync(path.join(folder, "v1"), symlinkRoot);
    const layer = (subdirectory: string, appendServiceCluster: boolean): RuntimeLayer => ({
      kind: "disk",
      name: subdirectory,
      symlinkRoot,
      subdirectory,
      appendServiceCluster,
    });
    using harness = new Harness(layer("sub", false), layer("over", true));
    assert.equal(harness.text("envoy.x"), "6");
    harness.assertStats({ num_layers: 2, override_dir_exists: 1, override_dir_not_exists: 0 });
    const [values] = harness.snapshots;
    assert.deepEqual(values?.get("share"), { millionths: 10_000 });
    symlinkSync(path.join(folder, "v2"), path.join(folder, "next"));
    renameSync(path.join(folder, "next"), symlinkRoot);
    await until(() => harness.text("envoy.x") === "7", "the new tree is read");
    harness.assertStats({ num_layers: 1 });
    write("v2/sub/big", "x".repeat(70_000));
    harness.loader.modify(new Map());
    assert.equal(harness.text("envoy.x"), "7", "there is no admin layer, so nothing is loaded");
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("a disk layer that cannot be read counts as an error and is left out", () => {
  const folder = mkdtempSync(path.join(tmpdir(), "sluice-runtime-"));
  try {
    writeFileSync(path.join(folder, "big"), "x".repeat(70_000));
    symlinkSync(".", path.join(folder, "again"));
    using harness = new Harness({
      kind: "disk",
      name: "d",
      symlinkRoot: folder,
      subdirectory: "",
      appendServiceCluster: false,
    });
    harness.assertStats({ load_error: 1, load_success: 0, num_layers: 0 });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("a Runtime with a list or a null is refused by its key; a fraction that is none is only text", () => {
  assert.deepEqual(errorsOf(decodeRuntime("{foo: [1]}")), ["Invalid runtime entry value for foo"]);
  assert.deepEqual(errorsOf(decodeRuntime("{a: {b: null}}")), [
    "Invalid runtime entry value for a.b",
  ]);
  const values = valueOf(decodeRuntime("{a: {numerator: 3, denominator: NOPE}, __proto__: 1}"));
  assert.equal(values.get("a")?.number, undefined);
  assert.equal(values.get("__proto__")?.number, 1);
});

test("values are read as Envoy reads them: integers, fractions and what is neither", () => {
  const number = (text: string) => runtimeValueOf(text, configTools.protos).number;
  assert.equal(number(" 42 "), 42);
  assert.equal(number("-1.5"), -1.5);
  assert.equal(number("TRUE"), true);
  assert.equal(number("false"), false);
  assert.equal(number("yes"), undefined);
  assert.deepEqual(number('{"numerator":5,"denominator":"MILLION"}'), { millionths: 5 });
  const values: RuntimeValues = new Map<string, RuntimeNumber>([
    ["count", 7],
    ["part", 1.5],
    ["minus", -1],
    ["much", 1_000],
    ["share", { millionths: 5 }],
    ["yes", true],
  ]);
  const integer = (runtimeKey: string) => runtimeInteger(values, { runtimeKey, otherwise: 9 });
  const share = (runtimeKey: string) => runtimeMillionths(values, { runtimeKey, otherwise: 9 });
  assert.deepEqual(["count", "part", "minus", "share", "yes", ""].map(integer), [7, 9, 9, 9, 9, 9]);
  assert.deepEqual(
    ["count", "much", "share", "part", "yes"].map(share),
    [70_000, 1_000_000, 5, 9, 9],
  );
});
