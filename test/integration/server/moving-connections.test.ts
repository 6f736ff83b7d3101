/** TCP and WebSockets that go on in the next process, with their upstream: not a byte is lost or comes twice. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import {
  type Generation,
  GenerationStage,
  type LaunchOptions,
} from "../../support/generation-stage.ts";
import { LastingStream, webSocketOpening } from "../../support/lasting-stream.ts";
import { until } from "../../support/until.ts";

const isLinux = process.platform === "linux";
const onLinux = { skip: !isLinux && "sockets are handed over on Linux alone", timeout: 120_000 };
/** More than a pipe and the sockets hold: both directions are never empty of themselves. */
const busyBytes = 4 * 1024 * 1024;
const gapMs = 20;
const upgrades = "http.web.downstream_cx_upgrades_active";
const actives = [
  "cluster.raw.upstream_cx_active",
  "cluster.up.upstream_cx_active",
  "cluster.up.upstream_rq_active",
  "http.web.downstream_rq_active",
];
/** Of the three streams of each kind, however often they have moved. */
const totals = [
  "listener.127.0.0.1_TCP.downstream_cx_total",
  "tcp.raw.downstream_cx_total",
  "cluster.raw.upstream_cx_total",
  "cluster.raw.upstream_rq_total",
  "http.web.downstream_cx_total",
  "http.web.downstream_cx_upgrades_total",
  "http.web.downstream_rq_total",
  "cluster.up.upstream_cx_total",
  "cluster.up.upstream_rq_total",
];

for (const how of ["a directory", "epochs"]) {
  const placeOf = (stage: GenerationStage): LaunchOptions =>
    how === "epochs" ? {} : { handoverDir: path.join(stage.folder, "handover") };

  test(`streams run through three restarts by ${how}`, onLinux, async () => {
    await using stage = await GenerationStage.start();
    const place = placeOf(stage);
    let last = stage.launch(0, place);
    await stage.serves(last, 0);
    using busy = new LastingStream(stage.tcpPort, { windowBytes: busyBytes, gapMs });
    using slow = new LastingStream(stage.tcpPort);
    using silent = new LastingStream(stage.tcpPort, { windowBytes: 0 });
    const opening = webSocketOpening;
    using busySocket = new LastingStream(stage.port, { opening, windowBytes: busyBytes, gapMs });
    using slowSocket = new LastingStream(stage.port, { opening });
    using silentSocket = new LastingStream(stage.port, { opening, windowBytes: 0 });
    const busyOnes = [busy, busySocket];
    const slowOnes = [slow, slowSocket];
    const streams = [...busyOnes, ...slowOnes, silent, silentSocket];
    await until(() => busyOnes.every((each) => each.echoedBytes > 2 * busyBytes), "bytes run");
    await until(async () => (await stage.stat(upgrades)) === 3, "WebSockets are open");
    for (const number of [1, 2, 3]) {
      const next = stage.launch(number, place);
      await stage.serves(next, number);
      await ended(last);
      const before = streams.map(({ echoedBytes }) => echoedBytes);
      const since = (stream: LastingStream): number =>
        stream.echoedBytes - (before[streams.indexOf(stream)] ?? 0);
      await until(
        () =>
          busyOnes.every((each) => since(each) > 2 * busyBytes) &&
          slowOnes.every((each) => since(each) > 0),
        "they go on",
      );
      // Counters go on.
      await until(
        async () => (await stage.stat("hot_restart.connections_moved")) === 6 * number,
        "all have moved",
      );
      for (const active of [...actives, upgrades])
        assert.equal(await stage.stat(active), 3, active);
      for (const total of totals)
        assert.equal(await stage.stat(total.replace("TCP", `${stage.tcpPort}`)), 3, total);
      last = next;
    }
    await Promise.all(streams.map((stream) => stream.stop()));
    assert.deepEqual(
      streams.map(({ cuts, wrong }) => ({ cuts, wrong })),
      streams.map(() => ({ cuts: 0, wrong: 0 })),
    );
    for (const active of [...actives, upgrades])
      await until(async () => (await stage.stat(active)) === 0, `${active}: they have ended here`);
  });

  test(`what the next process does not know stays, by ${how}`, onLinux, async () => {
    await using stage = await GenerationStage.start();
    const place = { ...placeOf(stage), endsAfterS: 3 };
    const good = JSON.parse(readFileSync(path.join(stage.folder, "good.json"), "utf8"));
    const elsewhere = structuredClone(good);
    const [endpoint] =
      elsewhere.static_resources.clusters[1].load_assignment.endpoints[0].lb_endpoints;
    endpoint.endpoint.address.socket_address.address = "127.0.0.2";
    stage.write("elsewhere.json", elsewhere);
    const otherwise = structuredClone(good);
    otherwise.static_resources.listeners[1].filter_chains[0].filters[0].typed_config.idle_timeout =
      "77s";
    stage.write("otherwise.json", otherwise);
    let number = 0;
    const follow = async (config: string): Promise<Generation> => {
      const next = stage.launch(number, { ...place, config });
      await stage.serves(next, number++);
      return next;
    };
    let known = await follow("good.json");
    for (const config of ["elsewhere.json", "otherwise.json"]) {
      using stream = new LastingStream(stage.tcpPort);
      await until(() => stream.echoedBytes > 0, "it runs");
      const unlike = await follow(config);
      const atStart = stream.echoedBytes;
      await until(() => stream.echoedBytes > atStart, "it runs on where it was");
      assert.equal(stream.cuts, 0);
      await ended(known);
      if (how !== "epochs") assert.match(known.log, /1 cut, 0 remain/);
      assert.equal(await stage.stat("hot_restart.connections_moved"), 0);
      stream[Symbol.dispose]();
      known = await follow("good.json");
      await ended(unlike);
    }
  });
}

async function ended(generation: Generation): Promise<void> {
  assert.deepEqual(await generation.exit, [0, null], generation.log);
}
