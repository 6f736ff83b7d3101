/**
 * The hosts of a STRICT_DNS cluster: every address of every name, resolved again and again. A failure keeps the
 * hosts that are there (Envoy: a failing name never empties a cluster); the cluster is warm once each name was
 * tried once, whatever came of it.
 */
import { isIP } from "node:net";
import type { Clock } from "../../shared/common/clock.ts";
import type { Random } from "../../shared/common/random.ts";
import type {
  ClusterDiscovery,
  Endpoint,
  HostConfig,
  LoadAssignment,
} from "../../shared/config/cluster-config.ts";
import type { ResolveDns } from "./dns-resolver.ts";
import { type Group, groupOf, hostOf } from "./host-list.ts";

type StrictDns = Extract<ClusterDiscovery, { kind: "strictDns" }>;

/** A record that lives for less is asked for again no sooner: names with a TTL of 0 would spin. */
export const refreshMsMin = 1_000;
/** Share of the delay by which it may be longer, so that thousands of clusters do not ask in step. */
export const refreshJitter = 0.1;

export interface StrictDnsContext {
  readonly resolve: ResolveDns;
  readonly clock: Clock;
  readonly random: Random;
  /** Every time a name was tried. */
  readonly onAnswer: (outcome: "success" | "failure" | "empty") => void;
  /** The present hosts, when they are first complete and whenever they differ. */
  readonly onHosts: (hosts: readonly HostConfig[]) => void;
}

interface Target {
  readonly host: string;
  /** An IP address or a path: nothing to resolve. */
  readonly isAddress: boolean;
  readonly endpoints: readonly { readonly endpoint: Endpoint; readonly group: Group }[];
  /** Undefined until it was tried once. */
  addresses: readonly string[] | undefined;
  timer: Disposable | undefined;
}

export class StrictDnsHosts implements Disposable {
  readonly #context: StrictDnsContext;
  readonly #discovery: StrictDns;
  readonly #targets: readonly Target[];
  #isDisposed = false;
  #published: string | undefined;

  constructor(discovery: StrictDns, assignment: LoadAssignment, context: StrictDnsContext) {
    this.#context = context;
    this.#discovery = discovery;
    this.#targets = targetsOf(assignment);
  }

  /** Begins; without a name to resolve the hosts come before this returns. */
  start(): void {
    for (const target of this.#targets) {
      if (target.isAddress) target.addresses = [target.host];
      else void this.#refresh(target);
    }
    this.#publish();
  }

  /** Names not tried yet, for what a warming cluster waits for. */
  get awaiting(): readonly string[] {
    return this.#targets.flatMap(({ host, addresses }) => (addresses ? [] : host));
  }

  [Symbol.dispose](): void {
    this.#isDisposed = true;
    for (const target of this.#targets) target.timer?.[Symbol.dispose]();
  }

  async #refresh(target: Target): Promise<void> {
    const { resolve, clock, onAnswer } = this.#context;
    const { lookupFamily, respectTtl } = this.#discovery;
    const answer = await resolve(target.host, lookupFamily, respectTtl);
    if (this.#isDisposed) return;
    if (!answer.ok) {
      onAnswer("failure");
      target.addresses ??= [];
    } else {
      onAnswer(answer.addresses.length > 0 ? "success" : "empty");
      target.addresses = answer.addresses;
    }
    const ttlMs = answer.ok && respectTtl ? answer.ttlMs : undefined;
    target.timer = clock.startTimer(this.#delayMs(ttlMs), () => void this.#refresh(target));
    this.#publish();
  }

  #delayMs(ttlMs: number | undefined): number {
    const delayMs = Math.max(refreshMsMin, ttlMs ?? this.#discovery.refreshRateMs);
    return Math.ceil(delayMs * (1 + this.#context.random.next() * refreshJitter));
  }

  #publish(): void {
    if (this.#targets.some(({ addresses }) => addresses === undefined)) return;
    const hosts = this.#targets.flatMap(hostsOf);
    // Resolvers rotate their answers: an order is no change.
    const published = JSON.stringify(hosts.map((host) => JSON.stringify(host)).toSorted());
    if (published === this.#published) return;
    this.#published = published;
    this.#context.onHosts(hosts);
  }
}

/** Endpoints by the name they share, so that a name is asked for once. */
function targetsOf(assignment: LoadAssignment): readonly Target[] {
  const byHost = new Map<string, { endpoint: Endpoint; group: Group }[]>();
  for (const locality of assignment.localities) {
    const group = groupOf(locality);
    for (const endpoint of locality.endpoints) {
      const { address } = endpoint;
      const host = address.kind === "ip" ? address.ip : address.path;
      byHost.set(host, [...(byHost.get(host) ?? []), { endpoint, group }]);
    }
  }
  return [...byHost].map(([host, endpoints]) => ({
    host,
    isAddress:
      isIP(host) !== 0 || endpoints.some(({ endpoint }) => endpoint.address.kind === "pipe"),
    endpoints,
    addresses: undefined,
    timer: undefined,
  }));
}

function hostsOf({ host, endpoints, addresses }: Target): readonly HostConfig[] {
  return endpoints.flatMap(({ endpoint, group }) =>
    (addresses ?? []).map((address) => {
      const { address: original } = endpoint;
      const resolved = original.kind === "ip" ? { ...original, ip: address } : original;
      const hostname = endpoint.hostname || host;
      return hostOf({ ...endpoint, address: resolved, hostname }, group);
    }),
  );
}
