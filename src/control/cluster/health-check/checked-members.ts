/**
 * Which hosts a checked cluster has after its source has spoken: those that it names, and those that it no longer
 * names and whose checks still pass. A source that forgets hosts by mistake takes no traffic from them (Envoy docs,
 * "eventually consistent service discovery"). Pure.
 */
import { formatAddress } from "../../../shared/common/address.ts";
import type { HealthFlag, HostConfig } from "../../../shared/config/cluster-config.ts";

/** A host that its source named, now or before. */
export interface Member {
  readonly host: HostConfig;
  /** The source no longer names it: it goes with its first failed check. */
  readonly isLeaving: boolean;
}

/** Hosts of these are not worth keeping. */
const unfit: readonly HealthFlag[] = ["failed_active_hc", "failed_eds_health"];

export function keyOf({ address }: Pick<HostConfig, "address">): string {
  return formatAddress(address);
}

/** `flagsOf`: what is held against a present member. */
export function mergeMembers(
  present: readonly Member[],
  named: readonly HostConfig[],
  flagsOf: (host: HostConfig) => readonly HealthFlag[],
): readonly Member[] {
  const keys = new Set(named.map(keyOf));
  const kept = present.filter(
    ({ host }) => !keys.has(keyOf(host)) && !flagsOf(host).some((flag) => unfit.includes(flag)),
  );
  return [
    ...named.map((host) => ({ host, isLeaving: false })),
    ...kept.map(({ host }) => ({ host, isLeaving: true })),
  ];
}
