/**
 * Connections that go on in another process: idle HTTP/1 and TCP proxies, in plain text, of listeners that are the same
 * there. On the side that gives, asked for again and again while it drains, for a connection that is busy now is idle later;
 * on the side that takes, spread over the workers as if they had just been accepted.
 *
 * What a newcomer would get wrong: a connection that was given is nobody's until the other process has it. If that fails
 * it goes back to the worker that it came from, whoever gives by then.
 */
import { formatAddress, type SocketAddress } from "../../shared/common/address.ts";
import type { ListenerTag } from "../../shared/common/brand.ts";
import type { HostConfig } from "../../shared/config/cluster-config.ts";
import type { Clock } from "../../shared/common/clock.ts";
import type { MovedConnection, ProxiedConnection } from "../../shared/protocol/moved-connection.ts";
import type { WorkerPool } from "../workers/worker-pool.ts";
import type { BoundListener, ListenerManager } from "./listener-manager.ts";

const firstRoundMs = 50;
const roundMsMax = 1_000;

export interface ConnectionMovesContext {
  readonly pool: Pick<WorkerPool, "subscribe" | "post" | "postTo" | "concurrency">;
  readonly manager: Pick<ListenerManager, "boundListeners">;
  /** Undefined: there is no such cluster. */
  readonly hostsOf: (cluster: string) => readonly HostConfig[] | undefined;
  readonly clock: Clock;
}

/** The process that takes them. */
export interface ConnectionTaker {
  /** What its listener at the address is; undefined: it has none, or takes no connections. */
  hashAt(address: SocketAddress): string | undefined;
  /** Those that are not its own: still open here. */
  send(
    address: SocketAddress,
    connections: readonly MovedConnection[],
  ): Promise<readonly MovedConnection[]>;
}

export interface Giving extends Disposable {
  /** What workers have given by now is the other process's, or back. A process that ended before would cut it. */
  settled(): Promise<void>;
}

export class ConnectionMoves {
  readonly #context: ConnectionMovesContext;
  #nextWorker = 0;

  constructor(context: ConnectionMovesContext) {
    this.#context = context;
  }

  /** Whose connections this process could serve on. */
  boundListeners(): readonly BoundListener[] {
    return this.#context.manager.boundListeners();
  }

  /** Until it is disposed. */
  give(taker: ConnectionTaker): Giving {
    const { pool, manager, clock } = this.#context;
    // Where they are bound now: soon they are bound nowhere.
    const bound = manager
      .boundListeners()
      .filter(({ localAddress, hash }) => taker.hashAt(localAddress) === hash);
    const addresses = new Map(bound.map(({ tag, localAddress }) => [tag, localAddress]));
    let sent: Promise<unknown> = Promise.resolve();
    const subscription = pool.subscribe({
      onEvent: (worker, event) => {
        if (event.kind !== "connectionsGiven") return;
        const { tag, connections } = event;
        const address = addresses.get(tag);
        const send = address ? taker.send(address, connections) : Promise.resolve(connections);
        const returned = send.then((kept) => {
          if (kept.length === 0) return;
          pool.postTo(worker, { kind: "adoptConnections", tag, connections: kept, isReturn: true });
        });
        sent = Promise.all([sent, returned]);
      },
    });
    let everyMs = firstRoundMs;
    let timer: Disposable;
    const round = (): void => {
      for (const [tag, address] of addresses)
        if (taker.hashAt(address) !== undefined) pool.post({ kind: "giveConnections", tag });
      timer = clock.startTimer(everyMs, round);
      everyMs = Math.min(everyMs * 2, roundMsMax);
    };
    round();
    return {
      settled: async () => void (await sent),
      [Symbol.dispose]: () => {
        timer[Symbol.dispose]();
        subscription[Symbol.dispose]();
      },
    };
  }

  /** Of each whether there is a listener at the address; and of a TCP proxy the host that it is connected to. */
  canServe(address: SocketAddress, connections: readonly MovedConnection[]): readonly boolean[] {
    const isThere = this.#listenerAt(address) !== undefined;
    return connections.map(({ proxied }) => isThere && (!proxied || this.#hasHost(proxied)));
  }

  /** Those that `canServe`; of others that is too late, and they are closed. */
  adopt(address: SocketAddress, connections: readonly MovedConnection[]): void {
    const { pool } = this.#context;
    const tag = this.#listenerAt(address)?.tag ?? nobody;
    const perWorker = Math.ceil(connections.length / pool.concurrency);
    for (let at = 0; at < connections.length; at += perWorker) {
      const some = connections.slice(at, at + perWorker);
      const worker = this.#nextWorker++ % pool.concurrency;
      pool.postTo(worker, { kind: "adoptConnections", tag, connections: some, isReturn: false });
    }
  }

  #hasHost({ cluster, host }: ProxiedConnection): boolean {
    const wanted = formatAddress(host);
    const hosts = this.#context.hostsOf(cluster) ?? [];
    return hosts.some(({ address }) => formatAddress(address) === wanted);
  }

  #listenerAt(address: SocketAddress): BoundListener | undefined {
    const wanted = formatAddress(address);
    return this.#context.manager
      .boundListeners()
      .find(({ localAddress }) => formatAddress(localAddress) === wanted);
  }
}

/** No listener has it: whoever is to adopt something for it closes that. */
const nobody = 0 as ListenerTag;
