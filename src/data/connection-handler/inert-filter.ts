/** Serves connections that no filter serves: none matched, or making the filter failed. They are closing. */
import type { FilterChainConfig } from "../../shared/config/listener-config.ts";
import type { NetworkFilter, NetworkFilterFactory } from "../network/network-filter.ts";
import { ActiveFilterChain } from "./active-filter-chain.ts";

export const inertFilter: NetworkFilter = {
  protocol: "tcp",
  isIdle: false,
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
  revision: "",
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

/** Of a chain without a terminal filter: Envoy closes such a connection as soon as it comes. */
export const closingFactory: NetworkFilterFactory = {
  create: (connection) => ({
    ...inertFilter,
    onNewConnection: () => connection.socket.close("now"),
  }),
  [Symbol.dispose]() {},
};

/** Stands for "none matched", so that a connection always has a chain. One for all: it is never retired. */
export const unmatchedChain = new ActiveFilterChain(noChain, closingFactory, true);
