/**
 * Many listeners of one proxy, each with a `filter_chain_matcher` over the same chains. PROXY headers give a connection the
 * addresses that a tree asks for.
 */
import { clientHello } from "./client-hello-bytes.ts";
import type { StartProxy } from "./each-proxy.ts";
import { chain, cluster, echo, listenerFilter } from "./listener-filter-stage.ts";
import type { ProxyProcess } from "./proxy-process.ts";
import { TestClient, startUpstream } from "./tcp-peers.ts";

const filters = [
  listenerFilter("proxy_protocol", "ProxyProtocol"),
  listenerFilter("tls_inspector", "TlsInspector"),
];
const names = ["a", "b", "c", "rest"];

export interface Visit {
  readonly from?: string;
  readonly to?: string;
  readonly serverName?: string;
  readonly alpn?: readonly string[];
}

export interface MatcherListener {
  readonly name: string;
  readonly tree: object;
  /** `rest` is the default chain. */
  readonly hasDefault?: boolean;
  /** More of the listener. */
  readonly fields?: object;
}

export class ChainMatcherStage {
  readonly proxy: ProxyProcess;
  readonly #ports: ReadonlyMap<string, number>;

  private constructor(proxy: ProxyProcess, ports: ReadonlyMap<string, number>) {
    this.proxy = proxy;
    this.#ports = ports;
  }

  /** What it owns goes to `open`. */
  static async start(
    listeners: readonly MatcherListener[],
    start: StartProxy,
    open: AsyncDisposableStack,
  ): Promise<ChainMatcherStage> {
    const clusters: object[] = [];
    for (const name of names)
      clusters.push(cluster(name, open.use(await startUpstream(echo(name))).port));
    const proxy = await start({
      admin: { address: { socket_address: { address: "127.0.0.1", port_value: 0 } } },
      static_resources: { clusters, listeners: listeners.map(listenerOf) },
    });
    return new ChainMatcherStage(proxy, await proxy.listenerPorts());
  }

  /** The chain that serves it; empty: none does. */
  async served(listener: string, visit: Visit = {}): Promise<string> {
    const { from = "10.0.0.1:1111", to = "192.0.2.1:80", ...hello } = visit;
    const client = new TestClient(this.#ports.get(listener) ?? 0);
    client.socket.write(proxyHeader(from, to));
    const speaksTls = visit.serverName !== undefined || visit.alpn !== undefined;
    client.socket.write(speaksTls ? clientHello(hello) : "plain text, and no TLS");
    await Promise.race([client.until(() => client.receivedBytes >= 2), client.ended()]);
    const name = client.received.toString("latin1").split(":")[0] ?? "";
    client.socket.destroy();
    return name;
  }
}

function listenerOf({ name, tree, hasDefault = false, fields = {} }: MatcherListener): object {
  return {
    name,
    stat_prefix: name,
    address: { socket_address: { address: "127.0.0.1", port_value: 0 } },
    listener_filters: filters,
    filter_chains: ["a", "b", "c"].map((one) => chain({ name: one })),
    ...(hasDefault ? { default_filter_chain: chain({ name: "rest" }) } : {}),
    filter_chain_matcher: tree,
    ...fields,
  };
}

function proxyHeader(from: string, to: string): string {
  const [source, sourcePort] = split(from);
  const [destination, port] = split(to);
  const family = source.includes(":") ? "TCP6" : "TCP4";
  return `PROXY ${family} ${source} ${destination} ${sourcePort} ${port}\r\n`;
}

function split(address: string): readonly [ip: string, port: string] {
  const at = address.lastIndexOf(":");
  return [address.slice(0, at).replace(/[[\]]/g, ""), address.slice(at + 1)];
}
