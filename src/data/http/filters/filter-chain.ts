/**
 * The HTTP filters of one connection manager on one worker, made from its configuration and from what comes by ECDS.
 * What they are at a moment is a value that a request takes when it begins, so a new configuration is for new
 * requests and disturbs none.
 */
import type {
  HttpFilterConfig,
  PlacedHttpFilter,
  PlainHttpFilterConfig,
} from "../../../shared/config/http-config.ts";
import type { FilterSwitch, ModuleConfig } from "../../../shared/config/route-config.ts";
import { blockOf, type ListenerSlots } from "../../../shared/protocol/worker-command.ts";
import type { WorkerContext } from "../../network/worker-context.ts";
import type { CompiledRoute } from "../router/compiled-route.ts";
import { requestHeadersUsed } from "../headers/header-mutations.ts";
import { CredentialInjector } from "./credential-injector.ts";
import { isGrpcLikeRequest, isGrpcRequest, isGrpcWebRequest, isProtobufRequest } from "../grpc.ts";
import { GrpcHttp1Bridge } from "./grpc-http1-bridge.ts";
import { GrpcStats } from "./grpc-stats.ts";
import { GrpcWeb } from "./grpc-web.ts";
import { HeaderMutationFilter } from "./header-mutation.ts";
import {
  type FilterFactory,
  type FilterPlace,
  type HttpFilters,
  type HeadFilter,
  type WholeFilter,
} from "./http-filter.ts";

export interface FilterContext {
  readonly worker: WorkerContext;
  readonly slots: ListenerSlots;
  readonly statPrefix: string;
  /** Names of request headers that filters print: their values are to be kept. */
  readonly onHeadersUsed: (names: readonly string[]) => void;
}

type ModuleFilterConfig = Extract<PlainHttpFilterConfig, { readonly kind: "module" }>;

/** Sets of filters that routes make of one chain, kept at most. */
const switchedMax = 64;

/** One place of the chain. */
interface Place {
  readonly filterName: string | undefined;
  /** Whether it is on where a route says nothing of it. */
  readonly isOn: boolean;
  /** Undefined: nothing has come by ECDS, and there is no default. */
  config: PlainHttpFilterConfig | undefined;
  /** Undefined: it does nothing to what passes. */
  filter: HeadFilter | WholeFilter | undefined;
}

/** Envoy: `MissingConfigFilter`. */
const missingConfig: HeadFilter = {
  onRequest: () => "noFilterConfig",
  [Symbol.dispose]() {},
};

export class HttpFilterChain implements Disposable {
  readonly #context: FilterContext;
  readonly #places: readonly Place[];
  readonly #watches: readonly Disposable[];
  #current: HttpFilters;
  /** By which places are on; of the present filters. */
  readonly #switched = new Map<string, HttpFilters>();
  /** Of configurations that routes bring, to tell them apart. */
  readonly #numbers = new WeakMap<ModuleConfig, number>();
  #numbersGiven = 0;

  constructor(configs: readonly PlacedHttpFilter[], context: FilterContext) {
    this.#context = context;
    this.#places = configs.map((config) => ({
      filterName: config.filterName,
      isOn: config.isDisabled !== true,
      ...this.#made(this.#present(config)),
    }));
    this.#watches = configs.flatMap((config, index) => this.#watch(config, index) ?? []);
    this.#current = filtersOf(this.#places.filter(({ isOn }) => isOn));
  }

  /** Where no route says anything. */
  get current(): HttpFilters {
    return this.#current;
  }

  /** What the route leaves on, or turns on. `cluster`: where it leads. */
  of(route: CompiledRoute | undefined, cluster: string): HttpFilters {
    if (route?.hasFilterSwitches !== true) return this.#current;
    const said = this.#places.map(({ filterName }) =>
      filterName === undefined ? undefined : route.switchOf(filterName, cluster),
    );
    const key = said.map((each, index) => this.#keyOf(each, this.#places[index] as Place)).join();
    const known = this.#switched.get(key);
    if (known) return known;
    const filters = filtersOf(
      this.#places.flatMap((place, index) => this.#switchedPlace(place, said[index]) ?? []),
    );
    if (this.#switched.size >= switchedMax) this.#switched.clear();
    this.#switched.set(key, filters);
    return filters;
  }

  #keyOf(said: FilterSwitch | undefined, { isOn }: Place): string {
    if ((said?.isOn ?? isOn) === false) return "off";
    if (said?.own === undefined) return "on";
    const number = this.#numbers.get(said.own) ?? this.#numbersGiven++;
    this.#numbers.set(said.own, number);
    return String(number);
  }

  /** Undefined: it is off. A route has no word for a place that another filter has. */
  #switchedPlace(place: Place, said: FilterSwitch | undefined): Place | undefined {
    const { config, isOn } = place;
    if ((said?.isOn ?? isOn) === false) return undefined;
    const own = said?.own;
    if (own === undefined || config?.kind !== "module" || config.module !== own.module)
      return place;
    return { ...place, ...this.#made({ kind: "module", ...own }) };
  }

  [Symbol.dispose](): void {
    for (const watch of this.#watches) watch[Symbol.dispose]();
    for (const { filter } of this.#places) release(filter);
  }

  #present(config: HttpFilterConfig): PlainHttpFilterConfig | undefined {
    if (config.kind !== "discovered") return config;
    return this.#context.worker.filterConfigs.get(config.id) ?? config.fallback;
  }

  #watch(config: HttpFilterConfig, index: number): Disposable | undefined {
    if (config.kind !== "discovered") return undefined;
    return this.#context.worker.filterConfigs.watch(config.id, (next = config.fallback) => {
      const place = this.#places[index] as Place;
      release(place.filter);
      Object.assign(place, this.#made(next));
      this.#current = filtersOf(this.#places.filter(({ isOn }) => isOn));
      this.#switched.clear();
    });
  }

  #made(config: PlainHttpFilterConfig | undefined): Pick<Place, "config" | "filter"> {
    return { config, filter: config ? this.#createFilter(config) : missingConfig };
  }

  /** Main has judged the configuration by the same code: what is thrown here is a fault of that code. */
  #createWhole({ module: name, config }: ModuleFilterConfig): HeadFilter | WholeFilter {
    const { worker } = this.#context;
    try {
      const factory = worker.httpFilters.get(name)?.configure(config);
      if (factory !== undefined) return { kind: "whole", name, factory };
    } catch (error) {
      worker.loggerOf("filter").error(`HTTP filter ${name}: ${String(error)}`);
    }
    return missingConfig;
  }

  #createFilter(config: PlainHttpFilterConfig): HeadFilter | WholeFilter | undefined {
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
      case "grpcStats":
        return ownWhole("grpc_stats", new GrpcStats(config, worker), isGrpcLikeRequest);
      case "grpcWeb":
        return ownWhole("grpc_web", new GrpcWeb(worker), isGrpcWebRequest);
      case "grpcHttp1Bridge":
        return ownWhole(
          "grpc_http1_bridge",
          new GrpcHttp1Bridge(config),
          (bytes) => isGrpcRequest(bytes) || (config.upgradesProtobuf && isProtobufRequest(bytes)),
        );
      case "module":
        return this.#createWhole(config);
      case "router":
      case "onDemand":
      case "noop":
        return undefined;
      default:
        return config satisfies never;
    }
  }
}

function ownWhole(
  name: string,
  factory: FilterFactory,
  isFor: (bytes: Uint8Array) => boolean,
): WholeFilter {
  return { kind: "whole", name: `envoy.filters.http.${name}`, factory, isOwn: true, isFor };
}

function release(filter: HeadFilter | WholeFilter | undefined): void {
  if (filter !== undefined && Symbol.dispose in filter) filter[Symbol.dispose]();
}

function placeOf(filter: HeadFilter | WholeFilter): FilterPlace {
  return "kind" in filter ? filter : { kind: "heads", filter };
}

function filtersOf(places: readonly Place[]): HttpFilters {
  const suppressesEnvoyHeaders = places.some(
    ({ config }) => config?.kind === "router" && config.suppressEnvoyHeaders,
  );
  const onDemand = places.map(({ config }) => config).find((config) => config?.kind === "onDemand");
  const all = places.flatMap(({ filter }) => (filter ? placeOf(filter) : []));
  const filters = all.flatMap((place) => (place.kind === "heads" ? place.filter : []));
  return {
    places: filters.length < all.length ? all : [],
    ofRequests: filters.filter((filter) => filter.onRequest !== undefined),
    ofResponses: filters.flatMap((filter) => filter.responseChange ?? []).toReversed(),
    suppressesEnvoyHeaders,
    onDemand,
  };
}
