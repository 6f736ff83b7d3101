/**
 * Chooses among hosts that are equally eligible: same priority, same health (Envoy: `LoadBalancer` below
 * its priority sets). Made anew when the hosts change, so a picker may assume that they do not.
 */
import type { Random } from "../../shared/common/random.ts";
import type { ClusterConfig } from "../../shared/config/cluster-config.ts";
import { EdfPicker } from "./edf-picker.ts";
import type { Host } from "./host.ts";

export interface HostPicker {
  /** What it picks may be picked before the request is there. Else it is by what is under way then. */
  readonly isForeseeable: boolean;
  pick(): Host;
}

/** `hosts` must not be empty. */
export function createHostPicker(
  config: Pick<ClusterConfig, "lbPolicy" | "choiceCount">,
  hosts: readonly Host[],
  random: Random,
): HostPicker {
  const weightOf = (host: Host): number => Math.max(1, host.config.weight);
  const isWeighted = hosts.some((host) => weightOf(host) !== weightOf(first(hosts)));
  switch (config.lbPolicy) {
    case "roundRobin":
      return isWeighted ? new EdfPicker(hosts, weightOf, random) : new Rotation(hosts, random);
    case "leastRequest":
      // Envoy docs, load_balancing/load_balancers: with unequal weights the weight shrinks with load.
      return isWeighted
        ? new EdfPicker(hosts, (host) => weightOf(host) / (host.activeRequests + 1), random)
        : new FewestOfSome(hosts, Math.max(2, config.choiceCount), random);
    case "random":
      return new AnyHost(hosts, random);
    default:
      return config.lbPolicy satisfies never;
  }
}

class Rotation implements HostPicker {
  readonly isForeseeable = true;
  readonly #hosts: readonly Host[];
  /** Starts anywhere, so that workers do not march in step. */
  #next: number;

  constructor(hosts: readonly Host[], random: Random) {
    this.#hosts = hosts;
    this.#next = indexBelow(hosts.length, random);
  }

  pick(): Host {
    const host = this.#hosts[this.#next] as Host;
    this.#next = this.#next + 1 === this.#hosts.length ? 0 : this.#next + 1;
    return host;
  }
}

/** The power of two choices, or of `choice_count`. */
class FewestOfSome implements HostPicker {
  readonly isForeseeable = false;
  readonly #hosts: readonly Host[];
  readonly #choices: number;
  readonly #random: Random;

  constructor(hosts: readonly Host[], choices: number, random: Random) {
    this.#hosts = hosts;
    this.#choices = choices;
    this.#random = random;
  }

  pick(): Host {
    let best = this.#draw();
    for (let i = 1; i < this.#choices; i++) {
      const other = this.#draw();
      if (other.activeRequests < best.activeRequests) best = other;
    }
    return best;
  }

  #draw(): Host {
    return this.#hosts[indexBelow(this.#hosts.length, this.#random)] as Host;
  }
}

/** Weights do not count here, as in Envoy. */
class AnyHost implements HostPicker {
  readonly isForeseeable = true;
  readonly #hosts: readonly Host[];
  readonly #random: Random;

  constructor(hosts: readonly Host[], random: Random) {
    this.#hosts = hosts;
    this.#random = random;
  }

  pick(): Host {
    return this.#hosts[indexBelow(this.#hosts.length, this.#random)] as Host;
  }
}

function indexBelow(length: number, random: Random): number {
  return Math.floor(random.next() * length);
}

function first(hosts: readonly Host[]): Host {
  return hosts[0] as Host;
}
