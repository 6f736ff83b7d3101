import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, suite, test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { get } from "../support/http-client.ts";
import type { ProxyProcess } from "../support/proxy-process.ts";
import { until } from "../support/until.ts";
import type { ChangeCounts } from "./istio/held-resources.ts";
import { notBuilt, notInEnvoy } from "./istio/not-built.ts";
import { readRecording, type Recording, recordingNames, type TypeName } from "./istio/recording.ts";
import { lackingBy } from "./istio/refusals.ts";
import { type Played, Replay, type ReplayOptions } from "./istio/replay.ts";
import { subscribedNames } from "./istio/subscriptions.ts";
import { WaitingPhases } from "./istio/waiting-phases.ts";

/**
 * Istiod's recorded streams, in order, over real gRPC. Each is played twice: as it is, where exactly what is
 * not built is refused; and without that, where everything has to be answered, applied and left alone as by
 * the client of the recording, which accepts whatever comes.
 */
const isEnvoy = process.env["SLUICE_TEST_PROXY"] !== undefined;
const waiting = new WaitingPhases();

for (const name of recordingNames) {
  const recording = readRecording(name);
  // Side by side: most of each is waiting for secrets that nobody sends.
  suite(`istiod's ${name}`, { concurrency: 3 }, () => {
    // Another Envoy than Istio's refuses Istio's filters, and waits for ever for secrets of Istio's agent.
    test("as it is: what is not built is refused, each by name", { skip: isEnvoy }, () =>
      playWhole(recording, ["CDS", "EDS", "LDS"], () => new Set()),
    );
    test("routes as they are, where their listeners are taken", { skip: isEnvoy }, () =>
      playWhole(recording, ["RDS"], (type) => (type === "LDS" ? notBuilt : new Set())),
    );
    test("without that: answered, applied and left alone as by its own client", () =>
      playTrimmed(recording));
  });
}

after(() => {
  if (isEnvoy) return;
  const documented = readFileSync("docs/COMPATIBILITY.md", "utf8");
  assert.deepEqual(waiting.rows(), waiting.rowsIn(documented), "docs/COMPATIBILITY.md, Istio");
  assert.deepEqual(waiting.names(), [...notBuilt].toSorted(), "not-built.ts");
});

/** @param judged the types whose refusals count. */
async function playWhole(
  recording: Recording,
  judged: readonly TypeName[],
  lackingIn: ReplayOptions["lackingIn"],
): Promise<void> {
  await using replay = await Replay.start(recording, { lackingIn, mayRefuse: true });
  for (const phase of replay.phases) {
    for (const { response, answer } of await replay.play(phase)) {
      if (!judged.includes(response.type)) continue;
      const names = answer.error === undefined ? [] : lackingBy(answer.error, response);
      waiting.add(recording, response, [...names]);
    }
    // A listener whose routes were refused goes on warming.
    if (judged.includes("LDS")) await assertHeld(await replay.proxy, replay);
  }
}

async function playTrimmed(recording: Recording): Promise<void> {
  const lacking = isEnvoy ? new Set([...notBuilt, ...notInEnvoy]) : notBuilt;
  await using replay = await Replay.start(recording, {
    lackingIn: () => lacking,
    mayRefuse: false,
  });
  for (const phase of replay.phases) {
    const played = await replay.play(phase);
    const sent = recording.entries.filter((e) => e.kind === "response" && e.phase === phase);
    assert.equal(played.length, sent.length, `${phase}: all was sent`);
    for (const one of played) assertAccepted(one, recording);
    await assertSameSubscriptions(replay, recording, phase);
    const proxy = await replay.proxy;
    await assertHeld(proxy, replay);
    await assertServes(proxy, recording, phase);
  }
  assertPolite(replay);
}

/** An ACK: xDS, "ACK": the response's nonce, no error, and in the state of the world its version. */
function assertAccepted({ response, answer }: Played, { isDelta }: Recording): void {
  const what = `${response.phase} ${response.type}`;
  assert.equal(answer.error, undefined, what);
  if (!isDelta) assert.equal(answer.version, response.version, what);
}

/** The same names as the recorded client asked for by the end of that phase. */
async function assertSameSubscriptions(
  replay: Replay,
  { entries, isDelta }: Recording,
  phase: string,
): Promise<void> {
  const last = entries.findLastIndex((entry) => entry.phase === phase);
  const recorded = entries.slice(0, last + 1).filter((entry) => entry.kind === "request");
  for (const type of ["CDS", "EDS", "LDS", "RDS"] as const) {
    const wanted = subscribedNames(recorded, type, isDelta);
    // Envoy asks for the routes of a removed listener until that has drained.
    const isSame = (): boolean => String(replay.subscribed(type)) === String(wanted);
    await until(isSame, `${phase}: ${type} is asked for as it was recorded`);
  }
}

/** No more was touched than had other bytes, and what is held is active. */
async function assertHeld(proxy: ProxyProcess, replay: Replay): Promise<void> {
  const { clusters, listeners } = replay;
  // The bootstrap's cluster counts too.
  const added = (await proxy.stat("cluster_manager.cluster_added")) - 1;
  const ofClusters = await changeCounts(proxy, "cluster_manager.cluster");
  assert.deepEqual({ ...ofClusters, added }, clusters.counts, "clusters");
  const ofListeners = await changeCounts(proxy, "listener_manager.listener");
  assert.deepEqual(ofListeners, listeners.counts, "listeners");
  const routes = replay.wanted("RDS");
  const isActive = async (): Promise<boolean> => {
    const active = await activeNames(proxy);
    return (
      String(active.clusters) === String(clusters.names) &&
      String(active.listeners) === String(listeners.names) &&
      String(active.routes) === String(routes)
    );
  };
  await until(isActive, `all is active of ${listeners.names.join()}`);
}

async function changeCounts(proxy: ProxyProcess, prefix: string): Promise<ChangeCounts> {
  return {
    added: await proxy.stat(`${prefix}_added`),
    modified: await proxy.stat(`${prefix}_modified`),
    removed: await proxy.stat(`${prefix}_removed`),
  };
}

interface ConfigDump {
  readonly configs: readonly {
    readonly dynamic_active_clusters?: readonly { readonly cluster: { readonly name: string } }[];
    readonly dynamic_listeners?: readonly {
      readonly name: string;
      readonly active_state?: object;
    }[];
    readonly dynamic_route_configs?: readonly {
      readonly route_config: { readonly name: string };
    }[];
  }[];
}

/** Sorted, as the configuration dump has them; a route configuration of two listeners is there once. */
async function activeNames(
  proxy: ProxyProcess,
): Promise<Readonly<Record<"clusters" | "listeners" | "routes", readonly string[]>>> {
  const { configs } = JSON.parse(await proxy.admin("/config_dump")) as ConfigDump;
  const clusters = configs.flatMap((c) => c.dynamic_active_clusters ?? []);
  const listeners = configs.flatMap((c) => c.dynamic_listeners ?? []);
  const routes = configs.flatMap((c) => c.dynamic_route_configs ?? []);
  return {
    clusters: clusters.map(({ cluster }) => cluster.name).toSorted(),
    listeners: listeners.flatMap((l) => (l.active_state ? l.name : [])).toSorted(),
    routes: [...new Set(routes.map((route) => route.route_config.name))].toSorted(),
  };
}

/** A sample of what it means: the gateway's routes answer where its listeners say. */
async function assertServes(
  proxy: ProxyProcess,
  { name }: Recording,
  phase: string,
): Promise<void> {
  if (!name.startsWith("gateway")) return;
  const ports = await proxy.listenerPorts();
  const port = ports.get("0.0.0.0_18080") ?? 0;
  const ask = (target: string, host: string) => get(port, target, false, { host });
  assert.equal((await ask("/ping", "a.example.com")).body, "pong", phase);
  assert.equal((await ask("/old", "a.example.com:18080")).status, 302, phase);
  assert.equal((await ask("/", "unknown.example.com")).status, 404, phase);
  const added = ports.get("0.0.0.0_18600");
  assert.equal(added !== undefined, ["gw-add-port", "gw-modify-listener"].includes(phase), phase);
  if (added !== undefined) {
    const { body } = await get(added, "/ping", false, { host: "a.example.com" });
    assert.equal(body, "pong", phase);
  }
}

/** What holds for the whole conversation. */
function assertPolite({ server }: Replay): void {
  const { requests, streams } = server;
  assert.equal(streams, 1, "the stream was opened once");
  assert.deepEqual(
    requests.flatMap(({ hasNode }, index) => (hasNode ? [index] : [])),
    [0],
    "the node is on the first message",
  );
  const order = [...new Set(requests.map(({ type }) => type))];
  assert.deepEqual(order, ["CDS", "EDS", "LDS", "RDS"], "clusters first, then what names them");
  assert(
    requests.every(({ initialVersions }) => initialVersions === 0),
    "nothing is known at the start",
  );
  const answers = requests.filter(({ nonce }) => nonce !== "");
  const repeated = answers.filter(
    (one, index) => index > 0 && isDeepStrictEqual(one, answers[index - 1]),
  );
  assert.deepEqual(repeated, [], "nothing is answered twice");
}
