/**
 * Where a virtual host with `require_tls` sends those who came without TLS: the same address by https.
 * It is a route like any other, so that nothing after the look-up knows of it.
 */
import {
  noHeaderMutations,
  type Route,
  type RouteConfig,
  type VirtualHost,
} from "../../../shared/config/route-config.ts";
import { CompiledRoute, type RouteChance } from "./compiled-route.ts";

const unchanged = { requestHeaders: noHeaderMutations, responseHeaders: noHeaderMutations };

const route: Route = {
  ...unchanged,
  name: "",
  match: {
    path: { kind: "prefix", value: "" },
    caseSensitive: true,
    headers: [],
    queryParameters: [],
    runtimeFraction: undefined,
  },
  action: {
    kind: "redirect",
    status: 301,
    scheme: "https",
    host: undefined,
    port: undefined,
    path: undefined,
    prefixRewrite: undefined,
    regexRewrite: undefined,
    stripQuery: false,
  },
};
const host: VirtualHost = {
  ...unchanged,
  name: "",
  domains: [],
  routes: [],
  requireTls: "all",
};
const table: RouteConfig = {
  ...unchanged,
  name: "",
  virtualHosts: [],
  ignorePortInHostMatching: false,
};
/** Nothing in it is left to chance. */
const noChance: RouteChance = {
  random: { next: () => 0, fill: () => undefined },
  runtime: { millionths: ({ otherwise }) => otherwise },
};

export const httpsRedirect = new CompiledRoute(route, host, table, noChance);
