/** A listener that answers by itself, so that nothing behind the proxy is in what is measured. */
import { socketAddress, typeUrl } from "../../test/support/xds-resources.ts";

export interface AnsweringListener {
  readonly name: string;
  readonly port: number;
  /** Filter chains beside the default one, each for clients of a /24 of its own. */
  readonly chains?: number;
  /** The chain that is not as it was, and what it has become. */
  readonly changed?: { readonly chain: number; readonly statPrefix: string };
}

export function answeringListener({ name, port, chains = 0, changed }: AnsweringListener): object {
  return {
    name,
    address: socketAddress("127.0.0.1", port),
    filterChains: Array.from({ length: chains }, (_, index) => ({
      name: `chain-${index}`,
      filterChainMatch: {
        sourcePrefixRanges: [{ addressPrefix: `10.${index >> 8}.${index & 255}.0`, prefixLen: 24 }],
      },
      filters: [
        connectionManager(index === changed?.chain ? changed.statPrefix : `${name}-${index}`),
      ],
    })),
    defaultFilterChain: { filters: [connectionManager(name)] },
  };
}

function connectionManager(statPrefix: string): object {
  const answer = { match: { prefix: "/" }, directResponse: { status: 200, body: text("hello") } };
  return {
    name: "envoy.filters.network.http_connection_manager",
    typedConfig: {
      "@type": typeUrl(
        "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
      ),
      statPrefix,
      routeConfig: {
        name: "all",
        virtualHosts: [{ name: "all", domains: ["*"], routes: [answer] }],
      },
      httpFilters: [
        {
          name: "envoy.filters.http.router",
          typedConfig: { "@type": typeUrl("extensions.filters.http.router.v3.Router") },
        },
      ],
    },
  };
}

function text(inlineString: string): object {
  return { inlineString };
}
