/** Generations of processes: who serves, who drains, and who stays as if nothing had been. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { installedEnvoy } from "../../../bench/programs.ts";
import { GenerationStage } from "../../support/generation-stage.ts";
import { until } from "../../support/until.ts";

const isLinux = process.platform === "linux";
const onLinux = { skip: !isLinux && "sockets are handed over on Linux alone", timeout: 180_000 };
const envoy = installedEnvoy();
const withEnvoy = { ...onLinux, skip: onLinux.skip || (envoy === undefined && "no envoy is here") };

test("three generations under load, and not a request is lost", onLinux, async () => {
  await using stage = await GenerationStage.start();
  const first = stage.launch(0);
  await stage.serves(first, 0);
  const { kept, short } = stage.load();
  await until(() => kept.completed > 100 && short.completed > 20, "load is on");
  const second = stage.launch(1);
  await stage.serves(second, 1);
  assert.deepEqual(await first.exit, [0, null], first.log);
  assert.match(first.log, /hot-restart of the server/);
  assert.equal(await stage.stat("server.hot_restart_epoch"), 1);
  assert.equal(await stage.stat("server.hot_restart_generation"), 2);
  const third = stage.launch(2);
  await stage.serves(third, 2);
  assert.deepEqual(await second.exit, [0, null], second.log);
  const before = kept.completed;
  await until(() => kept.completed > before + 50, "the third serves");
  const failures = [...(await kept.stop()), ...(await short.stop())];
  assert.deepEqual(failures, []);
  // What the ones before have counted goes on.
  await until(
    async () =>
      (await stage.stat("http.web.downstream_rq_total")) >= kept.completed + short.completed,
    "no request is forgotten",
  );
  assert.equal(await stage.stat("server.hot_restart_generation"), 3);
  assert.equal(await stage.stat("server.parent_connections"), 0);
});

test("Envoy, Sluice, Envoy, Sluice under load, and not a request is lost", withEnvoy, async () => {
  await using stage = await GenerationStage.start();
  const chain = [envoy, undefined, envoy, undefined];
  let load: ReturnType<GenerationStage["load"]> | undefined;
  for (const [epoch, program] of chain.entries()) {
    const generation = stage.launch(epoch, program === undefined ? {} : { program });
    await stage.serves(generation, epoch);
    load ??= stage.load();
    const { kept, short } = load;
    // Sluice's own counting goes on from Envoy's; a third generation may come before an Envoy has asked.
    const counted = kept.completed + short.completed;
    if (epoch === 1)
      await until(
        async () => (await stage.stat("http.web.downstream_rq_total")) >= counted,
        "what the Envoy has counted is not forgotten",
      );
    const [before, shortBefore] = [kept.completed, short.completed];
    await until(
      () => kept.completed > before + 200 && short.completed > shortBefore + 50,
      `epoch ${epoch} is under load`,
    );
  }
  const failures = [...((await load?.kept.stop()) ?? []), ...((await load?.short.stop()) ?? [])];
  assert.deepEqual(failures, []);
});

test(
  "an Envoy that fails, or is killed once it serves, leaves its Sluice as it was",
  withEnvoy,
  async () => {
    await using stage = await GenerationStage.start();
    assert(envoy !== undefined);
    const parent = stage.launch(0);
    await stage.serves(parent, 0);
    const { kept, short } = stage.load(5);
    // It takes the admin before it reads its listeners.
    stage.write("bad.json", {
      ...JSON.parse(readFileSync(path.join(stage.folder, "good.json"), "utf8")),
      static_resources: { listeners: [{ name: "web" }] },
    });
    const failing = stage.launch(1, { program: envoy, config: "bad.json" });
    assert.deepEqual(await failing.exit, [1, null], failing.log);
    await stage.serves(parent, 0);
    assert.deepEqual([...(await kept.stop()), ...(await short.stop())], []);
    const child = stage.launch(1, { program: envoy });
    await stage.serves(child, 1);
    child.process.kill("SIGKILL");
    await child.exit;
    await stage.serves(parent, 0);
    assert.equal(await (await fetch(`http://127.0.0.1:${stage.port}/`)).text(), "fine");
    const next = stage.launch(1, { program: envoy });
    await stage.serves(next, 1);
  },
);

test(
  "a parent that is killed while it drains, or its child waits, is not waited for",
  onLinux,
  async () => {
    await using stage = await GenerationStage.start();
    const parent = stage.launch(0);
    await stage.serves(parent, 0);
    const child = stage.launch(1);
    await stage.serves(child, 1);
    parent.process.kill("SIGKILL");
    await parent.exit;
    assert.equal(await (await fetch(`http://127.0.0.1:${stage.port}/`)).text(), "fine");
    const next = stage.launch(2);
    await stage.serves(next, 2);
    assert.deepEqual(await child.exit, [0, null], child.log);

    // Its clusters are refused, so it waits, and has yet to open its listeners; their sockets it was given when it came.
    const source = { path_config_source: { path: path.join(stage.folder, "cds.json") } };
    const good = stage.read("good.json") as object;
    stage.write("cds.json", { resources: [{ "@type": clusterUrl }] });
    const node = { id: "n", cluster: "c" };
    stage.write("waits.json", { ...good, node, dynamic_resources: { cds_config: source } });
    const last = stage.launch(3, { config: "waits.json" });
    await until(() => /first push of CDS was refused/.test(last.log), "it waits");
    await stage.serves(next, 2);
    next.process.kill("SIGKILL");
    await next.exit;
    await stage.serves(last, 3);
    assert.equal(await (await fetch(`http://127.0.0.1:${stage.port}/`)).text(), "fine");
  },
);

const clusterUrl = "type.googleapis.com/envoy.config.cluster.v3.Cluster";

test(
  "without a parent there is no next generation, unless that is asked for",
  onLinux,
  async () => {
    await using stage = await GenerationStage.start();
    const orphan = stage.launch(1);
    assert.deepEqual(await orphan.exit, [1, null]);
    assert.match(
      orphan.log,
      /no parent answers at @envoy_domain_socket_parent_\d+ \(see --restart-epoch/,
    );
    const alone = stage.launch(1, { flags: ["--skip-hot-restart-on-no-parent"] });
    await stage.serves(alone, 1);
    const second = stage.launch(1, { flags: ["--skip-hot-restart-on-no-parent"] });
    assert.deepEqual(await second.exit, [1, null]);
    assert.match(
      second.log,
      /unable to bind domain socket with base_id=\d+, id=1, errno=98 \(see --base-id option\)/,
    );
    assert.equal(alone.hasEnded, false);
  },
);
