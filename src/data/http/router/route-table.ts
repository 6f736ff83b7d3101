/**
 * A route configuration made ready to be asked. A new push is a new table, and whoever asks the connection manager for
 * its table sees the new one with the next request. Only virtual hosts of VHDS come and go within a table: of
 * many thousand, one at a time.
 */
import type {
  HeaderMutations,
  RouteConfig,
  VirtualHost,
  VirtualHostChange,
} from "../../../shared/config/route-config.ts";
import type { OnDemandWant } from "../../../shared/protocol/on-demand.ts";
import { requestHeadersUsed } from "../headers/header-mutations.ts";
import { CompiledRoute, type RouteChance, type RoutedRequest } from "./compiled-route.ts";
import { httpsRedirect } from "./https-redirect.ts";
import { VirtualHostIndex } from "./virtual-host-index.ts";

/** Hosts longer than this are not asked for: no name is, and main keeps what was asked for. */
const wantedHostMax = 1_024;

interface CompiledVirtualHost {
  readonly config: VirtualHost;
  readonly routes: readonly CompiledRoute[];
}

export class RouteTable {
  readonly #config: RouteConfig;
  readonly #chance: RouteChance;
  readonly #hosts: VirtualHostIndex<CompiledVirtualHost>;
  /** By name. */
  readonly #discovered = new Map<string, CompiledVirtualHost>();

  constructor(config: RouteConfig, chance: RouteChance) {
    this.#config = config;
    this.#chance = chance;
    this.#hosts = new VirtualHostIndex(config.ignorePortInHostMatching);
    for (const host of config.virtualHosts) this.#add(host);
    for (const host of config.discovered ?? []) this.#discovered.set(host.name, this.#add(host));
  }

  /** Request headers that response mutations print, to be kept until the response comes. */
  get requestHeadersUsed(): readonly string[] {
    const { virtualHosts, discovered = [], responseHeaders } = this.#config;
    const hosts = [...virtualHosts, ...discovered].flatMap(headersUsedIn);
    return [...new Set([...requestHeadersUsed(responseHeaders), ...hosts])];
  }

  /** The first route that matches; undefined: none, or no virtual host. */
  find(request: RoutedRequest): CompiledRoute | undefined {
    const host = this.#hostOf(request);
    if (host === undefined) return undefined;
    // Envoy: without TLS such a virtual host answers every request with a redirect.
    if (host.config.requireTls !== "none" && request.scheme() !== "https") return httpsRedirect;
    for (const route of host.routes) {
      if (route.matches(request)) return route;
    }
    return undefined;
  }

  /** The host to ask main for, where there is none and one may be discovered. */
  wantOf(request: RoutedRequest): OnDemandWant | undefined {
    const { discovered, name: routes } = this.#config;
    if (discovered === undefined || this.#hostOf(request) !== undefined) return undefined;
    const host = request.authorityText().toLowerCase();
    if (host === "" || host.length > wantedHostMax) return undefined;
    return { kind: "virtualHost", routes, host };
  }

  /** By VHDS. Request headers that it makes to be kept. */
  update({ changed, removed }: VirtualHostChange): readonly string[] {
    for (const name of [...removed, ...changed.map((host) => host.name)]) {
      const old = this.#discovered.get(name);
      this.#discovered.delete(name);
      for (const domain of old?.config.domains ?? []) {
        if (old !== undefined) this.#hosts.remove(domain, old);
      }
    }
    for (const host of changed) this.#discovered.set(host.name, this.#add(host));
    return changed.flatMap(headersUsedIn);
  }

  #hostOf(request: RoutedRequest): CompiledVirtualHost | undefined {
    const hosts = this.#hosts;
    return hosts.isDefaultOnly ? hosts.default : hosts.find(request.authorityText());
  }

  #add(host: VirtualHost): CompiledVirtualHost {
    const compiled = {
      config: host,
      routes: host.routes.map(
        (route) => new CompiledRoute(route, host, this.#config, this.#chance),
      ),
    };
    for (const domain of host.domains) this.#hosts.add(domain, compiled);
    return compiled;
  }
}

function headersUsedIn({ responseHeaders, routes }: VirtualHost): readonly string[] {
  const levels: readonly HeaderMutations[] = [
    responseHeaders,
    ...routes.map((route) => route.responseHeaders),
  ];
  return levels.flatMap(requestHeadersUsed);
}
