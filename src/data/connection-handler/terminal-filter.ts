/** The one filter of a chain that serves its connections: those before it are accepted without effect. */
import type {
  FilterChainConfig,
  NetworkFilterConfig,
} from "../../shared/config/listener-config.ts";

export type TerminalFilterConfig = Exclude<NetworkFilterConfig, { kind: "noop" }>;

/** Undefined: of a chain without one. */
export function terminalOf(chain: FilterChainConfig): TerminalFilterConfig | undefined {
  return chain.filters.find((filter) => filter.kind !== "noop");
}
