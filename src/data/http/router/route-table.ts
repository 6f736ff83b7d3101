/**
 * A route configuration made ready to be asked. Immutable: a new push is a new table, and whoever asks
 * the connection manager for its table sees the new one with the next request.
 */
import type { RouteConfig, VirtualHost } from "../../../shared/config/route-config.ts";
import { requestHeadersUsed } from "../headers/header-mutations.ts";
import { CompiledRoute, type RouteChance, type RoutedRequest } from "./compiled-route.ts";
import { httpsRedirect } from "./https-redirect.ts";
import { VirtualHostIndex } from "./virtual-host-index.ts";

interface CompiledVirtualHost {
  readonly name: string;
  readonly routes: readonly CompiledRoute[];
  readonly requireTls: VirtualHost["requireTls"];
}

export class RouteTable {
  /** Request headers that response mutations print, to be kept until the response comes. */
  readonly requestHeadersUsed: readonly string[];
  readonly #hosts: VirtualHostIndex<CompiledVirtualHost>;

  constructor(config: RouteConfig, chance: RouteChance) {
    this.#hosts = new VirtualHostIndex(config.ignorePortInHostMatching);
    for (const host of config.virtualHosts) {
      const compiled = {
        name: host.name,
        requireTls: host.requireTls,
        routes: host.routes.map((route) => new CompiledRoute(route, host, config, chance)),
      };
      for (const domain of host.domains) this.#hosts.add(domain, compiled);
    }
    this.requestHeadersUsed = namesUsed(config);
  }

  /** The first route that matches; undefined: none, or no virtual host. */
  find(request: RoutedRequest): CompiledRoute | undefined {
    const hosts = this.#hosts;
    const host = hosts.isDefaultOnly ? hosts.default : hosts.find(request.authorityText());
    if (host === undefined) return undefined;
    // Envoy: without TLS such a virtual host answers every request with a redirect.
    if (host.requireTls !== "none" && request.scheme() !== "https") return httpsRedirect;
    for (const route of host.routes) {
      if (route.matches(request)) return route;
    }
    return undefined;
  }
}

function namesUsed(config: RouteConfig): readonly string[] {
  const levels = [
    config.responseHeaders,
    ...config.virtualHosts.flatMap((host) => [
      host.responseHeaders,
      ...host.routes.map((route) => route.responseHeaders),
    ]),
  ];
  return [...new Set(levels.flatMap(requestHeadersUsed))];
}
