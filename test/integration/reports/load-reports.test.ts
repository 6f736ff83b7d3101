/** The same against Envoy: `SLUICE_TEST_PROXY=envoy`. */
import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, suite, test } from "node:test";
import { ProxyProcess } from "../../support/proxy-process.ts";
import {
  httpProxy,
  reportBootstrap,
  staticCluster,
  tcpProxy,
} from "../../support/report-bootstrap.ts";
import { type Message, ReportServer, type ReportStream } from "../../support/report-server.ts";
import { TestClient, startUpstream } from "../../support/tcp-peers.ts";
import { until } from "../../support/until.ts";

type Stats = Readonly<Record<string, unknown>>;

suite("load reports", () => {
  const started = new AsyncDisposableStack();
  let server: ReportServer;
  let stream: ReportStream;
  let proxy: ProxyProcess;
  let ports: ReadonlyMap<string, number>;

  before(async () => {
    server = started.use(await ReportServer.start());
    const echo = started.use(await startUpstream());
    const zoneA = await webServer();
    const zoneB = await webServer();
    const closed = started.use(await startUpstream());
    const refusing = closed.port;
    await closed[Symbol.asyncDispose]();
    const one = [{ zone: "a", ports: [zoneA] }];
    proxy = started.use(
      await ProxyProcess.start(
        reportBootstrap({
          reportPort: server.port,
          reportsLoad: true,
          clusters: [
            staticCluster("web", [...one, { zone: "b", ports: [zoneB] }]),
            staticCluster("prefers", [...one, { zone: "b", ports: [zoneB], priority: 1 }]),
            staticCluster("refusing", [{ zone: "a", ports: [refusing] }]),
            staticCluster("full", one, {
              circuitBreakers: { thresholds: [{ maxPendingRequests: 0, maxRequests: 0 }] },
            }),
            staticCluster("echo", [{ zone: "a", ports: [echo.port] }]),
            staticCluster("idle", one),
          ],
          listeners: [
            ...["web", "prefers", "refusing", "full"].map((name) =>
              httpProxy(name, [
                { match: { prefix: "/" }, route: { cluster: name, timeout: "0.2s" } },
              ]),
            ),
            tcpProxy("echo", "echo"),
          ],
        }),
      ),
    );
    ports = await proxy.listenerPorts();
    stream = await server.load();
  });
  after(() => started.disposeAsync());

  /** Answers `/200`, `/404`, `/503` with that; cuts the connection at `/cut`; says nothing to `/never`. */
  async function webServer(): Promise<number> {
    const web = createServer(({ url = "", socket }, response) => {
      if (url === "/cut") return void socket.destroy();
      if (url === "/never") return;
      response.writeHead(Number(url.slice(1))).end();
    });
    started.defer(() => {
      web.closeAllConnections();
      web.close();
    });
    await new Promise<void>((resolve) => web.listen(0, "127.0.0.1", resolve));
    return (web.address() as AddressInfo).port;
  }

  async function request(listener: string, path: string): Promise<void> {
    await fetch(`http://127.0.0.1:${ports.get(listener)}${path}`, {
      headers: { connection: "close" },
    });
  }

  /** Every report from now on, until one says it: reports are cut by the clock, not by us. */
  async function told(cluster: string, wanted: Stats): Promise<void> {
    const from = stream.received.length;
    const sum = (): Stats => sumOf(stream.received.slice(from), cluster);
    const matches = (): boolean => {
      const { issued = 0, error = 0, successful = 0, inProgress = 0, dropped = 0 } = sum();
      const seen = { issued, error, successful, inProgress, dropped };
      return Object.entries(wanted).every(([name, value]) => seen[name as "issued"] === value);
    };
    await until(matches, `${cluster} reports ${JSON.stringify(wanted)}`).catch(() =>
      assert.deepEqual(sum(), wanted),
    );
  }

  function sumOf(messages: readonly Message[], cluster: string): Stats {
    const total = { issued: 0, error: 0, successful: 0, inProgress: 0, dropped: 0 };
    for (const stats of messages.flatMap((message) => clustersOf(message))) {
      if (stats["cluster_name"] !== cluster) continue;
      total.dropped += Number(stats["total_dropped_requests"] ?? 0);
      total.inProgress = 0;
      for (const locality of localitiesOf(stats)) {
        total.issued += Number(locality["total_issued_requests"] ?? 0);
        total.error += Number(locality["total_error_requests"] ?? 0);
        total.successful += Number(locality["total_successful_requests"] ?? 0);
        total.inProgress += Number(locality["total_requests_in_progress"] ?? 0);
      }
    }
    return total;
  }

  function clustersOf(message: Message): readonly Message[] {
    return (message["cluster_stats"] ?? []) as Message[];
  }

  function localitiesOf(stats: Message): readonly Message[] {
    return (stats["upstream_locality_stats"] ?? []) as Message[];
  }

  test("the proxy says who it is, with the metadata of its configuration, and waits", async () => {
    const first = await until(() => stream.received[0], "the first request is there");
    assert.partialDeepStrictEqual(first["node"], { id: "node-1", cluster: "tests" });
    const { client_features: features = [] } = first["node"] as { client_features?: string[] };
    assert(features.includes("envoy.lrs.supports_send_all_clusters"));
    assert.equal(first["cluster_stats"], undefined);
    assert.equal(stream.metadata["x-token"], "abc");
  });

  test("the clusters that were asked for are told, with what happened since", async () => {
    await request("web", "/200");
    stream.send({ clusters: ["web", "idle", "no such"], load_reporting_interval: { nanos: 2e8 } });
    await until(() => stream.received.length > 1, "a report came");
    for (const path of ["/200", "/404", "/503", "/200"]) await request("web", path);
    await told("web", { successful: 3, error: 1, issued: 4 });
    const reports = stream.received.slice(1).flatMap(clustersOf);
    const names = new Set(reports.map((stats) => stats["cluster_name"]));
    assert.deepEqual(names, new Set(["idle", "web"]));
    const zones = reports
      .flatMap(localitiesOf)
      .map(({ locality }) => (locality as Message)["zone"]);
    assert.deepEqual(new Set(zones), new Set(["a", "b"]));
    for (const stats of reports) assert(stats["load_report_interval"], "each has its interval");
    assert(
      reports.some((stats) => stats["cluster_name"] === "idle" && localitiesOf(stats).length === 0),
    );
  });

  test("every way to fail counts as Envoy counts it", async () => {
    stream.send({ send_all_clusters: true, load_reporting_interval: { nanos: 2e8 } });
    await until(
      () => clustersOf(stream.received.at(-1) ?? {}).length > 5,
      "all clusters are reported",
    );
    const cases: readonly (readonly [string, string, Stats])[] = [
      ["web", "/never", { issued: 1, error: 1, successful: 0 }],
      ["refusing", "/200", { issued: 0, error: 1 }],
      ["full", "/200", { dropped: 1, issued: 0, error: 0 }],
      ["prefers", "/200", { issued: 1, successful: 1 }],
    ];
    for (const [cluster, path, wanted] of cases)
      await Promise.all([told(cluster, wanted), request(cluster, path)]);
  });

  test("a TCP connection is a request that is under way while it is open", async () => {
    const client = new TestClient(ports.get("echo") ?? 0);
    await told("echo", { inProgress: 1, issued: 1, successful: 0 });
    client.socket.destroy();
    await told("echo", { inProgress: 0, issued: 0 });
  });

  test("endpoints are told where that is asked for", async () => {
    const isTold = (): boolean =>
      stream.received
        .flatMap(clustersOf)
        .flatMap(localitiesOf)
        .some((locality) => locality["upstream_endpoint_stats"] !== undefined);
    assert(!isTold());
    stream.send({
      send_all_clusters: true,
      report_endpoint_granularity: true,
      load_reporting_interval: { nanos: 2e8 },
    });
    await until(async () => {
      await request("prefers", "/200");
      return isTold();
    }, "endpoints are reported");
  });

  test("a stream that breaks is opened again, and goes on by itself", async () => {
    stream.fail();
    const again = await server.load(1);
    stream = again;
    await Promise.all([told("prefers", { issued: 1 }), request("prefers", "/200")]);
    assert.equal(await proxy.stat("load_reporter.errors"), 1);
    assert.equal(await proxy.stat("load_reporter.retries"), 1);
    assert.equal(await proxy.stat("load_reporter.requests"), 3);
  });

  test("/clusters shows the same counters", async () => {
    const lines = (await proxy.admin("/clusters?filter=^refusing$")).split("\n");
    assert(lines.some((line) => /^refusing::127.0.0.1:\d+::rq_error::1$/.test(line)));
    assert(lines.some((line) => /^refusing::127.0.0.1:\d+::cx_connect_fail::1$/.test(line)));
    assert(lines.some((line) => /^refusing::127.0.0.1:\d+::zone::a$/.test(line)));
  });
});
