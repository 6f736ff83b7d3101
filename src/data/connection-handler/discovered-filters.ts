/**
 * Serves a chain of which filters come by ECDS: each connection by what is there when it comes, to its end, so that a
 * new configuration drains nothing. While one is missing connections are closed, as in Envoy.
 */
import type {
  FilterChainConfig,
  NetworkFilterConfig,
  PlainNetworkFilterConfig,
} from "../../shared/config/listener-config.ts";
import type { FilterSlots, ListenerSlots } from "../../shared/protocol/worker-command.ts";
import { listenerStats } from "../../shared/stats/stat-names.ts";
import type { DownstreamConnection } from "../network/downstream-connection.ts";
import type { NetworkFilter, NetworkFilterFactory } from "../network/network-filter.ts";
import type { FilterVersion, WorkerContext } from "../network/worker-context.ts";
import { closingFactory } from "./inert-filter.ts";
import type { TerminalFilterConfig } from "./terminal-filter.ts";

const configMissing = listenerStats.offset("network_extension_config_missing");

type CreateTerminal = (filter: TerminalFilterConfig, slots: ListenerSlots) => NetworkFilterFactory;

/** Where the configuration of the terminal filter is: each object stands for one version of it. */
type Origin = FilterVersion | PlainNetworkFilterConfig;

/** What serves the connections of one version. */
interface Server {
  origin: Origin;
  readonly factory: NetworkFilterFactory;
  readonly use: Disposable | undefined;
  connectionCount: number;
}

export class DiscoveredFilters implements NetworkFilterFactory {
  readonly #worker: WorkerContext;
  readonly #createTerminal: CreateTerminal;
  readonly #servers = new Set<Server>();
  readonly #serverOf = new WeakMap<NetworkFilter, Server>();
  readonly #watches: readonly Disposable[];
  #filters: readonly NetworkFilterConfig[];
  #slots: ListenerSlots;

  constructor(
    chain: FilterChainConfig,
    worker: WorkerContext,
    slots: ListenerSlots,
    createTerminal: CreateTerminal,
  ) {
    this.#filters = chain.filters;
    this.#worker = worker;
    this.#slots = slots;
    this.#createTerminal = createTerminal;
    this.#watches = chain.filters.flatMap((filter) => {
      if (filter.kind !== "discovered") return [];
      return worker.networkFilters.watch(filter.id, () => this.#endIdle());
    });
  }

  create(connection: DownstreamConnection): NetworkFilter {
    const server = this.#findServer();
    if (!server) {
      this.#worker.slab.add(this.#slots.listener, configMissing);
      return closingFactory.create(connection);
    }
    const filter = server.factory.create(connection);
    server.connectionCount++;
    this.#serverOf.set(filter, server);
    return filter;
  }

  closed(filter: NetworkFilter): void {
    const server = this.#serverOf.get(filter);
    if (!server) return;
    server.connectionCount--;
    this.#endIdle();
  }

  /** Of a terminal filter that is in the listener; there is one server of it at most. */
  adopt(filter: PlainNetworkFilterConfig, slots: ListenerSlots): void {
    this.#slots = slots;
    this.#filters = [...this.#filters.slice(0, -1), filter];
    for (const server of this.#servers) {
      server.origin = filter;
      server.factory.adopt?.(filter, slots);
    }
  }

  [Symbol.dispose](): void {
    for (const watch of this.#watches) watch[Symbol.dispose]();
    for (const server of this.#servers) this.#end(server);
  }

  /** Of the moment; undefined: something is missing. */
  #findServer(): Server | undefined {
    const origins = this.#filters.map((filter) => this.#originOf(filter));
    if (origins.includes(undefined)) return undefined;
    const origin = origins.at(-1);
    if (!origin) return undefined;
    return [...this.#servers].find((server) => server.origin === origin) ?? this.#begin(origin);
  }

  #originOf(filter: NetworkFilterConfig): Origin | undefined {
    if (filter.kind !== "discovered") return filter;
    return this.#worker.networkFilters.get(filter.id) ?? filter.fallback;
  }

  #begin(origin: Origin): Server {
    const { config, slots } = contentOf(origin);
    // A filter without effect serves nobody: it was refused in the last place.
    const factory =
      config.kind === "noop"
        ? closingFactory
        : this.#createTerminal(config, { ...this.#slots, ...slots });
    const use = "use" in origin ? origin.use() : undefined;
    const server = { origin, factory, use, connectionCount: 0 };
    this.#servers.add(server);
    return server;
  }

  #endIdle(): void {
    const last = this.#filters.at(-1);
    const current = last && this.#originOf(last);
    for (const server of this.#servers)
      if (server.connectionCount === 0 && server.origin !== current) this.#end(server);
  }

  #end(server: Server): void {
    this.#servers.delete(server);
    server.factory[Symbol.dispose]();
    server.use?.[Symbol.dispose]();
  }
}

function contentOf(origin: Origin): {
  readonly config: PlainNetworkFilterConfig;
  readonly slots: Partial<FilterSlots>;
} {
  return "use" in origin ? origin.filter : { config: origin, slots: {} };
}
