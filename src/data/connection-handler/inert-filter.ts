/** Serves connections that no filter serves: none matched, or making the filter failed. They are closing. */
import type { FilterChainConfig } from "../../shared/config/listener-config.ts";
import type { NetworkFilter } from "../network/network-filter.ts";
import { ActiveFilterChain } from "./active-filter-chain.ts";

export const inertFilter: NetworkFilter = {
  protocol: "tcp",
  onNewConnection() {},
  onData() {},
  onEnd() {},
  onAboveHighWatermark() {},
  onBelowLowWatermark() {},
  onSpliced() {},
  onDrain() {},
  onClosed() {},
};

const noChain: FilterChainConfig = {
  id: "",
  name: "",
  match: {
    destinationPort: undefined,
    prefixRanges: [],
    serverNames: [],
    transportProtocol: "",
    applicationProtocols: [],
    directSourcePrefixRanges: [],
    sourceType: "any",
    sourcePrefixRanges: [],
    sourcePorts: [],
  },
  filters: [],
  transportSocket: { kind: "rawBuffer" },
  transportSocketConnectTimeoutMs: 0,
};

/** Stands for "none matched", so that a connection always has a chain. */
export function createUnmatchedChain(): ActiveFilterChain {
  return new ActiveFilterChain(noChain, {
    create: () => inertFilter,
    [Symbol.dispose]() {},
  });
}
