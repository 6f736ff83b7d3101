/** The one filter of a chain that serves its connections: those before it are accepted without effect. */
import type {
  FilterChainConfig,
  PlainNetworkFilterConfig,
} from "../../shared/config/listener-config.ts";

export type TerminalFilterConfig = Exclude<PlainNetworkFilterConfig, { kind: "noop" }>;

/** Undefined: of a chain without one, or whose comes by ECDS. */
export function terminalOf(chain: FilterChainConfig): TerminalFilterConfig | undefined {
  const last = chain.filters.at(-1);
  return last === undefined || last.kind === "noop" || last.kind === "discovered"
    ? undefined
    : last;
}
