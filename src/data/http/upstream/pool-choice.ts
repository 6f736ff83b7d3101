/** Which pool of a host a request gets its connection from. */
import type { UpstreamEnvironment } from "../../network/upstream-transport.ts";
import type { UpstreamHost } from "../../upstream/cluster-table.ts";
import { httpPoolOf } from "./http-pool.ts";
import { preconnectAhead } from "./predictive-preconnect.ts";
import { type RequestPool, TunnelPool } from "./request-pool.ts";

interface Wanted {
  /** Of a tunnel that ends here. */
  readonly tunnelPreface: Uint8Array | undefined;
  /** The request came by HTTP/2. */
  readonly isHttp2: boolean;
}

/** Called once for each try: other hosts get connections ahead of what may follow. */
export function poolFor(
  host: UpstreamHost,
  environment: UpstreamEnvironment,
  { tunnelPreface, isHttp2 }: Wanted,
): RequestPool {
  if (tunnelPreface !== undefined) return new TunnelPool(host, environment, tunnelPreface);
  preconnectAhead(host.cluster, environment, isHttp2);
  return httpPoolOf(host, environment, isHttp2);
}
