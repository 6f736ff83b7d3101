/**
 * The HTTP filters of one connection manager on one worker, made from its configuration and from what comes by ECDS.
 * What they are at a moment is a value that a request takes when it begins, so a new configuration is for new
 * requests and disturbs none.
 */
import type {
  HttpFilterConfig,
  PlainHttpFilterConfig,
} from "../../../shared/config/http-config.ts";
import { blockOf, type ListenerSlots } from "../../../shared/protocol/worker-command.ts";
import type { WorkerContext } from "../../network/worker-context.ts";
import { requestHeadersUsed } from "../headers/header-mutations.ts";
import { CredentialInjector } from "./credential-injector.ts";
import { HeaderMutationFilter } from "./header-mutation.ts";
import { type HttpFilter, type HttpFilters, noHttpFilters } from "./http-filter.ts";

export interface FilterContext {
  readonly worker: WorkerContext;
  readonly slots: ListenerSlots;
  readonly statPrefix: string;
  /** Names of request headers that filters print: their values are to be kept. */
  readonly onHeadersUsed: (names: readonly string[]) => void;
}

/** One place of the chain. */
interface Place {
  /** Undefined: nothing has come by ECDS, and there is no default. */
  config: PlainHttpFilterConfig | undefined;
  /** Undefined: it does nothing to heads. */
  filter: HttpFilter | undefined;
}

/** Envoy: `MissingConfigFilter`. */
const missingConfig: HttpFilter = {
  onRequest: () => "noFilterConfig",
  [Symbol.dispose]() {},
};

export class HttpFilterChain implements Disposable {
  readonly #context: FilterContext;
  readonly #places: readonly Place[];
  readonly #watches: readonly Disposable[];
  #current: HttpFilters;

  constructor(configs: readonly HttpFilterConfig[], context: FilterContext) {
    this.#context = context;
    this.#places = configs.map((config) => this.#place(this.#present(config)));
    this.#watches = configs.flatMap((config, index) => this.#watch(config, index) ?? []);
    this.#current = filtersOf(this.#places);
  }

  get current(): HttpFilters {
    return this.#current;
  }

  [Symbol.dispose](): void {
    for (const watch of this.#watches) watch[Symbol.dispose]();
    for (const { filter } of this.#places) filter?.[Symbol.dispose]();
  }

  #present(config: HttpFilterConfig): PlainHttpFilterConfig | undefined {
    if (config.kind !== "discovered") return config;
    return this.#context.worker.filterConfigs.get(config.id) ?? config.fallback;
  }

  #watch(config: HttpFilterConfig, index: number): Disposable | undefined {
    if (config.kind !== "discovered") return undefined;
    return this.#context.worker.filterConfigs.watch(config.id, (next = config.fallback) => {
      const place = this.#places[index] as Place;
      place.filter?.[Symbol.dispose]();
      Object.assign(place, this.#place(next));
      this.#current = filtersOf(this.#places);
    });
  }

  #place(config: PlainHttpFilterConfig | undefined): Place {
    return { config, filter: config ? this.#createFilter(config) : missingConfig };
  }

  #createFilter(config: PlainHttpFilterConfig): HttpFilter | undefined {
    const { worker, slots, statPrefix, onHeadersUsed } = this.#context;
    switch (config.kind) {
      case "credentialInjector":
        return new CredentialInjector(
          config,
          worker,
          blockOf(slots.credentialInjector, statPrefix),
        );
      case "headerMutation": {
        const all = [...config.request, ...config.response];
        onHeadersUsed(all.flatMap(requestHeadersUsed));
        return new HeaderMutationFilter(config);
      }
      case "router":
      case "onDemand":
      case "noop":
        return undefined;
      default:
        return config satisfies never;
    }
  }
}

function filtersOf(places: readonly Place[]): HttpFilters {
  const suppressesEnvoyHeaders = places.some(
    ({ config }) => config?.kind === "router" && config.suppressEnvoyHeaders,
  );
  const onDemand = places.map(({ config }) => config).find((config) => config?.kind === "onDemand");
  const filters = places.flatMap(({ filter }) => filter ?? []);
  if (filters.length === 0) return { ...noHttpFilters, suppressesEnvoyHeaders, onDemand };
  return {
    ofRequests: filters.filter((filter) => filter.onRequest !== undefined),
    ofResponses: filters.flatMap((filter) => filter.responseChange ?? []).toReversed(),
    suppressesEnvoyHeaders,
    onDemand,
  };
}
