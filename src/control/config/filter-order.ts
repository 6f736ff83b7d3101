/**
 * A chain of filters ends with its terminal one (tcp_proxy, router), which stands nowhere else. Envoy
 * checks it when it builds the chain; the texts are its own.
 */
import type { DecodeContext } from "./decode-context.ts";

export interface OrderedFilter {
  /** As configured. */
  readonly name: string;
  /** Envoy's canonical name. */
  readonly type: string;
  /** Undefined: not known yet. */
  readonly isTerminal: boolean | undefined;
}

/** As Envoy calls them. */
export type FilterChainKind = "http" | "http upgrade" | "network";

export function judgeFilterOrder(
  filters: readonly OrderedFilter[],
  chain: FilterChainKind,
  context: DecodeContext,
): void {
  for (const [index, { name, type, isTerminal }] of filters.entries()) {
    const isLast = index === filters.length - 1;
    if (isTerminal === true && !isLast)
      context.refuse(
        `Error: terminal filter named ${name} of type ${type} must be the last filter in a ${chain} filter chain.`,
      );
    else if (isTerminal === false && isLast)
      context.refuse(
        `Error: non-terminal filter named ${name} of type ${type} is the last filter in a ${chain} filter chain.`,
      );
  }
}
