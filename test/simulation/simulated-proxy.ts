import assert from "node:assert/strict";
import { CdsApi } from "../../src/control/cluster/cds-api.ts";
import { ClusterManager } from "../../src/control/cluster/cluster-manager.ts";
import { noClusterTls } from "../support/no-cluster-tls.ts";
import { LdsApi } from "../../src/control/listener/lds-api.ts";
import { unknownClusterOf } from "../../src/control/listener/rds-api.ts";
import { AdsMux } from "../../src/control/xds/ads-mux.ts";
import type { AdsTransport } from "../../src/control/xds/ads-transport.ts";
import type { Dialect } from "../../src/control/xds/conversation.ts";
import { noXdsStats } from "../../src/control/xds/xds-stats.ts";
import type { Clock } from "../../src/shared/common/clock.ts";
import type { Random } from "../../src/shared/common/random.ts";
import type { ListenerConfig } from "../../src/shared/config/listener-config.ts";
import type { WorkerCommand } from "../../src/shared/protocol/worker-command.ts";
import { ListenerHarness } from "../support/listener-harness.ts";
import { silentLog } from "../support/silent-log.ts";
import { silentLogger } from "../support/silent-logger.ts";
import { clusters, endpoints, listeners, routes } from "./sketch-types.ts";

export interface ProxyOptions {
  readonly dialect: Dialect;
  readonly random: Random;
  readonly workers: number;
  /** How long a worker takes for a command. */
  readonly delayMs: () => number;
  readonly transport: (clock: Clock) => AdsTransport;
}

/**
 * The client and every manager of a proxy, put together as `control/server` does it, over fake workers and
 * virtual time. It watches each command to a worker for what must never be said.
 */
export class SimulatedProxy {
  readonly harness: ListenerHarness;
  readonly client: AdsMux;
  readonly clusters: ClusterManager;
  readonly #cds: CdsApi;
  readonly #lds: LdsApi;
  readonly #serving = new Set<string>();
  /** What was said to a worker and must never be; told later, since a throw would end in the manager. */
  readonly violations: string[] = [];

  constructor({ dialect, random, workers, delayMs, transport }: ProxyOptions) {
    const parts: { client?: AdsMux; clusters?: ClusterManager } = {};
    this.harness = new ListenerHarness({
      workers,
      delayMs,
      surroundings: ({ pool, limits, stats, clock }) => {
        const client = new AdsMux({
          transport: transport(clock),
          clock,
          random,
          dialect,
          logger: silentLogger,
          stats: noXdsStats,
          node: new Uint8Array(),
        });
        const manager = new ClusterManager({
          tls: noClusterTls,
          pool,
          limits,
          stats,
          clock,
          random,
          endpoints: ({ serviceName }) => client.resource$(endpoints, serviceName),
          resolve: async () => ({ ok: true, addresses: ["10.1.1.1"], ttlMs: undefined }),
          log: silentLog,
          createProber: () => assert.fail("no cluster has health checks"),
          healthLog: silentLog,
        });
        Object.assign(parts, { client, clusters: manager });
        return {
          routes: ({ routeConfigName }) => client.resource$(routes, routeConfigName),
          hasCluster: (name) => manager.hasCluster(name),
          warming: manager.warming,
        };
      },
    });
    const { client, clusters: manager } = parts;
    assert(client && manager);
    this.client = client;
    this.clusters = manager;
    for (const worker of this.harness.workers)
      worker.onPosted = (command) => this.#judge(command, worker.init.index);
    this.#cds = new CdsApi(client.changes$(clusters), manager);
    client.changes$(routes).subscribe((batch) => {
      for (const { name, value } of batch.changed) {
        const unknown = unknownClusterOf(value, (cluster) => manager.hasCluster(cluster));
        if (unknown !== undefined) batch.refuse(name, `route: unknown cluster '${unknown}'`);
      }
    });
    this.#lds = new LdsApi(client.changes$(listeners), this.harness.manager);
  }

  /** Known, and no version of it serves. */
  isWarmingOnly(cluster: string): boolean {
    const states = this.clusters
      .view()
      .clusters.filter(({ name }) => name === cluster)
      .map(({ state }) => state);
    return states.length > 0 && !states.includes("active");
  }

  /** After everything was removed: no part may hold anything. */
  end(): void {
    const { types } = this.client.status();
    assert.deepEqual(
      types.flatMap(({ shortName, resources }) =>
        resources.map(({ name, state }) => `${shortName} ${name} ${state}`),
      ),
      [],
      "the client still holds",
    );
    this.#cds[Symbol.dispose]();
    this.#lds[Symbol.dispose]();
    this.clusters[Symbol.dispose]();
    this.client[Symbol.dispose]();
    this.harness.assertNothingIsHeld(["cluster_manager."]);
    for (const { clusters: held } of this.harness.workers) assert.equal(held.size, 0);
  }

  /** Make before break: what replaces something that serves points at no cluster that still warms. */
  #judge(command: WorkerCommand, worker: number): void {
    const said = subjectOf(command);
    if (!said) return;
    const key = `${worker} ${said.name}`;
    if (said.isGone) {
      this.#serving.delete(key);
      return;
    }
    for (const cluster of this.#serving.has(key) ? said.clusters : [])
      if (this.isWarmingOnly(cluster))
        this.violations.push(`${said.name} moves to ${cluster}, which warms`);
    this.#serving.add(key);
  }
}

interface Subject {
  readonly name: string;
  readonly clusters: readonly string[];
  readonly isGone: boolean;
}

/** What workers serve with, and the clusters that it leads to. */
function subjectOf(command: WorkerCommand): Subject | undefined {
  const { kind } = command;
  if (kind === "setRoutes") {
    const { name, virtualHosts } = command.config;
    const named = virtualHosts.map((host) => host.name);
    return { name: `routes ${name}`, clusters: named, isGone: false };
  }
  if (kind === "removeRoutes")
    return { name: `routes ${command.name}`, clusters: [], isGone: true };
  if (kind === "updateFilterChains")
    return { name: `listener ${command.tag}`, clusters: proxiedTo(command.config), isGone: false };
  if (kind === "addListener" || kind === "removeListener") {
    const isGone = kind === "removeListener";
    return { name: `listener ${command.tag}`, clusters: [], isGone };
  }
  return undefined;
}

function proxiedTo(config: ListenerConfig | undefined): readonly string[] {
  const filters = (config?.filterChains ?? []).flatMap((chain) => chain.filters);
  return filters.flatMap((filter) =>
    filter.kind === "tcpProxy" ? filter.config.clusters.map(({ name }) => name) : [],
  );
}
