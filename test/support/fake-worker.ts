import assert from "node:assert/strict";
import type { WorkerPort, WorkerPortHandler } from "../../src/control/workers/worker-port.ts";
import { WorkerScopeTable } from "../../src/data/connection-handler/scope-table.ts";
import type { Clock } from "../../src/shared/common/clock.ts";
import type { DrainId, ListenerTag } from "../../src/shared/common/brand.ts";
import type { ClusterConfig, HostConfig } from "../../src/shared/config/cluster-config.ts";
import type { ServerTlsConfig, ClientTlsConfig } from "../../src/shared/config/tls-config.ts";
import type { ListenerConfig } from "../../src/shared/config/listener-config.ts";
import type { RouteConfig } from "../../src/shared/config/route-config.ts";
import { type RuntimeValues, noRuntimeValues } from "../../src/shared/config/runtime-values.ts";
import type { DrainCounts, DrainStart } from "../../src/shared/drain/drain.ts";
import { noDrainCounts } from "../../src/shared/drain/drain.ts";
import type {
  DiscoveredFilter,
  DrainConnections,
  SetVirtualHosts,
  StartDrain,
  WorkerCommand,
} from "../../src/shared/protocol/worker-command.ts";
import type {
  RemainingConnection,
  WorkerAnswer,
  WorkerEvent,
} from "../../src/shared/protocol/worker-event.ts";
import type { WorkerInit } from "../../src/shared/protocol/worker-init.ts";

export interface FakeConnection {
  readonly tag: ListenerTag;
  readonly chain: string | undefined;
  /** The drains that it is counted in. */
  readonly drains: Set<DrainId>;
  /** Set by the test: a drain's word has reached it. */
  isTold: boolean;
}

const someRemaining: RemainingConnection = {
  id: 0,
  peer: "127.0.0.1:1",
  local: "127.0.0.1:2",
  ageMs: 5,
  protocol: "tcp",
  isTold: false,
  progress: { streams: 1, bytesReceived: 3, bytesSent: 4, route: undefined, cluster: "c" },
};

interface HeldListener {
  config: ListenerConfig | undefined;
  readonly sockets: readonly number[];
  isAccepting: boolean;
  readonly connectionCount: number;
}

interface HeldDrain {
  readonly tag: ListenerTag;
  readonly chains: readonly string[] | undefined;
  /** Who comes late joins it. */
  readonly isOpen: boolean;
  start: DrainStart;
  counts: DrainCounts;
  deadline: Disposable | undefined;
}

/**
 * A worker without bytes: holds what it is told, counts connections that the test opens, reports drains as the real
 * one does. Commands are handled in order, each after `delayMs()`.
 */
export class FakeWorker implements WorkerPort {
  readonly init: WorkerInit;
  readonly listeners = new Map<ListenerTag, HeldListener>();
  readonly clusters = new Map<string, { config: ClusterConfig; hosts: readonly HostConfig[] }>();
  readonly routes = new Map<string, RouteConfig>();
  /** Of HTTP filters, by their ids. */
  readonly filterConfigs = new Map<string, DiscoveredFilter>();
  /** Generic secrets by their ids. */
  readonly secrets = new Map<string, string>();
  /** By side and id. */
  readonly tls = new Map<string, ServerTlsConfig | ClientTlsConfig>();
  readonly scopes = new WorkerScopeTable();
  readonly connections = new Set<FakeConnection>();
  /** Everything handled, in order. */
  readonly handled: WorkerCommand[] = [];
  runtime: RuntimeValues = noRuntimeValues;
  isHealthCheckFailed = false;
  /** It does nothing it is told from now on. */
  isStuck = false;
  /** How many connections wait in the accept queue of a listener that is told to empty it. */
  queueDepth: () => number = () => 0;
  /** Hears each command when main posts it, before the worker's delay. */
  onPosted: (command: WorkerCommand) => void = () => {};
  /** The kernel's close of a listening socket. */
  closeSocket: (handle: number) => void = () => {};
  #isPaused = false;
  readonly #handler: WorkerPortHandler;
  readonly #clock: Clock;
  readonly #delayMs: () => number;
  readonly #drains = new Map<DrainId, HeldDrain>();
  /** Deadlines of the drains after which listeners were removed. */
  readonly #removedAfter = new Map<ListenerTag, number>();
  /** Whose configuration was asked of main. */
  readonly #wanted = new Set<ListenerTag>();
  readonly #limits: Int32Array;
  #dueMs = 0;
  #laterCount = 0;
  #hasExited = false;

  constructor(init: WorkerInit, handler: WorkerPortHandler, clock: Clock, delayMs: () => number) {
    this.init = init;
    this.#handler = handler;
    this.#clock = clock;
    this.#delayMs = delayMs;
    this.#limits = new Int32Array(init.limits);
    this.#later(() => handler.onEvent({ kind: "ready" }));
  }

  post(command: WorkerCommand): void {
    this.onPosted(command);
    this.#later(() => this.#handle(structuredClone(command)));
  }

  terminate(): void {
    this.exit("terminated");
  }

  /** The thread ends, by order or by accident. */
  exit(reason: string): void {
    if (this.#hasExited) return;
    this.#hasExited = true;
    for (const drain of this.#drains.values()) drain.deadline?.[Symbol.dispose]();
    this.#handler.onExit(reason);
  }

  /** An event of the test's choice. */
  say(event: WorkerEvent): void {
    this.#handler.onEvent(event);
  }

  /** A client connects; `undefined` where the listener does not accept here. */
  connect(tag: ListenerTag, chain?: string): FakeConnection | undefined {
    const listener = this.listeners.get(tag);
    if (!listener?.isAccepting || this.#isPaused) return undefined;
    return this.#accept(tag, listener, chain);
  }

  /** Accepts and hands the connection to `other`, where it arrives after that worker's delay. */
  handOver(tag: ListenerTag, other: FakeWorker): void {
    const listener = this.listeners.get(tag);
    if (!listener?.isAccepting || this.#isPaused) return;
    Atomics.add(this.#limits, listener.connectionCount, 1);
    const delayMs = other.#delayMs();
    const arrive = (): void => {
      const isExpected = other.listeners.has(tag) || other.#removedAfter.has(tag);
      // A worker that was not told of the listener yet hands the connection back.
      Atomics.sub(this.#limits, listener.connectionCount, 1);
      (isExpected ? other : this).#arrive(tag);
    };
    this.#clock.startTimer(delayMs, arrive);
  }

  #arrive(tag: ListenerTag): void {
    const listener = this.listeners.get(tag);
    const deadlineMs = this.#removedAfter.get(tag);
    if (!listener && deadlineMs !== undefined && deadlineMs <= this.#clock.now()) return;
    assert(listener, `a connection handed over to listener ${tag} finds it gone`);
    const connection = this.#accept(tag, listener, undefined);
    for (const drain of this.#drains.values()) {
      if (drain.tag !== tag || !drain.isOpen) continue;
      connection.drains.add(drain.start.id);
      const { atStart, remaining } = drain.counts;
      drain.counts = { ...drain.counts, atStart: atStart + 1, remaining: remaining + 1 };
      this.#report(drain);
    }
  }

  #accept(tag: ListenerTag, listener: HeldListener, chain: string | undefined): FakeConnection {
    if (!listener.config) {
      this.#wanted.add(tag);
      this.#handler.onEvent({ kind: "listenerConfigWanted", tag });
    }
    const connection = { tag, chain, drains: new Set<DrainId>(), isTold: false };
    this.connections.add(connection);
    Atomics.add(this.#limits, listener.connectionCount, 1);
    return connection;
  }

  /** The client closes. */
  disconnect(connection: FakeConnection): void {
    this.#close(connection, "closedByPeer");
  }

  /** The connection ends as its drain asked. */
  finish(connection: FakeConnection): void {
    this.#close(connection, "finished");
  }

  #later(task: () => void): void {
    const now = this.#clock.now();
    this.#dueMs = Math.max(now, this.#dueMs) + this.#delayMs();
    // Behind a command whose time has come but which has not run yet, even "at once" must wait.
    const isFirst = this.#laterCount === 0;
    this.#laterCount++;
    const run = (): void => {
      this.#laterCount--;
      if (!this.#hasExited) task();
    };
    if (isFirst && this.#dueMs === now) queueMicrotask(run);
    else this.#clock.startTimer(this.#dueMs - now, run);
  }

  #handle(command: WorkerCommand): void {
    if (this.isStuck) return;
    this.handled.push(command);
    switch (command.kind) {
      case "addListener":
        this.#add(command);
        break;
      case "updateFilterChains":
        this.#held(command.tag).config = command.config;
        break;
      case "listenerConfig":
        this.#configure(command.tag, command.config);
        break;
      case "reopenListener":
        this.#held(command.tag).isAccepting = true;
        break;
      case "stopListener":
        this.#stop(command);
        break;
      case "startDrain":
        this.#startDrain(command, command.filterChains === undefined);
        break;
      case "drainConnections":
        this.#drainConnections(command);
        break;
      case "moveDrainDeadline":
        this.#moveDeadline(command.drain, command.deadlineMs);
        if (command.tellsNow) this.#tellAll(command.drain);
        break;
      case "endDrain":
        this.#moveDeadline(command.drain, this.#clock.now());
        this.#cutAll(command.drain);
        break;
      case "cancelDrain":
        this.#cancelDrain(command);
        break;
      case "listRemaining":
        this.#listRemaining(command);
        break;
      case "removeListener":
        this.#remove(command.tag);
        break;
      case "setRuntime":
        this.runtime = command.values;
        break;
      case "setCluster":
        this.clusters.set(command.config.name, { config: command.config, hosts: command.hosts });
        break;
      case "setHosts":
        this.#setHosts(command.cluster, command.hosts);
        break;
      case "removeCluster":
        assert(this.clusters.delete(command.name), `worker holds no cluster ${command.name}`);
        break;
      case "setRoutes":
        this.routes.set(command.config.name, command.config);
        break;
      case "removeRoutes":
        assert(this.routes.delete(command.name), `worker holds no routes ${command.name}`);
        break;
      case "setVirtualHosts":
        this.#setVirtualHosts(command);
        break;
      case "setScopes":
        this.scopes.set(command);
        break;
      case "removeScopes":
        this.scopes.remove(command.name);
        break;
      case "answered":
        break;
      case "setHealthCheckFailed":
        this.isHealthCheckFailed = command.failed;
        break;
      case "setFilterConfig":
        this.filterConfigs.set(command.id, command.filter);
        break;
      case "removeFilterConfig":
        this.filterConfigs.delete(command.id);
        break;
      case "setSecret":
        this.secrets.set(command.id, command.text);
        break;
      case "removeSecret":
        this.secrets.delete(command.id);
        break;
      case "setTls":
        this.tls.set(`${command.context.side} ${command.context.id}`, command.context.config);
        break;
      case "removeTls":
        this.tls.delete(`${command.side} ${command.id}`);
        break;
      case "countConnections":
        this.#answer(command.question, {
          kind: "connectionCounts",
          counts: this.#countsOf(command.tag),
        });
        break;
      case "startServerDrain":
      case "reopenLogs":
      case "giveConnections":
      case "adoptConnections":
      case "setGrpcStats":
      case "workerLost":
      case "setAccepting":
      case "shrinkHeap":
        return;
      case "pauseAccepting":
        this.#isPaused = command.isPaused;
        break;
      case "ping":
        break;
      case "shutdown":
        this.#handler.onEvent({ kind: "exited" });
        this.exit("shut down");
        return;
      default:
        command satisfies never;
    }
    if ("reply" in command && command.reply !== 0) {
      this.#handler.onEvent({ kind: "done", reply: command.reply });
    }
  }

  #countsOf(tag: ListenerTag): readonly (readonly [string, number])[] {
    const chains = [...this.connections].flatMap((each) =>
      each.tag === tag && each.chain !== undefined && each.drains.size === 0 ? [each.chain] : [],
    );
    return [...new Set(chains)].map((id) => [id, chains.filter((other) => other === id).length]);
  }

  #setVirtualHosts({ routes, changed, removed }: SetVirtualHosts): void {
    const config = this.routes.get(routes);
    assert(config?.discovered, `worker holds no routes ${routes} that discover`);
    const gone = [...removed, ...changed.map(({ name }) => name)];
    const kept = config.discovered.filter(({ name }) => !gone.includes(name));
    this.routes.set(routes, { ...config, discovered: [...kept, ...changed] });
  }

  #add(command: Extract<WorkerCommand, { kind: "addListener" }>): void {
    assert(!this.listeners.has(command.tag), `worker holds listener ${command.tag} already`);
    const sockets = command.sockets.map((socket) => socket.handle);
    for (const [tag, held] of this.listeners) {
      const shared = held.isAccepting && held.sockets.some((socket) => sockets.includes(socket));
      assert(!shared, `listener ${tag} accepts on a socket of listener ${command.tag}`);
    }
    this.listeners.set(command.tag, {
      config: command.config,
      sockets,
      isAccepting: true,
      connectionCount: command.slots.connectionCount,
    });
  }

  /** The removal may have been on its way already when main answered: as the real one, it is then of no use. */
  #configure(tag: ListenerTag, config: ListenerConfig): void {
    assert(this.#wanted.has(tag), `worker did not ask for the configuration of listener ${tag}`);
    const held = this.listeners.get(tag);
    if (held) held.config = config;
  }

  #stop(command: Extract<WorkerCommand, { kind: "stopListener" }>): void {
    const listener = this.#held(command.tag);
    listener.isAccepting = false;
    if (!command.emptyQueue) return;
    for (const handle of command.closing ?? []) this.closeSocket(handle);
    for (let i = this.queueDepth(); i > 0; i--) this.#accept(command.tag, listener, undefined);
  }

  #held(tag: ListenerTag): HeldListener {
    const listener = this.listeners.get(tag);
    assert(listener, `worker holds no listener ${tag}`);
    return listener;
  }

  #setHosts(cluster: string, hosts: readonly HostConfig[]): void {
    const held = this.clusters.get(cluster);
    assert(held, `worker holds no cluster ${cluster}`);
    this.clusters.set(cluster, { config: held.config, hosts });
  }

  #startDrain(command: StartDrain | DrainConnections, isOpen: boolean): void {
    const { tag, filterChains: chains, drain: start } = command;
    this.#held(tag);
    const connections = [...this.connections].filter(
      (each) =>
        each.tag === tag && (!chains || (each.chain !== undefined && chains.includes(each.chain))),
    );
    for (const connection of connections) connection.drains.add(start.id);
    const atStart = connections.length;
    const counts = { ...noDrainCounts, atStart, remaining: atStart };
    const drain: HeldDrain = { tag, chains, isOpen, start, counts, deadline: undefined };
    this.#drains.set(start.id, drain);
    this.#awaitDeadline(drain);
    this.#report(drain);
  }

  /** Of a listener that takes another's place here in a moment: it has no connections yet. */
  #drainConnections(command: DrainConnections): void {
    if (this.listeners.has(command.tag)) return this.#startDrain(command, false);
    this.#handler.onEvent({ kind: "drainProgress", drain: command.drain.id, counts: {} });
  }

  #awaitDeadline(drain: HeldDrain): void {
    const { id, tcp, deadlineMs } = drain.start;
    drain.deadline?.[Symbol.dispose]();
    if (tcp !== "deadline") return;
    const delayMs = Math.max(0, deadlineMs - this.#clock.now());
    // Deadlines stay known after it: what arrives late is cut with reason.
    drain.deadline = this.#clock.startTimer(delayMs, () => this.#cutAll(id));
  }

  #moveDeadline(id: DrainId, deadlineMs: number): void {
    const drain = this.#drains.get(id);
    if (!drain) return;
    drain.start = { ...drain.start, deadlineMs };
    this.#awaitDeadline(drain);
  }

  #tellAll(drain: DrainId): void {
    for (const each of this.connections) if (each.drains.has(drain)) each.isTold = true;
  }

  #cancelDrain(command: Extract<WorkerCommand, { kind: "cancelDrain" }>): void {
    const drain = this.#drains.get(command.drain);
    const members = [...this.connections].filter((each) => each.drains.delete(command.drain));
    drain?.deadline?.[Symbol.dispose]();
    this.#drains.delete(command.drain);
    if (drain) this.#report(drain);
    const told = members.filter(({ isTold }) => isTold).length;
    this.#answer(command.question, { kind: "drainCancelled", told });
  }

  #listRemaining(command: Extract<WorkerCommand, { kind: "listRemaining" }>): void {
    const connections = [...this.connections]
      .filter(({ drains }) => drains.has(command.drain))
      .slice(0, command.limit)
      .map(({ isTold }, index) => ({ ...someRemaining, id: index, isTold }));
    this.#answer(command.question, { kind: "remaining", connections });
  }

  #answer(question: number, answer: WorkerAnswer): void {
    if (question !== 0) this.#handler.onEvent({ kind: "answer", question, answer });
  }

  #cutAll(drain: DrainId): void {
    for (const each of this.connections) if (each.drains.has(drain)) this.#close(each, "forced");
  }

  #remove(tag: ListenerTag): void {
    this.#held(tag);
    for (const connection of this.connections) {
      if (connection.tag === tag) this.#close(connection, "forced");
    }
    this.listeners.delete(tag);
    for (const [id, drain] of this.#drains) {
      if (drain.tag !== tag) continue;
      if (drain.isOpen) this.#removedAfter.set(tag, drain.start.deadlineMs);
      this.#drains.delete(id);
    }
  }

  #close(connection: FakeConnection, how: "closedByPeer" | "finished" | "forced"): void {
    if (!this.connections.delete(connection)) return;
    if (how === "forced") this.#assertMayBeCut(connection);
    const listener = this.listeners.get(connection.tag);
    if (listener) Atomics.sub(this.#limits, listener.connectionCount, 1);
    for (const id of connection.drains) {
      const drain = this.#drains.get(id);
      if (!drain) continue;
      const { counts } = drain;
      drain.counts = { ...counts, [how]: counts[how] + 1, remaining: counts.remaining - 1 };
      this.#report(drain);
    }
  }

  /** The promise of draining: nobody is cut before a deadline of its own has come. */
  #assertMayBeCut(connection: FakeConnection): void {
    const deadlines = [...connection.drains].flatMap((id) => this.#drains.get(id)?.start ?? []);
    const now = this.#clock.now();
    assert(
      deadlines.some(({ deadlineMs }) => deadlineMs <= now),
      `a connection of listener ${connection.tag} is cut before its time`,
    );
  }

  #report(drain: HeldDrain): void {
    const { start, counts } = drain;
    if (counts.remaining === 0) drain.deadline?.[Symbol.dispose]();
    this.#handler.onEvent({ kind: "drainProgress", drain: start.id, counts: { tcp: counts } });
  }
}
