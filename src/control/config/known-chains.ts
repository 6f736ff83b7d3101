/**
 * Filter chains that were decoded before, found by their bytes. Whoever changes one chain of a thousand sends them
 * all, and only that one is decoded, judged and hashed.
 *
 * Nothing depends on it: what is not known is decoded. Only what was accepted is kept.
 */
import type { FilterChain } from "../../../gen/es/envoy/config/listener/v3/listener_components_pb.d.ts";
import type { FilterChainConfig } from "../../shared/config/listener-config.ts";
import type { ConfigWarning } from "../proto/decode-result.ts";
import type { ChainPart } from "./chain-bytes.ts";
import { DecodeContext, type DecodeTools } from "./decode-context.ts";
import type { ListenerNeeds } from "./decoded-listener.ts";
import { decodeFilterChain } from "./filter-chains.ts";

/** The oldest are forgotten first. */
const knownMax = 4_096;

export interface KnownChain {
  readonly config: FilterChainConfig;
  readonly needs: ListenerNeeds;
  readonly warnings: readonly ConfigWarning[];
}

export class KnownChains {
  readonly #byKey = new Map<string, KnownChain>();

  get({ key }: ChainPart): KnownChain | undefined {
    return this.#byKey.get(key);
  }

  /** Undefined: it is refused, and `context` has the reasons. */
  decode({ key }: ChainPart, message: FilterChain, context: DecodeContext): KnownChain | undefined {
    const own = new DecodeContext(context.tools);
    const needs: ListenerNeeds = { dependencies: [], requiredClusters: [] };
    own.check(context.protos.schema<FilterChain>("envoy.config.listener.v3.FilterChain"), message);
    const result = own.result(decodeFilterChain(message, needs, own));
    if (!result.ok) {
      for (const error of result.errors) context.refuse(error);
      return undefined;
    }
    const known = { config: result.value, needs, warnings: result.warnings };
    this.#byKey.set(key, known);
    const [oldest] = this.#byKey.keys();
    if (this.#byKey.size > knownMax && oldest !== undefined) this.#byKey.delete(oldest);
    return known;
  }
}

const ofTools = new WeakMap<DecodeTools, KnownChains>();

/** One for all listeners of a process. */
export function knownChainsOf(tools: DecodeTools): KnownChains {
  const known = ofTools.get(tools) ?? new KnownChains();
  ofTools.set(tools, known);
  return known;
}
