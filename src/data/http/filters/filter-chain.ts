/**
 * The HTTP filters of one connection manager on one worker, made from its configuration. What they are at a moment is
 * a value that a request takes when it begins.
 */
import type { HttpFilterConfig } from "../../../shared/config/http-config.ts";
import { blockOf, type ListenerSlots } from "../../../shared/protocol/worker-command.ts";
import type { WorkerContext } from "../../network/worker-context.ts";
import { CredentialInjector } from "./credential-injector.ts";
import { type HttpFilter, type HttpFilters, noHttpFilters } from "./http-filter.ts";

export interface FilterContext {
  readonly worker: WorkerContext;
  readonly slots: ListenerSlots;
  readonly statPrefix: string;
}

export class HttpFilterChain implements Disposable {
  readonly #filters: readonly HttpFilter[];
  readonly current: HttpFilters;

  constructor(configs: readonly HttpFilterConfig[], context: FilterContext) {
    this.#filters = configs.flatMap((config) => createFilter(config, context) ?? []);
    this.current = filtersOf(configs, this.#filters);
  }

  [Symbol.dispose](): void {
    for (const filter of this.#filters) filter[Symbol.dispose]();
  }
}

function filtersOf(
  configs: readonly HttpFilterConfig[],
  filters: readonly HttpFilter[],
): HttpFilters {
  const suppressesEnvoyHeaders = configs.some(
    (config) => config.kind === "router" && config.suppressEnvoyHeaders,
  );
  if (filters.length === 0) return { ...noHttpFilters, suppressesEnvoyHeaders };
  return {
    ofRequests: filters.filter((filter) => filter.onRequest !== undefined),
    ofResponses: filters.flatMap((filter) => filter.responseChange ?? []).toReversed(),
    suppressesEnvoyHeaders,
  };
}

/** Undefined: it does nothing to heads. */
function createFilter(config: HttpFilterConfig, context: FilterContext): HttpFilter | undefined {
  const { worker, slots, statPrefix } = context;
  switch (config.kind) {
    case "credentialInjector":
      return new CredentialInjector(config, worker, blockOf(slots.credentialInjector, statPrefix));
    case "router":
    case "noop":
      return undefined;
    default:
      return config satisfies never;
  }
}
