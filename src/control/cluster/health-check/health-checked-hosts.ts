/**
 * Hosts that are checked before they count (Envoy: `HealthCheckerImplBase` beside `ClusterImplBase`): a host source
 * around another. It gives the hosts on with their health, and for the first time when each of the first ones has
 * been checked once, which is what the cluster warms on.
 */
import type { Clock } from "../../../shared/common/clock.ts";
import type { Logger } from "../../../shared/common/log.ts";
import type { Random } from "../../../shared/common/random.ts";
import type { HealthFlag, HostConfig } from "../../../shared/config/cluster-config.ts";
import type { MainStats } from "../../../shared/stats/stat-allocator.ts";
import type { ClusterHealthConfig } from "../../config/decoded-cluster.ts";
import type { AssignmentView } from "../cluster-view.ts";
import { healthOf } from "../host-health.ts";
import type { HostSource } from "../host-source.ts";
import type { CheckSecurity } from "./check-security.ts";
import { CheckSlots } from "./check-slots.ts";
import type { CheckState } from "./check-state.ts";
import { type Member, keyOf, mergeMembers } from "./checked-members.ts";
import { HealthCheckStats } from "./health-check-stats.ts";
import { type CheckReport, HostSession, type SessionContext } from "./host-session.ts";
import type { Prober, ProbeTarget } from "./prober.ts";

export interface HealthCheckedContext {
  readonly clusterName: string;
  readonly statPrefix: string;
  readonly health: ClusterHealthConfig;
  /** The source of the hosts. */
  readonly createSource: (onHosts: (hosts: readonly HostConfig[]) => void) => HostSource;
  readonly createProber: CreateProber;
  /** Ends with the source. */
  readonly security: Pick<CheckSecurity, "of"> & Disposable;
  readonly hasTraffic: () => boolean;
  readonly onHosts: (hosts: readonly HostConfig[]) => void;
  readonly clock: Clock;
  readonly random: Random;
  readonly stats: MainStats;
  readonly log: Logger;
}

export type CreateProber = (
  check: ClusterHealthConfig["check"],
  target: ProbeTarget,
  onVerify: () => void,
) => Prober;

export class HealthCheckedHosts implements HostSource {
  // Set once.
  readonly #context: HealthCheckedContext;
  readonly #source: HostSource;
  readonly #stats: HealthCheckStats;
  readonly #session: SessionContext;
  // Changed by the source and by checks.
  #members: readonly Member[] = [];
  readonly #sessions = new Map<string, HostSession>();
  /** Of the first hosts, those not checked yet; undefined until there are hosts. */
  #unchecked: Set<string> | undefined;

  constructor(context: HealthCheckedContext) {
    const { health, clock, random, hasTraffic } = context;
    this.#context = context;
    this.#stats = new HealthCheckStats(context.stats, context.statPrefix);
    const slots = new CheckSlots(() => this.#stats.delayed());
    this.#session = { config: health.check, clock, random, slots, stats: this.#stats, hasTraffic };
    this.#source = context.createSource((hosts) => this.#onNamed(hosts));
  }

  get awaiting(): readonly string[] {
    if (!this.#unchecked) return this.#source.awaiting;
    const count = this.#unchecked.size;
    return count === 0 ? [] : [`health checks of ${count} hosts`];
  }

  get assignment(): AssignmentView | undefined {
    return this.#source.assignment;
  }

  start(): void {
    this.#source.start();
  }

  [Symbol.dispose](): void {
    this.#source[Symbol.dispose]();
    for (const session of this.#sessions.values()) session[Symbol.dispose]();
    this.#sessions.clear();
    this.#context.security[Symbol.dispose]();
    this.#stats[Symbol.dispose]();
  }

  #onNamed(named: readonly HostConfig[]): void {
    const present = this.#context.health.ignoreHealthOnHostRemoval ? [] : this.#members;
    this.#setMembers(mergeMembers(present, named, (host) => this.#flagsOf(host)));
    this.#unchecked ??= new Set(this.#sessions.keys());
    this.#publish();
  }

  #setMembers(members: readonly Member[]): void {
    const before = this.#members;
    this.#members = members;
    const wanted = new Map(members.map(({ host }) => [keyOf(host), host]));
    const isSame = (host: HostConfig): boolean =>
      JSON.stringify(wanted.get(keyOf(host))?.check) === JSON.stringify(host.check);
    for (const { host } of before) if (!isSame(host)) this.#stop(keyOf(host));
    for (const key of this.#sessions.keys()) if (!wanted.has(key)) this.#stop(key);
    for (const [key, host] of wanted)
      if (!this.#sessions.has(key) && host.check?.isDisabled !== true) this.#check(key, host);
  }

  #check(key: string, host: HostConfig): void {
    const { createProber, health } = this.#context;
    const prober = createProber(health.check, this.#targetOf(host), () =>
      this.#stats.count("verify_cluster"),
    );
    const isPending = health.ignoreNewHostsUntilFirstCheck;
    const session = new HostSession(this.#session, prober, isPending, (report) =>
      this.#onReport(key, report),
    );
    this.#sessions.set(key, session);
    session.start();
  }

  #stop(key: string): void {
    this.#sessions.get(key)?.[Symbol.dispose]();
    this.#sessions.delete(key);
    this.#unchecked?.delete(key);
  }

  #targetOf(host: HostConfig): ProbeTarget {
    const { clusterName, health, security } = this.#context;
    const { address: own, check } = host;
    const base = check?.address ?? own;
    const port = health.check.altPort ?? (check?.port || undefined);
    const address = base.kind === "ip" && port !== undefined ? { ...base, port } : base;
    const hostname = check?.hostname ?? "";
    return { address, clusterName, hostname, security: security.of(host) };
  }

  #onReport(key: string, report: CheckReport): void {
    this.#log(key, report);
    const isLast = this.#unchecked?.delete(key) === true && this.#unchecked.size === 0;
    if (report.state.isFailed) this.#dropLeaving(key);
    if (isLast || report.transition === "changed") this.#publish();
  }

  /** A host that the source no longer names was held by its good checks alone. */
  #dropLeaving(key: string): void {
    const stays = ({ host, isLeaving }: Member): boolean => !isLeaving || keyOf(host) !== key;
    if (!this.#members.every(stays)) this.#setMembers(this.#members.filter(stays));
  }

  #publish(): void {
    const states = [...this.#sessions.values()].map(({ state }) => state);
    this.#stats.setHosts(
      states.filter(({ isFailed }) => !isFailed).length,
      states.filter(({ isDegraded }) => isDegraded).length,
    );
    if (this.#unchecked?.size !== 0) return;
    this.#context.onHosts(this.#members.map((member) => this.#checked(member)));
  }

  #checked({ host, isLeaving }: Member): HostConfig {
    const leaving: readonly HealthFlag[] = isLeaving ? ["pending_dynamic_removal"] : [];
    return { ...host, ...healthOf([...this.#flagsOf(host), ...leaving]) };
  }

  /** Of its endpoint and of its checks. */
  #flagsOf(host: HostConfig): readonly HealthFlag[] {
    const state = this.#sessions.get(keyOf(host))?.state;
    return state ? [...host.flags, ...checkFlags(state)] : host.flags;
  }

  #log(key: string, { state, transition, outcome, wasFirst }: CheckReport): void {
    const { log, clusterName, health } = this.#context;
    const host = `cluster '${clusterName}': host ${key}`;
    if (outcome.kind === "failure") {
      const isTold = transition === "changed" || wasFirst || health.check.alwaysLogFailures;
      const what = state.isFailed ? "fails its health check" : "failed a health check";
      if (isTold) log.info(`${host} ${what}: ${outcome.reason}`);
    } else if (transition === "changed") {
      log.info(`${host} passes its health check${state.isDegraded ? ", degraded" : ""}`);
    }
  }
}

function checkFlags(state: CheckState): readonly HealthFlag[] {
  const flags: readonly (readonly [HealthFlag, boolean])[] = [
    ["failed_active_hc", state.isFailed],
    ["degraded_active_hc", state.isDegraded],
    ["active_hc_timeout", state.isTimedOut],
    ["excluded_via_immediate_hc_fail", state.isExcluded],
    ["pending_active_hc", state.isPending],
  ];
  return flags.flatMap(([flag, isSet]) => (isSet ? [flag] : []));
}
