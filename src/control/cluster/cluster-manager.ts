/**
 * Clusters, warming and active (Envoy: `ClusterManagerImpl`). An update warms beside the version that serves and takes
 * its place in one command: make before break. Nothing here waits, so every event is decided when its
 * call returns; what is slow, DNS and EDS, comes back as an event of its own.
 */
import type { Clock } from "../../shared/common/clock.ts";
import type { Logger } from "../../shared/common/log.ts";
import type { Random } from "../../shared/common/random.ts";
import type { HostConfig } from "../../shared/config/cluster-config.ts";
import { noTlsBlocks } from "../../shared/protocol/worker-command.ts";
import type { MainStats } from "../../shared/stats/stat-allocator.ts";
import type { StatBlock } from "../../shared/stats/stat-group.ts";
import { clusterStats } from "../../shared/stats/stat-names.ts";
import type { DecodedCluster } from "../config/decoded-cluster.ts";
import type { WorkerPool } from "../workers/worker-pool.ts";
import type { RejectedResource } from "../xds/resource-batch.ts";
import { Cluster } from "./cluster.ts";
import { type ClusterLimits, ClusterSlots } from "./cluster-slots.ts";
import { ClusterSockets, type ClusterTls, contextsOf } from "./cluster-sockets.ts";
import { ClusterManagerStats, dnsClusterStats } from "./cluster-stats.ts";
import type { ClusterErrorView, ClusterLoad, ClustersView } from "./cluster-view.ts";
import { createHostSource } from "./create-host-source.ts";
import { HostCounters } from "./host-counters.ts";
import { type ClusterWarming, ClusterWaits } from "./cluster-warming.ts";
import type { ResolveDns } from "./dns-resolver.ts";
import { CheckSecurity } from "./health-check/check-security.ts";
import { type CreateProber, HealthCheckedHosts } from "./health-check/health-checked-hosts.ts";
import { areSameHosts, areSameMembers } from "./host-list.ts";
import type { EndpointSource, HostSource } from "./host-source.ts";
import { withSockets } from "./socket-matches.ts";

const connectionsTotal = clusterStats.offset("upstream_cx_total");

export interface ClusterManagerContext {
  readonly pool: Pick<WorkerPool, "post" | "broadcast">;
  readonly limits: ClusterLimits;
  readonly stats: MainStats;
  readonly endpoints: EndpointSource;
  readonly resolve: ResolveDns;
  readonly createProber: CreateProber;
  readonly tls: ClusterTls;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Of health checks. */
  readonly healthLog: Logger;
}

/** One push: a batch of xDS. */
export interface ClusterBatch {
  readonly version: string;
  readonly changed: readonly { readonly value: DecodedCluster }[];
  readonly removed: readonly string[];
  /** Refused before it could be read: to show. */
  readonly rejected?: readonly RejectedResource[];
  /** Joins the NACK. */
  refuse(name: string, message: string): void;
}

export class ClusterManager {
  readonly #context: ClusterManagerContext;
  readonly #stats: ClusterManagerStats;
  readonly #warming = new Map<string, Cluster>();
  readonly #active = new Map<string, Cluster>();
  readonly #slots = new Map<string, ClusterSlots>();
  readonly #hostCounters: HostCounters;
  /** Of removed clusters whose connections workers still close. */
  #retired: ClusterSlots[] = [];
  readonly #errors = new Map<string, ClusterErrorView>();
  /** Not sent again, so true until the name is heard of again. */
  readonly #skips = new Map<string, ClusterErrorView>();
  readonly #waits = new ClusterWaits((name) => this.#warming.has(name) && !this.#active.has(name));
  #version = "";
  #initialWaiters: (() => void)[] = [];

  constructor(context: ClusterManagerContext) {
    this.#context = context;
    this.#stats = new ClusterManagerStats(context.stats);
    this.#hostCounters = new HostCounters(context.stats.allocator, context.pool);
  }

  /** Applies a push. Good clusters are applied whatever the others are; each bad one is refused. */
  apply(batch: ClusterBatch): void {
    this.#errors.clear();
    const lastAttemptMs = this.#context.clock.wallTime();
    for (const { name, version, bytes, errors } of batch.rejected ?? [])
      this.#errors.set(name, { name, version, details: errors.join("; "), bytes, lastAttemptMs });
    let isApplied = false;
    for (const { value } of batch.changed) {
      const error = this.#addOrUpdate(value, batch.version, false);
      if (error === undefined) isApplied = true;
      else this.#refuse(value, error, batch);
    }
    for (const name of batch.removed) if (this.#remove(name)) isApplied = true;
    if (isApplied) this.#version = batch.version;
    this.#settle();
  }

  /** One that a request asked for, beside what CDS pushes. The error, or undefined. */
  addDemanded(decoded: DecodedCluster, version: string): string | undefined {
    const error = this.#addOrUpdate(decoded, version, false);
    this.#settle();
    return error;
  }

  /** Its server has it no more. */
  removeDemanded(name: string): void {
    this.#remove(name);
    this.#settle();
  }

  /** Adds a cluster of the bootstrap: never updated, never removed. The error, or undefined. */
  addStatic(decoded: DecodedCluster): string | undefined {
    const error = this.#addOrUpdate(decoded, "", true);
    this.#settle();
    return error;
  }

  /** Active or warming: what routes may name. */
  hasCluster(name: string): boolean {
    return this.#active.has(name) || this.#warming.has(name);
  }

  /** Who must not point at a cluster before it serves, waits here. */
  get warming(): ClusterWarming {
    return this.#waits;
  }

  /** The hosts that workers have now; undefined for a cluster that is not active. */
  hosts(name: string): readonly HostConfig[] | undefined {
    return this.#active.get(name)?.hosts;
  }

  /** Where a call of gRPC to an active cluster is counted (`grpcCallStats`); undefined: it is not active. */
  grpcCallBlock(name: string, prefix: string): StatBlock | undefined {
    const cluster = this.#active.get(name);
    return cluster?.slots.grpcCallBlock(cluster.decoded.config.statName, prefix);
  }

  /** Resolves when every cluster that start-up waits for (`wait_for_warm_on_init`) is warm. */
  whenInitialized(): Promise<void> {
    return new Promise((resolve) => {
      this.#initialWaiters.push(resolve);
      this.#settle();
    });
  }

  /** Sets the gauges that follow what workers count: before somebody reads them. */
  refreshGauges(): void {
    const { limits } = this.#context;
    this.#hostCounters.sweep();
    for (const { decoded, slots } of this.#active.values()) {
      const { statName, circuitBreakers } = decoded.config;
      const { breakers } = slots.blocks(statName);
      breakers.refresh(circuitBreakers, slots.limits, (index) => limits.read(index));
    }
  }

  /** What is reported of the active clusters as load. */
  loads(): readonly ClusterLoad[] {
    return [...this.#active.values()].map(({ decoded: { config }, slots, hosts, hostBlocks }) => ({
      config,
      hosts,
      hostBlocks,
      stats: slots.blocks(config.statName).worker,
    }));
  }

  view(): ClustersView {
    const clusters = [...this.#warming.values(), ...this.#active.values()];
    return {
      version: this.#version,
      clusters: clusters.map((cluster) => cluster.view()),
      errors: [...this.#errors.values()],
      skipped: [...this.#skips.values()],
    };
  }

  /** Stops resolving and listening to assignments; workers keep what they have. */
  [Symbol.dispose](): void {
    for (const cluster of [...this.#warming.values(), ...this.#active.values()]) cluster.remove();
  }

  #addOrUpdate(decoded: DecodedCluster, version: string, isStatic: boolean): string | undefined {
    const { name } = decoded.config;
    const active = this.#active.get(name);
    const warming = this.#warming.get(name);
    const current = warming ?? active;
    if (current?.identity.isStatic) {
      if (isStatic) return `cluster manager: duplicate cluster '${name}'`;
      return this.#skip(decoded, version);
    }
    if (current?.decoded.hash === decoded.hash) return undefined;
    if (active?.decoded.hash === decoded.hash) return this.#revert(warming);
    const refusal = this.#refusalOf(decoded);
    if (refusal !== undefined) return refusal;
    const slots = this.#slotsOf(name);
    if (!slots) return `no room for the counters of cluster '${name}'`;
    if (warming) this.#dropWarming(warming);
    this.#stats.count(current ? "cluster_modified" : "cluster_added");
    this.#context.log.info(`cds: ${current ? "update" : "add"} cluster '${name}'`);
    const lastUpdatedMs = this.#context.clock.wallTime();
    const identity = { version, isStatic, lastUpdatedMs };
    const cluster = new Cluster(decoded, identity, slots, {
      createSource: (self) => this.#sourceOf(self),
      createSockets: (self) =>
        new ClusterSockets(self.decoded, this.#context.tls, () => this.#onSocketsReady(self)),
    });
    this.#warming.set(name, cluster);
    cluster.slots.blocks(decoded.config.statName).membership.setWarming(true);
    cluster.start();
    return undefined;
  }

  /** In Envoy's words. */
  #refusalOf(decoded: DecodedCluster): string | undefined {
    for (const config of contextsOf(decoded)) {
      const { tls } = this.#context;
      const refusal = tls.refusalOf(config) ?? (decoded.health && tls.checkRefusalOf(config));
      if (refusal !== undefined) return refusal;
    }
    return undefined;
  }

  /** Not an error, the control plane gets its ACK as from Envoy; but it is said. */
  #skip({ config: { name }, bytes }: DecodedCluster, version: string): undefined {
    const details = "the bootstrap has a cluster of this name";
    const lastAttemptMs = this.#context.clock.wallTime();
    this.#skips.set(name, { name, version, details, bytes, lastAttemptMs });
    this.#context.log.warning(`cds: cluster '${name}' is skipped: ${details}`);
  }

  /** Back to what is active while something else was warming. */
  #revert(warming: Cluster | undefined): undefined {
    if (warming) this.#dropWarming(warming);
    this.#stats.count("cluster_modified");
  }

  #sourceOf(cluster: Cluster): HostSource {
    const { statName } = cluster.decoded.config;
    const { dns } = cluster.slots.blocks(statName);
    const count = (name: Parameters<typeof dnsClusterStats.offset>[0]): void =>
      this.#context.stats.slab.add(dns, dnsClusterStats.offset(name));
    const createSource = (onHosts: (hosts: readonly HostConfig[]) => void): HostSource =>
      createHostSource(cluster.decoded, {
        ...this.#context,
        onHosts,
        onAnswer: (outcome) => {
          count("update_attempt");
          count(outcome === "failure" ? "update_failure" : "update_success");
          if (outcome === "empty") count("update_empty");
        },
      });
    return this.#checkedSource(cluster, createSource);
  }

  /** Without health checks hosts count as they come. */
  #checkedSource(
    cluster: Cluster,
    createSource: (onHosts: (hosts: readonly HostConfig[]) => void) => HostSource,
  ): HostSource {
    const { health, config } = cluster.decoded;
    const onHosts = (hosts: readonly HostConfig[]): void => this.#onHosts(cluster, hosts);
    if (!health) return createSource(onHosts);
    const { worker } = cluster.slots.blocks(config.statName);
    const { stats } = this.#context;
    return new HealthCheckedHosts({
      ...this.#context,
      clusterName: config.name,
      statPrefix: `cluster.${config.statName}.`,
      health,
      security: new CheckSecurity(cluster.decoded, this.#context.tls.createClient),
      createSource,
      hasTraffic: () => stats.allocator.total(worker, connectionsTotal) > 0,
      onHosts,
      log: this.#context.healthLog,
    });
  }

  #onHosts(cluster: Cluster, known: readonly HostConfig[]): void {
    if (cluster.state.kind === "removed") return;
    const hosts = withSockets(known, cluster.decoded);
    if (cluster.state.kind === "warming") {
      cluster.hosts = hosts;
      cluster.hasHosts = true;
      if (cluster.isWarm) this.#activate(cluster);
    } else if (!areSameHosts(cluster.hosts, hosts)) {
      this.#updateHosts(cluster, hosts);
    }
    this.#settle();
  }

  #onSocketsReady(cluster: Cluster): void {
    if (cluster.isWarm) this.#activate(cluster);
    this.#settle();
  }

  /** Warm: workers get it with its hosts, in the place of the version before. */
  #activate(cluster: Cluster): void {
    const { config } = cluster.decoded;
    const { name, statName } = config;
    const old = this.#active.get(name);
    this.#warming.delete(name);
    this.#active.set(name, cluster);
    cluster.state = { kind: "active" };
    old?.remove();
    const { worker, membership } = cluster.slots.blocks(statName);
    const { hosts, slots } = cluster;
    cluster.hostBlocks = this.#hostCounters.assign(name, hosts);
    const speaksTls = contextsOf(cluster.decoded).length > 0;
    this.#context.pool.post({
      kind: "setCluster",
      config,
      hosts,
      hostBlocks: cluster.hostBlocks,
      stats: worker,
      membership: membership.block,
      tls: speaksTls ? slots.tlsBlocks(statName) : noTlsBlocks,
      http1: config.protocol === "http2" ? 0 : slots.http1Block(statName),
      http2: config.protocol === "http1" ? 0 : slots.http2Block(statName),
      limits: slots.limits,
    });
    membership.setWarming(false);
    membership.setHosts(hosts);
    if (!areSameMembers(old?.hosts ?? [], hosts)) membership.countChange();
  }

  #updateHosts(cluster: Cluster, hosts: readonly HostConfig[]): void {
    const { name, statName } = cluster.decoded.config;
    const hasChanged = !areSameMembers(cluster.hosts, hosts);
    cluster.hosts = hosts;
    const hostBlocks = this.#hostCounters.assign(name, hosts);
    cluster.hostBlocks = hostBlocks;
    this.#context.pool.post({ kind: "setHosts", cluster: name, hosts, hostBlocks });
    this.#stats.count("cluster_updated");
    const { membership } = cluster.slots.blocks(statName);
    membership.setHosts(hosts);
    if (hasChanged) membership.countChange();
    this.#context.log.debug(`cluster '${name}' has ${hosts.length} hosts`);
  }

  #remove(name: string): boolean {
    this.#skips.delete(name);
    const active = this.#active.get(name);
    const warming = this.#warming.get(name);
    const current = active ?? warming;
    if (!current || current.identity.isStatic) return false;
    this.#stats.count("cluster_removed");
    this.#context.log.info(`cds: remove cluster '${name}'`);
    if (warming) this.#dropWarming(warming);
    this.#slots.delete(name);
    if (!active) {
      this.#retired.push(current.slots);
      return true;
    }
    this.#active.delete(name);
    active.remove();
    this.#hostCounters.remove(name);
    const removed = this.#context.pool.broadcast((reply) => ({
      kind: "removeCluster",
      name,
      reply,
    }));
    // Until then workers may not have begun to count down, and zero would mean nothing.
    void removed.then(() => {
      this.#retired.push(active.slots);
      this.#settle();
    });
    return true;
  }

  #dropWarming(cluster: Cluster): void {
    const { name, statName } = cluster.decoded.config;
    this.#warming.delete(name);
    cluster.remove();
    cluster.slots.blocks(statName).membership.setWarming(false);
  }

  #refuse(decoded: DecodedCluster, details: string, batch: ClusterBatch): void {
    const { name } = decoded.config;
    const lastAttemptMs = this.#context.clock.wallTime();
    const { version } = batch;
    this.#errors.set(name, { name, version, details, bytes: decoded.bytes, lastAttemptMs });
    this.#context.log.warning(`cds: cluster '${name}' is refused: ${details}`);
    batch.refuse(name, details);
  }

  #slotsOf(name: string): ClusterSlots | undefined {
    const known = this.#slots.get(name);
    if (known) return known;
    const slots = ClusterSlots.create(this.#context.limits, this.#context.stats);
    if (slots) this.#slots.set(name, slots);
    return slots;
  }

  /** After every event: gauges from the sets, leftovers given back, waiters told. */
  #settle(): void {
    this.#retired = this.#retired.filter((slots) => !slots.releaseIfUnused());
    this.#stats.setSizes(this.#active.size, this.#warming.size);
    this.#waits.settle();
    const warming = [...this.#warming.values()];
    if (warming.some((cluster) => cluster.decoded.waitForWarmOnInit)) return;
    for (const resolve of this.#initialWaiters.splice(0)) resolve();
  }
}
