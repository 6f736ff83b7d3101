/**
 * Connections that go on in another process: idle or upgraded HTTP/1 and TCP proxies, in plain text, of listeners that are
 * the same there. On the side that gives, asked for again and again while it drains, for a connection that is busy now is idle later;
 * on the side that takes, spread over the workers as if they had just been accepted.
 *
 * What a newcomer would get wrong: a connection that was given is nobody's until the other process has it. If that fails
 * it goes back to the worker that it came from, whoever gives by then.
 */
import { formatAddress, type SocketAddress } from "../../shared/common/address.ts";
import type { ListenerTag } from "../../shared/common/brand.ts";
import type { HostConfig } from "../../shared/config/cluster-config.ts";
import type { Clock } from "../../shared/common/clock.ts";
import type { MovedConnection } from "../../shared/protocol/moved-connection.ts";
import type { WorkerEvent } from "../../shared/protocol/worker-event.ts";
import { limitLayout } from "../../shared/protocol/worker-init.ts";
import type { SharedLimits } from "../workers/shared-limits.ts";
import type { WorkerPool } from "../workers/worker-pool.ts";
import type { BoundListener, ListenerManager } from "./listener-manager.ts";

const firstRoundMs = 50;
const roundMsMax = 1_000;

export interface ConnectionMovesContext {
  readonly pool: Pick<WorkerPool, "subscribe" | "post" | "postTo" | "request" | "concurrency">;
  readonly manager: Pick<ListenerManager, "boundListeners">;
  readonly limits: Pick<SharedLimits, "subtract">;
  /** Undefined: there is no such cluster. */
  readonly hostsOf: (cluster: string) => readonly HostConfig[] | undefined;
  readonly clock: Clock;
}

type GivenConnections = Extract<WorkerEvent, { kind: "connectionsGiven" }>;

/** The process that takes them. */
export interface ConnectionTaker {
  readonly isLost: boolean;
  /** What its listener at the address is; undefined: it has none, or takes no connections. */
  hashAt(address: SocketAddress): string | undefined;
  /** Those that are not its own: still open here. */
  send(
    address: SocketAddress,
    connections: readonly MovedConnection[],
  ): Promise<readonly MovedConnection[]>;
}

/** To one process; over when it is gone, or another takes its place. */
interface Giving {
  readonly taker: ConnectionTaker;
  readonly addresses: ReadonlyMap<ListenerTag, SocketAddress>;
  timer: Disposable | undefined;
  everyMs: number;
}

export class ConnectionMoves implements Disposable {
  readonly #context: ConnectionMovesContext;
  readonly #subscription: Disposable;
  #giving: Giving | undefined;
  #sent: Promise<unknown> = Promise.resolve();
  #nextWorker = 0;

  constructor(context: ConnectionMovesContext) {
    this.#context = context;
    this.#subscription = context.pool.subscribe({
      onEvent: (worker, event) => {
        if (event.kind === "connectionsGiven") this.#send(worker, event);
      },
    });
  }

  [Symbol.dispose](): void {
    this.#giving?.timer?.[Symbol.dispose]();
    this.#subscription[Symbol.dispose]();
  }

  /** Whose connections this process could serve on. */
  boundListeners(): readonly BoundListener[] {
    return this.#context.manager.boundListeners();
  }

  /** For as long as the taker is there. */
  give(taker: ConnectionTaker): void {
    // Where they are bound now: soon they are bound nowhere.
    const bound = this.boundListeners().filter(
      ({ localAddress, hash }) => taker.hashAt(localAddress) === hash,
    );
    const addresses = new Map(bound.map(({ tag, localAddress }) => [tag, localAddress]));
    this.#giving?.timer?.[Symbol.dispose]();
    this.#giving = { taker, addresses, timer: undefined, everyMs: firstRoundMs };
    this.#ask(this.#giving);
  }

  /** What workers have given by now is the other process's, or back. A process that ended before would cut it. */
  async settled(): Promise<void> {
    await this.#sent;
  }

  #ask(giving: Giving): void {
    if (giving.taker.isLost) return;
    const { pool, clock } = this.#context;
    for (const tag of giving.addresses.keys()) pool.post({ kind: "giveConnections", tag });
    giving.timer = clock.startTimer(giving.everyMs, () => this.#ask(giving));
    giving.everyMs = Math.min(giving.everyMs * 2, roundMsMax);
  }

  #send(worker: number, { tag, connections, countedAt }: GivenConnections): void {
    const { pool, limits } = this.#context;
    const giving = this.#giving;
    const address = giving?.addresses.get(tag);
    const send =
      giving && address ? giving.taker.send(address, connections) : Promise.resolve(connections);
    const settled = send.then((kept) => {
      const gone = connections.length - kept.length;
      for (const index of [countedAt, limitLayout.acceptedConnections])
        limits.subtract(index, gone);
      // From one that is gone they may go to the next.
      const stays = giving?.taker.isLost === false;
      const back = { tag, connections: kept, countedAt, stays, reply: noReply };
      if (kept.length > 0) pool.postTo(worker, { kind: "adoptConnections", ...back });
    });
    this.#sent = Promise.all([this.#sent, settled]);
  }

  /** Of each whether there is a listener at the address; and the host that it is connected to, if it is. */
  canServe(address: SocketAddress, connections: readonly MovedConnection[]): readonly boolean[] {
    const isThere = this.#listenerAt(address) !== undefined;
    return connections.map((moved) => isThere && (moved.kind === "idle" || this.#hasHost(moved)));
  }

  /** Those that `canServe`; of others that is too late, and they are closed. Resolves when workers have them. */
  async adopt(address: SocketAddress, connections: readonly MovedConnection[]): Promise<void> {
    const { pool } = this.#context;
    const tag = this.#listenerAt(address)?.tag ?? nobody;
    const perWorker = Math.ceil(connections.length / pool.concurrency);
    const shares = Array.from({ length: pool.concurrency }, (_, i) =>
      connections.slice(i * perWorker, (i + 1) * perWorker),
    ).filter((share) => share.length > 0);
    const adopted = shares.map((share) => {
      const command = { tag, connections: share, countedAt: undefined, stays: false };
      return pool.request(this.#nextWorker++ % pool.concurrency, (reply) => ({
        kind: "adoptConnections",
        ...command,
        reply,
      }));
    });
    await Promise.all(adopted);
  }

  #hasHost({ cluster, host }: Exclude<MovedConnection, { kind: "idle" }>): boolean {
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

const noReply = 0;
/** No listener has it: whoever is to adopt something for it closes that. */
const nobody = 0 as ListenerTag;
