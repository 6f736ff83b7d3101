/** One cluster on one worker: its configuration never changes, its hosts do (Envoy: `ClusterEntry`). */
import type { SocketAddress } from "../../shared/common/address.ts";
import type { Random } from "../../shared/common/random.ts";
import type { ClusterConfig, HostConfig } from "../../shared/config/cluster-config.ts";
import { clusterLimitSlots, type TlsBlocks } from "../../shared/protocol/worker-command.ts";
import type { TimerWheel } from "../../shared/io/timer-wheel.ts";
import type { StatSlab } from "../../shared/stats/slab.ts";
import type { StatBlock } from "../../shared/stats/stat-group.ts";
import { clusterMembershipStats, clusterStats } from "../../shared/stats/stat-names.ts";
import { CircuitBreakers } from "./circuit-breakers.ts";
import type { ClusterActivity } from "./cluster-activity.ts";
import type { HostRequest, UpstreamCluster } from "./cluster-table.ts";
import type { Host } from "./host.ts";
import type { GrpcCalls } from "./grpc-calls.ts";
import { HostSet } from "./host-set.ts";
import { OriginalDestinationHosts } from "./original-destination-hosts.ts";
import type { Runtime } from "./worker-runtime.ts";

const panicCounter = clusterStats.offset("lb_healthy_panic");
const hostInvalid = clusterStats.offset("original_dst_host_invalid");
const membershipTotal = clusterMembershipStats.offset("membership_total");
const membershipHealthy = clusterMembershipStats.offset("membership_healthy");
const panicThresholdKey = "upstream.healthy_panic_threshold";

export interface ClusterParts {
  readonly config: ClusterConfig;
  readonly stats: StatBlock;
  readonly membership: StatBlock;
  readonly tls: TlsBlocks;
  readonly http1: StatBlock;
  readonly http2: StatBlock;
  /** First of the cluster's shared counters. */
  readonly limits: number;
  readonly activity: ClusterActivity;
  readonly grpcCalls: GrpcCalls;
}

/** What clusters share of their worker. */
export interface ClusterEnvironment {
  readonly slab: StatSlab;
  readonly limits: Int32Array;
  readonly random: Random;
  readonly runtime: Runtime;
  readonly timers: TimerWheel;
  /** As many hosts were made as may be. */
  onHostsFull(): void;
  /** Of calls of gRPC: `setGrpcStats` follows. */
  wantGrpcStats(cluster: string, prefix: string): void;
  /** As many calls have a name of their own as may. */
  onGrpcNamesFull(): void;
}

export class Cluster implements UpstreamCluster {
  readonly config: ClusterConfig;
  readonly stats: StatBlock;
  readonly tls: TlsBlocks;
  readonly http1: StatBlock;
  readonly http2: StatBlock;
  readonly breakers: CircuitBreakers;
  readonly highBreakers: CircuitBreakers;
  readonly activity: ClusterActivity;
  readonly grpcCalls: GrpcCalls;
  readonly #hostSet: HostSet;
  readonly #runtime: Runtime;
  /** Of original destinations. */
  readonly #madeHosts: OriginalDestinationHosts | undefined;

  constructor(parts: ClusterParts, environment: ClusterEnvironment) {
    this.config = parts.config;
    this.stats = parts.stats;
    this.tls = parts.tls;
    this.http1 = parts.http1;
    this.http2 = parts.http2;
    this.activity = parts.activity;
    this.grpcCalls = parts.grpcCalls;
    const { default: normal, high } = parts.config.circuitBreakers;
    const { limits, slab, random, runtime } = environment;
    const keyPrefix = `circuit_breakers.${parts.config.name}.`;
    this.breakers = new CircuitBreakers(limits, parts.limits, {
      limits: normal,
      keyPrefix: `${keyPrefix}default.`,
    });
    this.highBreakers = new CircuitBreakers(limits, parts.limits + clusterLimitSlots / 2, {
      limits: high,
      keyPrefix: `${keyPrefix}high.`,
    });
    this.#runtime = runtime;
    this.#hostSet = new HostSet(this, random, () => slab.add(parts.stats, panicCounter));
    this.#madeHosts = this.#createMadeHosts(parts, environment);
    this.followRuntime();
  }

  /** Limits and the panic threshold, which runtime may override. */
  followRuntime(): void {
    this.breakers.followRuntime(this.#runtime);
    this.highBreakers.followRuntime(this.#runtime);
    const otherwise = this.config.healthyPanicThreshold;
    this.#hostSet.setPanicThreshold(
      Math.min(100, this.#runtime.integer({ runtimeKey: panicThresholdKey, otherwise })),
    );
  }

  get hosts(): readonly Host[] {
    return this.#madeHosts?.hosts ?? this.#hostSet.hosts;
  }

  hostAt(address: SocketAddress): Host | undefined {
    return this.#hostSet.at(address);
  }

  chooseHost(request?: HostRequest): Host | undefined {
    return this.#madeHosts ? this.#madeHosts.choose(request) : this.#hostSet.choose();
  }

  peekHost(): Host | undefined {
    return this.#madeHosts ? undefined : this.#hostSet.peek();
  }

  setHosts(hosts: readonly HostConfig[], blocks: readonly StatBlock[]): void {
    this.#hostSet.update(hosts, blocks);
  }

  /** It goes, or another version serves: all hosts leave. */
  leave(): void {
    this.#hostSet.update([], []);
    this.#madeHosts?.clear();
  }

  #createMadeHosts(
    { config, stats, membership }: ClusterParts,
    environment: ClusterEnvironment,
  ): OriginalDestinationHosts | undefined {
    const { discovery } = config;
    const { slab, timers } = environment;
    if (discovery.kind !== "originalDst") return undefined;
    return new OriginalDestinationHosts({
      cluster: this,
      discovery,
      timers,
      onInvalid: () => slab.add(stats, hostInvalid),
      onFull: () => environment.onHostsFull(),
      onSize(count) {
        slab.set(membership, membershipTotal, count);
        slab.set(membership, membershipHealthy, count);
      },
    });
  }
}
