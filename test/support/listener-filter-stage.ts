/**
 * A proxy with one listener that has listener filters, and what is behind its chains: upstreams that say their name first
 * and then echo. The same against Envoy, by SLUICE_TEST_PROXY.
 */
import { ProxyProcess } from "./proxy-process.ts";
import { type TestUpstream, startUpstream } from "./tcp-peers.ts";

const types = "type.googleapis.com/envoy.extensions";
const logFormat =
  "LOG %FILTER_CHAIN_NAME% remote=%DOWNSTREAM_REMOTE_ADDRESS% local=%DOWNSTREAM_LOCAL_ADDRESS% " +
  "direct=%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT% sni=%REQUESTED_SERVER_NAME% " +
  "ja3=%TLS_JA3_FINGERPRINT% ja4=%TLS_JA4_FINGERPRINT% END\n";

export interface ChainPlan {
  /** Of the chain, its cluster and its upstream. */
  readonly name: string;
  readonly match?: object;
}

export interface StagePlan {
  readonly filters: readonly object[];
  readonly chains?: readonly ChainPlan[];
  readonly defaultChain?: string;
  /** More of the listener. */
  readonly listener?: object;
  /** More listeners, each with one chain that matches all. */
  readonly others?: readonly { readonly listener: object; readonly chain: string }[];
  /** Of further listeners with the same chains, `l0` and on: their listener filters. */
  readonly variants?: readonly (readonly object[])[];
  readonly flags?: readonly string[];
  readonly serve?: (name: string) => Parameters<typeof startUpstream>[0];
}

export function listenerFilter(name: string, type: string, fields: object = {}): object {
  return {
    name,
    typed_config: { "@type": `${types}.filters.listener.${name}.v3.${type}`, ...fields },
  };
}

export class ListenerFilterStage implements AsyncDisposable {
  readonly proxy: ProxyProcess;
  readonly port: number;
  readonly #owned: AsyncDisposableStack;

  private constructor(proxy: ProxyProcess, port: number, owned: AsyncDisposableStack) {
    this.proxy = proxy;
    this.port = port;
    this.#owned = owned;
  }

  static async start(plan: StagePlan): Promise<ListenerFilterStage> {
    await using starting = new AsyncDisposableStack();
    const { chains = [{ name: "all" }], defaultChain, others = [], variants = [] } = plan;
    const names = [
      ...chains.map(({ name }) => name),
      ...others.map((other) => other.chain),
      ...(defaultChain ? [defaultChain] : []),
    ];
    const upstreams = new Map<string, TestUpstream>();
    for (const name of names)
      upstreams.set(name, starting.use(await startUpstream(plan.serve?.(name) ?? echo(name))));
    const listener = {
      name: "l",
      address: { socket_address: { address: "127.0.0.1", port_value: 0 } },
      listener_filters: plan.filters,
      filter_chains: chains.map(chain),
      ...(defaultChain ? { default_filter_chain: chain({ name: defaultChain }) } : {}),
      stat_prefix: "l",
      ...plan.listener,
    };
    const bootstrap = {
      admin: { address: { socket_address: { address: "127.0.0.1", port_value: 0 } } },
      static_resources: {
        listeners: [
          listener,
          ...variants.map((filters, i) => ({
            ...listener,
            name: `l${i}`,
            stat_prefix: `l${i}`,
            listener_filters: filters,
          })),
          ...others.map((other) => ({
            ...other.listener,
            filter_chains: [chain({ name: other.chain })],
          })),
        ],
        clusters: [...upstreams].map(([name, { port }]) => cluster(name, port)),
      },
    };
    const proxy = starting.use(await ProxyProcess.start(bootstrap, plan.flags));
    const port = (await proxy.listenerPorts()).get("l") ?? 0;
    return new ListenerFilterStage(proxy, port, starting.move());
  }

  /** Of the listener. */
  stat(name: string): Promise<number> {
    return this.proxy.stat(`listener.l.${name}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#owned.disposeAsync();
  }
}

/** Says its name first. */
export function echo(name: string): Parameters<typeof startUpstream>[0] {
  return (socket) => {
    socket.write(`${name}:`);
    socket.pipe(socket);
  };
}

/** To the cluster of its name. */
export function chain({ name, match }: ChainPlan): object {
  return {
    name,
    ...(match ? { filter_chain_match: match } : {}),
    filters: [
      {
        name: "envoy.filters.network.tcp_proxy",
        typed_config: {
          "@type": `${types}.filters.network.tcp_proxy.v3.TcpProxy`,
          stat_prefix: name,
          cluster: name,
          access_log: [
            {
              name: "log",
              typed_config: {
                "@type": `${types}.access_loggers.stream.v3.StdoutAccessLog`,
                log_format: { text_format_source: { inline_string: logFormat } },
              },
            },
          ],
        },
      },
    ],
  };
}

/** With one host, on loopback. */
export function cluster(name: string, port: number): object {
  const address = { socket_address: { address: "127.0.0.1", port_value: port } };
  return {
    name,
    type: "STATIC",
    connect_timeout: "5s",
    load_assignment: {
      cluster_name: name,
      endpoints: [{ lb_endpoints: [{ endpoint: { address } }] }],
    },
  };
}
