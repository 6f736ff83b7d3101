/**
 * A cluster's hosts and the choice among them. An update keeps the `Host` of every address that stays,
 * with its pool: only who leaves is drained (Envoy: `HostSet`, `BaseDynamicClusterImpl`).
 */
import { formatAddress, type SocketAddress } from "../../shared/common/address.ts";
import type { Random } from "../../shared/common/random.ts";
import {
  type ClusterConfig,
  type HostConfig,
  isExcluded,
} from "../../shared/config/cluster-config.ts";
import type { StatBlock } from "../../shared/stats/stat-group.ts";
import { Host } from "./host.ts";
import { type HostPicker, createHostPicker } from "./host-picker.ts";
import type { UpstreamCluster } from "./cluster-table.ts";
import { type PriorityShare, shareByPriority } from "./priority-load.ts";

interface Choice {
  /** Undefined: nobody is asked (`fail_traffic_on_panic`). */
  readonly picker: HostPicker | undefined;
  readonly percent: number;
  readonly isPanic: boolean;
}

export class HostSet {
  readonly #cluster: UpstreamCluster;
  readonly #config: ClusterConfig;
  readonly #random: Random;
  readonly #onPanic: () => void;
  #byAddress = new Map<string, Host>();
  #hosts: readonly Host[] = [];
  #choices: readonly Choice[] = [];
  #panicThreshold: number;
  /** Chosen before they were asked for, in their order; no more than hosts are well. */
  #peeked: Host[] = [];
  #healthyCount = 0;

  /** `onPanic` is called at each choice that did not look at health. */
  constructor(cluster: UpstreamCluster, random: Random, onPanic: () => void) {
    this.#cluster = cluster;
    this.#config = cluster.config;
    this.#panicThreshold = cluster.config.healthyPanicThreshold;
    this.#random = random;
    this.#onPanic = onPanic;
  }

  get hosts(): readonly Host[] {
    return this.#hosts;
  }

  at(address: SocketAddress): Host | undefined {
    return this.#byAddress.get(formatAddress(address));
  }

  /** Replaces the hosts; a second host of one address is dropped, as in Envoy. */
  update(configs: readonly HostConfig[], blocks: readonly StatBlock[]): void {
    const before = this.#byAddress;
    this.#byAddress = new Map();
    for (const [i, config] of configs.entries()) {
      const key = formatAddress(config.address);
      if (this.#byAddress.has(key)) continue;
      const host = before.get(key) ?? new Host(this.#cluster, config, blocks[i] ?? 0);
      host.update(config);
      this.#byAddress.set(key, host);
    }
    this.#hosts = [...this.#byAddress.values()];
    this.#chooseAnew();
    for (const [key, host] of before) if (!this.#byAddress.has(key)) host.leave();
  }

  /** In percent; 0 switches panic off. */
  setPanicThreshold(percent: number): void {
    if (percent === this.#panicThreshold) return;
    this.#panicThreshold = percent;
    this.#chooseAnew();
  }

  choose(): Host | undefined {
    return this.#peeked.shift() ?? this.#next()?.pick();
  }

  /** The host of a choice to come (Envoy: `peekAnotherHost`); undefined: it depends on what will be, or is far off. */
  peek(): Host | undefined {
    if (this.#peeked.length >= this.#healthyCount) return undefined;
    const picker = this.#next();
    if (picker?.isForeseeable !== true) return undefined;
    const host = picker.pick();
    this.#peeked.push(host);
    return host;
  }

  #next(): HostPicker | undefined {
    const choice = this.#choices.length > 1 ? this.#draw() : this.#choices[0];
    if (!choice) return undefined;
    if (choice.isPanic) this.#onPanic();
    return choice.picker;
  }

  #draw(): Choice | undefined {
    let left = this.#random.next() * 100;
    for (const choice of this.#choices) {
      left -= choice.percent;
      if (left < 0) return choice;
    }
    return this.#choices.at(-1);
  }

  /** What was known of choices to come holds no more. */
  #chooseAnew(): void {
    this.#choices = this.#chooseAmong(this.#hosts);
    this.#healthyCount = this.#hosts.filter(({ config }) => config.health === "healthy").length;
    this.#peeked = [];
  }

  #chooseAmong(hosts: readonly Host[]): Choice[] {
    const priorities = byPriority(hosts);
    const health = priorities.map((members) => ({
      total: members.filter((host) => !isExcluded(host.config)).length,
      healthy: members.filter((host) => host.config.health === "healthy").length,
      degraded: members.filter((host) => host.config.health === "degraded").length,
    }));
    return shareByPriority(health, this.#panicThreshold).flatMap((share): Choice[] => {
      const isPanic = share.hosts === "all";
      if (isPanic && this.#config.failTrafficOnPanic)
        return [{ picker: undefined, percent: share.percent, isPanic }];
      const eligible = eligibleHosts(priorities[share.priority] ?? [], share);
      if (eligible.length === 0) return [];
      const picker = createHostPicker(this.#config, eligible, this.#random);
      return [{ picker, percent: share.percent, isPanic }];
    });
  }
}

function byPriority(hosts: readonly Host[]): Host[][] {
  const highest = hosts.reduce((most, host) => Math.max(most, host.config.priority), 0);
  const priorities: Host[][] = Array.from({ length: highest + 1 }, () => []);
  for (const host of hosts) priorities[host.config.priority]?.push(host);
  return priorities;
}

function eligibleHosts(members: readonly Host[], share: PriorityShare): readonly Host[] {
  if (share.hosts === "all") return members;
  return members.filter((host) => host.config.health === share.hosts);
}
