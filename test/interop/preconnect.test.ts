/**
 * Connections that are there before their requests, at the hosts whose turn is next (`predictive_preconnect_ratio`): how
 * many each host has is compared with Envoy's (`SLUICE_TEST_PROXY=envoy`).
 */
import assert from "node:assert/strict";
import { createServer, request as httpRequest, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { forEachProxy } from "../support/each-proxy.ts";
import { startHttp2Upstream } from "../support/http2-upstream.ts";
import type { ProxyProcess } from "../support/proxy-process.ts";
import { adminOnPortZero } from "../support/sluice-program.ts";
import { http2Cluster, httpListener, staticCluster } from "../support/truth-resources.ts";
import { until } from "../support/until.ts";

interface Case {
  /** `preconnect_policy`. */
  readonly policy: object;
  /** Of the cluster, beside that. */
  readonly cluster?: object;
  readonly isHttp2?: true;
  /** Of each host: its weight, or how it is. */
  readonly hosts: readonly (number | "HEALTHY" | "DEGRADED" | "UNHEALTHY")[];
  /** How many connections each host ever had, most first, with one request more; or all that came are answered. */
  readonly steps: readonly string[];
}

const predictive = (ratio: number): object => ({ predictive_preconnect_ratio: ratio });
const three = [1, 1, 1] as const;

const cases: Readonly<Record<string, Case>> = {
  none: { policy: {}, hosts: three, steps: ["1 0 0"] },
  half: {
    policy: predictive(1.5),
    hosts: three,
    steps: ["1 1 1", "1 1 1", "2 2 1", "2 2 2"],
  },
  double: {
    policy: predictive(2),
    hosts: three,
    steps: ["1 1 1", "answered", "1 1 1", "2 2 1", "3 2 2"],
  },
  triple: {
    policy: predictive(3),
    hosts: three,
    steps: ["1 1 1", "2 1 1", "2 2 1"],
  },
  one: {
    policy: predictive(3),
    hosts: [1],
    steps: ["1", "2", "3"],
  },
  two: {
    policy: predictive(3),
    hosts: [1, 1],
    steps: ["1 1", "2 1", "answered", "2 2"],
  },
  both: {
    policy: { ...predictive(2), per_upstream_preconnect_ratio: 2 },
    hosts: three,
    steps: ["2 1 1", "2 2 1", "3 2 2"],
  },
  least: {
    policy: predictive(3),
    cluster: { lb_policy: "LEAST_REQUEST" },
    hosts: [1, 1],
    steps: ["1 0"],
  },
  random: {
    policy: predictive(3),
    cluster: { lb_policy: "RANDOM" },
    hosts: [1],
    steps: ["1", "2"],
  },
  weighted: {
    policy: predictive(3),
    hosts: [1, 1_000_000],
    steps: ["2 0", "3 0"],
  },
  unhealthy: {
    policy: predictive(3),
    hosts: ["HEALTHY", "HEALTHY", "UNHEALTHY"],
    steps: ["1 1 0", "2 1 0"],
  },
  degraded: {
    policy: predictive(3),
    hosts: ["DEGRADED", "DEGRADED"],
    steps: ["1 0", "1 1"],
  },
  panic: {
    policy: predictive(3),
    hosts: ["UNHEALTHY", "UNHEALTHY"],
    steps: ["1 0", "1 1"],
  },
  full: {
    policy: predictive(3),
    cluster: { circuit_breakers: { thresholds: [{ max_connections: 1 }] } },
    hosts: three,
    steps: ["1 1 1", "1 1 1"],
  },
  http2: {
    policy: predictive(3),
    isHttp2: true,
    hosts: three,
    steps: ["1 1 0", "1 1 0", "1 1 1"],
  },
};

interface Host extends AsyncDisposable {
  readonly port: number;
  hangUp(): void;
}

forEachProxy("hosts whose turn is next have connections", async (start, scope) => {
  const held: (() => void)[] = [];
  const ports: Record<string, readonly number[]> = {};
  const hosts: Host[] = [];
  for (const [name, { hosts: wanted, isHttp2 }] of Object.entries(cases)) {
    const started = await Promise.all(wanted.map(() => startHost(held, isHttp2)));
    for (const host of started) hosts.push(scope.use(host));
    ports[name] = started.map(({ port }) => port);
  }
  const proxy = await start({
    admin: adminOnPortZero,
    static_resources: {
      listeners: [
        httpListener("l", {
          route_config: {
            virtual_hosts: [
              {
                name: "all",
                domains: ["*"],
                routes: [{ match: { prefix: "/" }, route: { cluster_header: "x-to" } }],
              },
            ],
          },
        }),
      ],
      clusters: Object.entries(cases).map(([name, each]) =>
        clusterOf(name, each, ports[name] ?? []),
      ),
    },
  });
  const port = (await proxy.listenerPorts()).get("l") ?? 0;
  const seen: Record<string, readonly string[]> = {};
  for (const [name, { steps }] of Object.entries(cases)) {
    const counts: string[] = [];
    const asked: Promise<number>[] = [];
    for (const step of steps) {
      if (step === "answered") {
        held.splice(0).forEach((answer) => answer());
        await Promise.all(asked.splice(0));
        counts.push(step);
        continue;
      }
      asked.push(ask(port, name));
      await until(() => held.length === asked.length, `${name}: a request arrives`);
      counts.push(await connectionsOf(proxy, name));
    }
    seen[name] = counts;
    held.splice(0).forEach((answer) => answer());
    assert.deepEqual(
      await Promise.all(asked),
      asked.map(() => 200),
    );
    // Envoy counts what is open to all clusters together.
    for (const host of hosts) host.hangUp();
    await until(
      async () => (await proxy.stat(`cluster.${name}.upstream_cx_active`)) === 0,
      `${name}: all is closed`,
    );
  }
  const wanted = Object.entries(cases).map(([name, { steps }]) => [name, steps]);
  assert.deepEqual(seen, Object.fromEntries(wanted));
});

async function startHost(held: (() => void)[], isHttp2 = false): Promise<Host> {
  if (isHttp2) {
    const host = await startHttp2Upstream(
      (stream) => void held.push(() => stream.respond({ ":status": 200 }, { endStream: true })),
    );
    return {
      port: host.port,
      hangUp: () => host.sessions.forEach((session) => session.destroy()),
      [Symbol.asyncDispose]: () => host[Symbol.asyncDispose](),
    };
  }
  const server = createServer(
    (_request, response: ServerResponse) =>
      void held.push(() => response.writeHead(200, { connection: "close" }).end()),
  );
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  return {
    port: (server.address() as AddressInfo).port,
    hangUp: () => server.closeAllConnections(),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    },
  };
}

function clusterOf(
  name: string,
  { policy, cluster, isHttp2, hosts }: Case,
  ports: readonly number[],
): object {
  const make = isHttp2
    ? (fields: object) => ({ ...http2Cluster(name, 1), ...fields })
    : (fields: object) => staticCluster(name, 1, fields);
  return make({
    preconnect_policy: policy,
    load_assignment: {
      cluster_name: name,
      endpoints: [
        {
          lb_endpoints: hosts.map((host, i) => ({
            endpoint: {
              address: { socket_address: { address: "127.0.0.1", port_value: ports[i] } },
            },
            ...(typeof host === "number"
              ? { load_balancing_weight: host }
              : { health_status: host }),
          })),
        },
      ],
    },
    ...cluster,
  });
}

function ask(port: number, cluster: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({
      port,
      host: "127.0.0.1",
      headers: { "x-to": cluster },
      agent: false,
    });
    request.on("response", (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    request.on("error", reject);
    request.end();
  });
}

/** That each host of the cluster ever had, most first. */
async function connectionsOf(proxy: ProxyProcess, cluster: string): Promise<string> {
  const lines = await proxy.admin("/clusters");
  const counts = [
    ...lines.matchAll(new RegExp(`^${cluster}::[^:]+:\\d+::cx_total::(\\d+)$`, "gm")),
  ];
  return counts
    .map(([, count]) => Number(count))
    .toSorted((a, b) => b - a)
    .join(" ");
}
