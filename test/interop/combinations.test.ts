import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import path from "node:path";
import { after, before, suite, test } from "node:test";
import { findGo, GoControlPlane } from "../../src/cli/go-control-plane.ts";
import { get, isRefused } from "../support/http-client.ts";
import { HttpUpstream } from "../support/http-upstream.ts";
import { ProxyProcess } from "../support/proxy-process.ts";
import { SteadyClients } from "../support/steady-clients.ts";
import { TestAuthority, type TestCertificate } from "../support/certificates.ts";
import { securedGet } from "../support/tls-clients.ts";
import { until } from "../support/until.ts";
import { grpcCluster, variantBootstrap } from "../support/xds-resources.ts";
import { type Combination, combinations } from "./combinations/combination.ts";
import { type Round, SnapshotMaker } from "./combinations/snapshot.ts";

/**
 * Snapshot after snapshot in every combination of transport and cache: traffic answers on every listener
 * with the new content, whatever kind of resource brings it; a client of what never changes notices nothing.
 */
const node = "combinations";
const go = await findGo();
if (go === undefined) console.error("interop: go-control-plane is skipped, Go is not installed");

for (const combination of combinations)
  suite(
    `go-control-plane: ${combination.name}`,
    { skip: go === undefined && "Go is not installed" },
    () => play(combination),
  );

function play(combination: Combination): void {
  const started = new AsyncDisposableStack();
  let controlPlane: GoControlPlane;
  let proxy: ProxyProcess;
  let maker: SnapshotMaker;
  let steady: SteadyClients;
  let blue: HttpUpstream;
  let green: HttpUpstream;
  let round: Round;
  let certificates: readonly [TestCertificate, TestCertificate];

  before(async () => {
    const untouched = started.use(await HttpUpstream.start("untouched"));
    blue = started.use(await HttpUpstream.start("blue"));
    green = started.use(await HttpUpstream.start("green"));
    maker = new SnapshotMaker(combination, untouched.port);
    controlPlane = started.use(
      await GoControlPlane.start(
        path.join(import.meta.dirname, "go-control-plane"),
        node,
        combination.caches,
      ),
    );
    const authority = started.use(new TestAuthority());
    certificates = [authority.issue(["DNS:one.test"]), authority.issue(["DNS:two.test"])];
    round = {
      tag: "v1",
      cluster: "web",
      upstreamPort: blue.port,
      isOn: false,
      hasInline: true,
      certificate: certificates[0],
    };
    await controlPlane.push(maker.make(round));
    proxy = started.use(await ProxyProcess.start(bootstrap(controlPlane, combination)));
  });

  after(() => started.disposeAsync());

  test("the first snapshot answers on every listener", async () => {
    await serves("blue");
    steady = started.use(new SteadyClients(await portOf("steady"), 2, { keepAlive: true }));
  });

  test("routes, a scope, a filter and the runtime change", async () => {
    await next({ tag: "v2", isOn: true });
    await serves("blue");
  });

  test("a certificate is another, and nothing drains", async () => {
    await next({ certificate: certificates[1] });
    await serves("blue");
    const wanted = new X509Certificate(certificates[1].certificate).serialNumber;
    const port = await portOf("secured");
    const isShown = async (): Promise<boolean> =>
      (await securedGet(port)).session.serial === wanted;
    await until(isShown, "the new one is shown");
    assert.equal(await proxy.stat("listener_manager.total_listeners_draining"), 0);
  });

  test("endpoints move", async () => {
    await next({ upstreamPort: green.port });
    await serves("green");
  });

  test("another cluster takes over, the old one goes", async () => {
    await next({ tag: "v3", cluster: "web-next", upstreamPort: blue.port, isOn: false });
    await serves("blue");
    const gone = async () => (await proxy.stat("cluster_manager.cluster_removed")) === 1;
    await until(gone, "the old cluster is removed");
  });

  test("a listener goes: refused, and only that one", async () => {
    const port = await portOf("inline");
    await next({ tag: "v4", hasInline: false });
    await until(() => isRefused(port), "the removed listener is refused");
    await serves("blue");
  });

  test("it comes back", async () => {
    await next({ tag: "v5", hasInline: true, isOn: true });
    await serves("blue");
  });

  test("a bad listener is refused, the others of its snapshot apply", async () => {
    const { listeners = [], ...rest } = maker.make({ ...round, tag: "v6" });
    round = { ...round, tag: "v6" };
    const bad = { name: "bad", address: { socketAddress: { address: "127.0.0.1", portValue: 0 } } };
    await controlPlane.push({ ...rest, listeners: [...listeners, bad] });
    await until(
      async () => (await proxy.stat("listener_manager.lds.update_rejected")) >= 1,
      "the refusal is counted",
    );
    await serves("blue");
    await controlPlane.push({ listeners });
    await answered({ mayHaveRefused: true });
  });

  test("whoever stayed on what never changed has noticed nothing", async () => {
    assert.deepEqual(await steady.stop(), []);
    assert(steady.completed > 0);
    // `inline` three times: its routes are its own. The log of `tcp` and the name of its cluster: once.
    assert.equal(await proxy.stat("listener_manager.lds.update_failure"), 0);
    assert.equal(await proxy.stat("cluster_manager.cds.update_rejected"), 0);
    assert.equal(await proxy.stat("listener_manager.listener_create_failure"), 0);
  });

  test("the log of every listener has arrived", async () => {
    const names = [...(await proxy.listenerPorts()).keys()].toSorted();
    const arrived = async (): Promise<boolean> => {
      const { entries } = await controlPlane.accessLogs();
      return String([...new Set(entries.map(({ log }) => log))].toSorted()) === String(names);
    };
    await until(arrived, `logs of ${names.join()}`);
    const { http, tcp, entries } = await controlPlane.accessLogs();
    assert(http > 0 && tcp > 0);
    assert(entries.every((entry) => entry.node === node));
  });

  /** Pushes the round that differs in this, and waits for the answers. */
  async function next(change: Partial<Round>): Promise<void> {
    const before = round;
    round = { ...round, ...change };
    // Streams of single types know no order between them, so a control plane has to (xDS, "Eventual consistency").
    if (combination.caches.isSplit) {
      await controlPlane.push(maker.makeClusters(before, round));
      await answered({ mayHaveRefused: false });
    }
    await controlPlane.push(maker.make(round));
    await answered({ mayHaveRefused: false });
  }

  /** Every response has its one answer, an ACK. Polling says no more than what is held. */
  async function answered({ mayHaveRefused }: { mayHaveRefused: boolean }): Promise<void> {
    const isAnswered = async (): Promise<boolean> => {
      const answers = Object.values((await controlPlane.status()).nodes[node] ?? {});
      return answers.every(({ waiting, acked, sent }) =>
        combination.isRest ? acked === sent : waiting === 0,
      );
    };
    await until(isAnswered, "every response is answered").catch(async (error: unknown) => {
      const last = JSON.stringify((await controlPlane.status()).nodes[node]);
      throw new Error(`not every response is answered: ${last}`, { cause: error });
    });
    if (mayHaveRefused) return;
    for (const [kind, answer] of Object.entries((await controlPlane.status()).nodes[node] ?? {}))
      assert.equal(answer.nacks, 0, `${kind}: ${answer.nacked?.error}`);
  }

  /** That every listener of the round answers with its content, and there is no other. */
  async function serves(upstream: string): Promise<void> {
    const listeners = (maker.make(round).listeners ?? []) as readonly { readonly name: string }[];
    const names = listeners.map(({ name }) => name).toSorted();
    const bound = async (): Promise<boolean> =>
      String([...(await proxy.listenerPorts()).keys()].toSorted()) === String(names);
    await until(bound, `these listen: ${names.join()}`);
    for (const name of names)
      for (const { headers, wanted } of probesOf(name, round, upstream)) {
        const seen = async (): Promise<boolean> => (await ask(name, headers)) === wanted;
        await until(seen, `${name} answers ${wanted}`).catch(async (error: unknown) => {
          const last = await ask(name, headers);
          throw new Error(`${name} answered ${last}, not ${wanted}`, { cause: error });
        });
      }
  }

  async function ask(name: string, headers: Record<string, string>): Promise<string> {
    if (name === "secured") {
      const { status, body, headers: fields } = await securedGet(await portOf(name), { headers });
      return status === 200 ? `${body} ${String(fields["x-route"])}` : String(status);
    }
    const answer = await get(await portOf(name), "/", false, headers);
    const time = "x-envoy-upstream-service-time" in answer.headers ? "" : " hidden";
    if (answer.status !== 200) return String(answer.status);
    return name === "tcp" ? answer.body : `${answer.body} ${answer.tag}${time}`;
  }

  async function portOf(name: string): Promise<number> {
    return until(async () => (await proxy.listenerPorts()).get(name), `${name} listens`);
  }
}

interface Probe {
  readonly headers: Record<string, string>;
  readonly wanted: string;
}

function probesOf(name: string, { tag, isOn }: Round, upstream: string): readonly Probe[] {
  const plain = (wanted: string, headers: Record<string, string> = {}): Probe => ({
    headers,
    wanted,
  });
  switch (name) {
    case "steady":
      return [plain("untouched steady")];
    case "tcp":
      return [plain(upstream)];
    case "runtime":
      return [plain(`${upstream} ${tag} ${isOn ? "on" : "off"}`)];
    case "extension":
      return [plain(`${upstream} ${tag}${isOn ? " hidden" : ""}`)];
    case "scoped":
      return [
        plain(`${upstream} ${tag} a`, { "x-scope": "a" }),
        plain(`${upstream} ${tag} b`, { "x-scope": "b" }),
        plain("404", { "x-scope": "c" }),
      ];
    case "on-demand":
      return [plain(`${upstream} ${tag}`, { host: "on-demand.test" })];
    default:
      return [plain(`${upstream} ${tag}`)];
  }
}

function bootstrap(controlPlane: GoControlPlane, combination: Combination): object {
  const { xdsAddress, restAddress } = controlPlane;
  const address = combination.isRest ? restAddress : xdsAddress;
  const base = variantBootstrap(node, address, combination) as {
    readonly staticResources: { readonly clusters: readonly object[] };
  };
  const rtds = { rtdsLayer: { name: "by-rtds", rtdsConfig: combination.source }, name: "by-rtds" };
  return {
    ...base,
    staticResources: {
      clusters: [...base.staticResources.clusters, grpcCluster("access-logs", xdsAddress)],
    },
    layeredRuntime: { layers: [rtds] },
  };
}
