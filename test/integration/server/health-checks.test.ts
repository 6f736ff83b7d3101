import assert from "node:assert/strict";
import { once } from "node:events";
import { renameSync, writeFileSync } from "node:fs";
import { type Server, type ServerResponse, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { get } from "../../support/http-client.ts";
import { SluiceProgram, adminOnPortZero } from "../../support/sluice-program.ts";
import { until } from "../../support/until.ts";

/** Answers its health checks as it is told, and every other request with its port. */
class CheckedUpstream implements AsyncDisposable {
  /** `hold`: says nothing to a check for now. */
  answer: number | "hold" = 200;
  readonly #held: ServerResponse[] = [];
  readonly #server: Server;

  private constructor() {
    this.#server = createServer(({ url }, response) => {
      if (url !== "/hc") response.end(String(this.port));
      else if (this.answer === "hold") this.#held.push(response);
      else response.writeHead(this.answer).end();
    });
  }

  static async start(): Promise<CheckedUpstream> {
    const upstream = new CheckedUpstream();
    upstream.#server.listen(0, "127.0.0.1");
    await once(upstream.#server, "listening");
    return upstream;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get heldCount(): number {
    return this.#held.length;
  }

  release(status: number): void {
    this.answer = status;
    for (const response of this.#held.splice(0)) response.writeHead(status).end();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }
}

const address = (port: number) => ({
  socket_address: { address: "127.0.0.1", port_value: port },
});

const assignmentOf = (...ports: readonly number[]) =>
  JSON.stringify({
    version_info: "1",
    resources: [
      {
        "@type": "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
        cluster_name: "c",
        endpoints: [
          { lb_endpoints: ports.map((port) => ({ endpoint: { address: address(port) } })) },
        ],
      },
    ],
  });

const extensions = "type.googleapis.com/envoy.extensions.filters";
const manager = {
  "@type": `${extensions}.network.http_connection_manager.v3.HttpConnectionManager`,
  stat_prefix: "web",
  http_filters: [
    { name: "router", typed_config: { "@type": `${extensions}.http.router.v3.Router` } },
  ],
  route_config: {
    virtual_hosts: [
      { name: "v", domains: ["*"], routes: [{ match: { prefix: "/" }, route: { cluster: "c" } }] },
    ],
  },
};
const bootstrap = {
  admin: adminOnPortZero,
  node: { id: "n", cluster: "c" },
  static_resources: {
    listeners: [
      {
        name: "web",
        address: address(0),
        filter_chains: [{ filters: [{ name: "hcm", typed_config: manager }] }],
      },
    ],
    clusters: [
      {
        name: "c",
        type: "EDS",
        connect_timeout: "1s",
        eds_cluster_config: { eds_config: { path_config_source: { path: "eds.json" } } },
        common_lb_config: { healthy_panic_threshold: { value: 0 } },
        health_checks: [
          {
            timeout: "20s",
            interval: "0.05s",
            no_traffic_interval: "0.05s",
            unhealthy_threshold: 1,
            healthy_threshold: 2,
            http_health_check: { path: "/hc" },
          },
        ],
      },
    ],
  },
};

test("a cluster warms on its checks; traffic leaves a host that fails and comes back", async () => {
  await using a = await CheckedUpstream.start();
  await using b = await CheckedUpstream.start();
  b.answer = "hold";
  const files = { "b.yaml": JSON.stringify(bootstrap), "eds.json": assignmentOf(a.port, b.port) };
  await using sluice = new SluiceProgram(
    ["-c", "b.yaml", "--concurrency", "2", "--admin-address-path", "admin"],
    { files },
  );
  const url = await sluice.adminUrl();
  const text = async (target: string) => await (await fetch(`${url}${target}`)).text();
  const flags = async (upstream: CheckedUpstream) =>
    new RegExp(`127\\.0\\.0\\.1:${upstream.port}::health_flags::(.*)`).exec(
      await text("/clusters"),
    )?.[1];

  await until(() => b.heldCount > 0, "the second host is being checked");
  await until(
    async () => (await text("/init_dump")).includes("health checks of 1 hosts"),
    "start-up waits for the second host",
  );
  assert.equal((await fetch(`${url}/ready`)).status, 503);
  b.release(200);
  await sluice.live();
  const port = Number(/web::127\.0\.0\.1:(\d+)/.exec(await text("/listeners"))?.[1]);
  const served = async (): Promise<ReadonlySet<string>> => {
    const bodies = new Set<string>();
    for (let i = 0; i < 20; i++) bodies.add((await get(port)).body);
    return bodies;
  };
  // Main shows a change of health as soon as it knows; workers, which are asked here, hear of it a message later.
  const servedBy = async (...upstreams: readonly CheckedUpstream[]): Promise<void> => {
    const ports = new Set(upstreams.map((each) => String(each.port)));
    const what = `traffic goes to exactly ${[...ports].join(" and ")}`;
    await until(async () => isDeepStrictEqual(await served(), ports), what);
  };
  await servedBy(a, b);
  assert.equal(await flags(b), "healthy");

  b.answer = 503;
  await until(async () => (await flags(b)) === "/failed_active_hc", "the second host fails");
  await servedBy(a);
  const stats = await text("/stats?filter=cluster.c.(membership|health_check)");
  assert.match(stats, /^cluster\.c\.membership_healthy: 1$/m);
  assert.match(stats, /^cluster\.c\.membership_total: 2$/m);
  assert.match(stats, /^cluster\.c\.health_check\.healthy: 1$/m);

  b.answer = 200;
  await until(async () => (await flags(b)) === "healthy", "the second host recovers");
  await servedBy(a, b);

  writeFileSync(path.join(sluice.folder, "next"), assignmentOf(a.port));
  renameSync(path.join(sluice.folder, "next"), path.join(sluice.folder, "eds.json"));
  await until(
    async () => (await flags(b)) === "/pending_dynamic_removal",
    "a forgotten host stays while it is healthy",
  );
  await servedBy(a, b);
  b.answer = 500;
  await until(async () => (await flags(b)) === undefined, "it goes with its first failure");
  await servedBy(a);

  a.answer = 500;
  await until(async () => (await flags(a)) === "/failed_active_hc", "the last host fails");
  await until(async () => (await get(port)).status === 503, "no host is left to serve");
  a.answer = "hold";
  await until(() => a.heldCount > 0, "a check is under way");
  sluice.child.kill("SIGTERM");
  assert.equal(await sluice.exit, 0);
});
